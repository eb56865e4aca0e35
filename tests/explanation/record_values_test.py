import numpy as np

from interhat_tf import Field, Schema
from interhat_tf.explanation.record_values import plain_values


def test_ids_are_shown_in_all_their_digits():
    schema = Schema([Field("user", "categorical", 20_000_000), Field("price", "numerical")])
    users = np.array([[12_345_678], [12_345_679], [1_000_000]])
    inputs = {"categorical": users, "numerical": np.array([[0.123456789], [2.0], [1e7]])}
    assert plain_values(schema, inputs).tolist() == [
        ["12345678", "0.123457"],
        ["12345679", "2"],
        ["1000000", "1e+07"],
    ]
