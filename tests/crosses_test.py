import json

import numpy as np
import pytest

from interhat_tf import Cross, CrossedField
from interhat_tf.click_counts import FOLDS, NUM_IDS, count_ids, count_text

COMBINATIONS = np.array([[4, 1], [2, 3], [2, 70_000]])
COUNTS = np.arange(3 * (FOLDS + 1) * 2).reshape(3, FOLDS + 1, 2)


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
        (("a", "b"), {"hash_size": 9, "click_counts": True}, "click_counts and hash_size do not"),
        (("a", "a"), {"click_counts": True}, "click counts may take one"),
    ],
)
def test_cross_rejects_bad_arguments(fields, options, message):
    with pytest.raises(ValueError, match=message):
        Cross(fields, **options)


def test_click_counts_may_be_of_one_field_and_of_one_row():
    assert Cross("user", click_counts=True).min_count == 1
    assert Cross(("user",), min_count=3, click_counts=True).fields == ("user",)


def test_counts_stay_with_their_combinations(rng):
    counts = rng.integers(0, 9, (3, FOLDS + 1, 2))
    cross = CrossedField(("user", "app"), COMBINATIONS, counts=counts)
    assert cross.combinations.tolist() == [[2, 3], [2, 70_000], [4, 1]]
    np.testing.assert_array_equal(cross.counts, counts[[1, 2, 0]])
    assert cross.name == "clicks of user x app"
    assert cross.vocabulary_size == NUM_IDS


def test_a_fold_sees_all_counts_but_its_own(rng):
    counts = rng.integers(0, 9, (3, FOLDS + 1, 2))
    counts[0] = 0
    counts[0, 2] = (1, 4)  # a click count of fold 2 alone
    ids = CrossedField(("user", "app"), [[1, 1], [1, 2], [3, 1]], counts=counts).count_ids()
    assert ids.shape == (3, FOLDS + 1)
    assert ids[0, 2] == 0
    assert (ids[0, [0, 1, 3, 4, FOLDS]] == count_ids(4, 1)).all()
    for fold in range(FOLDS):
        others = np.delete(counts, fold, axis=1).sum(axis=1)
        np.testing.assert_array_equal(ids[:, fold], count_ids(others[:, 1], others[:, 0]))
    np.testing.assert_array_equal(
        ids[:, -1], count_ids(counts.sum(axis=1)[:, 1], counts.sum(axis=1)[:, 0])
    )


def test_levels_of_counts_are_powers_of_two():
    numbers = [0, 1, 2, 3, 4, 7, 8, 15, 16, 31, 32, 63, 64, 10**9]
    assert count_ids(0, numbers).tolist() == [0, 1, 2, 2, 3, 3, 4, 4, 5, 5, 6, 6, 7, 7]
    assert count_ids(numbers, 0).tolist() == [8 * level for level in count_ids(0, numbers)]
    assert len({count_text(number) for number in range(NUM_IDS)}) == NUM_IDS
    assert count_text(count_ids(5, 1).item()) == "4-7 clicks, 1 other"


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
        CrossedField(("user", "app"), COMBINATIONS, counts=COUNTS),
        CrossedField(("user",), [[3], [1]], counts=COUNTS[:2]),
        CrossedField(("user", "app"), (), counts=COUNTS[:0]),
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
        CrossedField(("user", "app"), COMBINATIONS, counts=COUNTS),
        CrossedField(("user", "app"), COMBINATIONS, counts=COUNTS + 1),
    ]
    assert all((one == other) == (one is other) for one in crosses for other in crosses)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({}, "either combinations or hash_size"),
        ({"combinations": COMBINATIONS, "hash_size": 3}, "either combinations or hash_size"),
        ({"hash_size": 0}, "hash_size must be at least 1"),
        ({"combinations": [[1, 0]]}, "an id less than 1"),
        ({"combinations": [[1, 2], [1, 2]]}, "occurs twice"),
        ({"combinations": [[1, 2, 3]]}, r"shape \(n, 2\), got \(1, 3\)"),
        ({"combinations": [[1, 2]], "counts": COUNTS}, r"counts must be .* shape \(1, 6, 2\)"),
        ({"combinations": COMBINATIONS, "counts": -COUNTS}, "counts must be at least 0"),
    ],
)
def test_crossed_field_rejects_bad_arguments(arguments, message):
    with pytest.raises(ValueError, match=message):
        CrossedField(("user", "app"), **arguments)
