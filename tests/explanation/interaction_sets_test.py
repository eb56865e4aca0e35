import numpy as np

from interhat_tf.explanation.interaction_sets import interaction_sets


def sets_of(*field_weights):
    """Returns the interaction sets of one record of fields a, b, c, …."""
    return interaction_sets(tuple("abcdefghij"[: len(field_weights[0])]), np.array([field_weights]))


def test_by_hand():
    assert sets_of(
        [0.90, 0.02, 0.02, 0.02, 0.04],  # one field
        [0.04, 0.44, 0.46, 0.03, 0.03],  # two
        [0.45, 0.41, 0.05, 0.05, 0.04],  # two of three possible
        [0.20, 0.20, 0.20, 0.20, 0.20],  # nobody
    ) == [[("a",), ("c", "b"), ("a", "b"), ()]]


def test_of_few_fields():
    # One of three needs two thirds in the first order; a pair 5/12 each in the second.
    assert sets_of([0.60, 0.30, 0.10], [0.46, 0.44, 0.10], [1 / 3, 1 / 3, 1 / 3]) == [
        [(), ("a", "b"), ()]
    ]
    assert sets_of([1.0]) == [[("a",)]]


def test_an_order_has_no_more_fields_than_its_number():
    assert sets_of([0.5, 0.5, 0, 0, 0]) == [[("a",)]]


def test_records_are_apart():
    weights = np.array([[[0.9, 0.1, 0.0]], [[0.0, 0.1, 0.9]], [[0.4, 0.3, 0.3]]])
    assert interaction_sets(("a", "b", "c"), weights) == [[("a",)], [("c",)], [()]]
    assert interaction_sets(("a", "b", "c"), weights[:0]) == []
