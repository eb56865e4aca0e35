import json

import numpy as np
import pytest

from interhat_tf import Cross, CrossedField

COMBINATIONS = np.array([[4, 1], [2, 3], [2, 70_000]])


def test_a_cross_needs_two_rows_unless_something_else_is_asked_for():
    assert Cross(["user", "app"]) == Cross(("user", "app"), min_count=2)
    assert Cross(("user", "app"), hash_size=9).min_count is None


@pytest.mark.parametrize(
    ("fields", "options", "message"),
    [
        (("user",), {}, "two or three different fields, got user"),
        ("user", {}, "two or three different fields, got user"),
        (("user", "user"), {}, "different fields, got user, user"),
        (("a", "b", "c", "d"), {}, "got a, b, c, d"),
        (("a", "b"), {"min_count": 0}, "'a x b': min_count must be at least 1, got 0"),
        (("a", "b"), {"hash_size": 0}, "'a x b': hash_size must be at least 1, got 0"),
        (("a", "b"), {"hash_size": 9, "min_count": 2}, "do not go together"),
    ],
)
def test_cross_rejects_bad_arguments(fields, options, message):
    with pytest.raises(ValueError, match=message):
        Cross(fields, **options)


def test_combinations_are_kept_in_order():
    cross = CrossedField(("user", "app"), COMBINATIONS)
    assert cross.combinations.tolist() == [[2, 3], [2, 70_000], [4, 1]]
    assert cross.name == "user x app"
    assert cross.vocabulary_size == 4
    assert cross == CrossedField(("user", "app"), COMBINATIONS[::-1])


@pytest.mark.parametrize(
    "cross",
    [
        CrossedField(("user", "app"), COMBINATIONS),
        CrossedField(("user", "app"), np.empty((0, 2), int)),
        CrossedField(("user", "app", "day"), [[1, 2, 3], [1, 2, 4]]),
        CrossedField(("user", "app"), hash_size=9),
    ],
    ids=repr,
)
def test_survives_json(cross):
    copy = CrossedField.from_dict(json.loads(json.dumps(cross.to_dict())))
    assert copy == cross
    assert hash(copy) == hash(cross)
    assert copy.vocabulary_size == cross.vocabulary_size


def test_crosses_that_differ_are_not_equal():
    crosses = [
        CrossedField(("user", "app"), COMBINATIONS),
        CrossedField(("user", "app"), COMBINATIONS[:2]),
        CrossedField(("app", "user"), COMBINATIONS),
        CrossedField(("user", "app"), hash_size=3),
    ]
    assert all((one == other) == (one is other) for one in crosses for other in crosses)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({}, "either combinations or hash_size"),
        ({"combinations": COMBINATIONS, "hash_size": 3}, "either combinations or hash_size"),
        ({"hash_size": 0}, "hash_size must be at least 1"),
        ({"combinations": [[1, 0]]}, "an id less than 1"),
        ({"combinations": [[1, 2], [1, 2]]}, "there twice"),
        ({"combinations": [[1, 2, 3]]}, r"shape \(n, 2\), got \(1, 3\)"),
    ],
)
def test_crossed_field_rejects_bad_arguments(arguments, message):
    with pytest.raises(ValueError, match=message):
        CrossedField(("user", "app"), **arguments)
