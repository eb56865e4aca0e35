import contextlib

import numpy as np
import pytest

from interhat_tf import Field, Schema
from interhat_tf.explanation.selection import first_labelled, first_records, select_records, where
from tests.explanation.made import SCHEMA, cut, make_inputs


def list_selected(batches, condition=None):
    return list(select_records(SCHEMA, batches, condition))


def test_batches_without_a_record_are_left_out():
    inputs = make_inputs(30)
    inputs["categorical"][10:20, 0] = 1
    found = list_selected(cut(inputs, 10, 10, 10), lambda batch: batch["categorical"][:, 0] != 1)
    assert len(found) == 2
    np.testing.assert_array_equal(
        np.concatenate([batch["numerical"] for batch in found]),
        inputs["numerical"][inputs["categorical"][:, 0] != 1],
    )


@pytest.mark.parametrize(
    "condition", [lambda inputs: np.ones((5, 1), bool), lambda inputs: inputs["categorical"][:, 0]]
)
def test_a_condition_returns_a_boolean_mask(condition):
    with pytest.raises(ValueError, match=r"boolean mask of shape \(5,\)"):
        list_selected([make_inputs(5)], condition)


def test_an_id_out_of_range_names_the_row_of_the_data_set():
    inputs = make_inputs(10)
    inputs["categorical"][7, 1] = 4
    with pytest.raises(ValueError, match="field 'f2', row 7: id 4"):
        list_selected(cut(inputs, 5, 5))


def test_where_needs_known_categorical_fields_and_ids():
    for ids, message in [
        ({"f9": 1}, "'f9' is not in the schema"),
        ({"price": 1}, "'price' is numerical"),
        ({"f1": 4}, r"id 4 is outside the vocabulary \[0, 4\)"),
        ({"f1": -1}, "id -1 is outside"),
    ]:
        with pytest.raises(ValueError, match=message):
            where(SCHEMA, **ids)


def test_where_takes_any_field_name():
    schema = Schema([Field("schema", "categorical", 3), Field("User ID", "categorical", 3)])
    condition = where(schema, **{"schema": 1, "User ID": 2})
    mask = condition({"categorical": np.array([[1, 2], [1, 1], [2, 2]])})
    assert mask.tolist() == [True, False, False]


class Data:
    """Ads 1, 2, 3, 1, 2, 3, 1, in batches of two, whatever size is asked for."""

    schema = Schema([Field("ad", "categorical", 5)])

    def evaluation_batches(self, split):
        ads = np.array([[1], [2], [3], [1], [2], [3], [1]], "int32")  # (7, 1)
        clicks = ads[:, 0] > 1  # (7,)
        return [({"categorical": ads[i : i + 2]}, clicks[i : i + 2]) for i in range(0, 7, 2)]

    def naming_damage(self, split):
        return contextlib.nullcontext()


@pytest.mark.parametrize(
    ("number", "expected"), [(1, [1]), (3, [1, 2, 3]), (9, [1, 2, 3] * 2 + [1])]
)
def test_batches_are_read_until_there_are_enough(number, expected):
    assert first_records(Data(), "test", number)["categorical"].ravel().tolist() == expected


def test_records_that_satisfy_a_condition_are_counted_alone():
    wanted = where(Data.schema, ad=1)
    assert first_records(Data(), "test", 3, wanted)["categorical"].ravel().tolist() == [1, 1, 1]


def test_a_condition_that_no_record_satisfies_is_an_error():
    with pytest.raises(ValueError, match="no record of test satisfies"):
        first_records(Data(), "test", 3, where(Data.schema, ad=4))


def test_labels_are_those_of_the_records():
    inputs, labels = first_labelled(Data(), "test", 5)
    assert inputs["categorical"].ravel().tolist() == [1, 2, 3, 1, 2]
    assert labels.tolist() == [False, True, True, False, True]
    _, labels = first_labelled(Data(), "test", 5, where(Data.schema, ad=1))
    assert labels.tolist() == [False] * 3
