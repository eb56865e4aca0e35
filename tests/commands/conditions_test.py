import numpy as np
import pytest

from interhat_tf import Field, Schema
from interhat_tf.commands.conditions import first_records


class Data:
    """Ads 1, 2, 3, 1, 2, 3, 1, in batches of two, whatever size is asked for."""

    schema = Schema([Field("ad", "categorical", 5)])

    def evaluation_batches(self, split, batch_size):
        ads = np.array([[1], [2], [3], [1], [2], [3], [1]], "int32")  # (7, 1)
        return [({"categorical": ads[i : i + 2]}, np.zeros(2)) for i in range(0, 7, 2)]

    def id_of(self, field, value):
        return int(value)


@pytest.mark.parametrize(
    ("number", "expected"), [(1, [1]), (3, [1, 2, 3]), (9, [1, 2, 3] * 2 + [1])]
)
def test_batches_are_read_until_there_are_enough(number, expected):
    assert first_records(Data(), "test", number)["categorical"].ravel().tolist() == expected


def test_records_that_satisfy_a_condition_are_counted_alone():
    assert first_records(Data(), "test", 3, "ad=1")["categorical"].ravel().tolist() == [1, 1, 1]


def test_a_condition_that_no_record_satisfies_is_named():
    with pytest.raises(ValueError, match="no record of test has ad=4"):
        first_records(Data(), "test", 3, "ad=4")
