import collections

import numpy as np
import pytest

from interhat_tf import Cross, CrossedField, Field, Schema
from interhat_tf.click_counts import FOLDS
from interhat_tf.input_pipeline.crosses import count_combinations, fit_crosses

SCHEMA = Schema(
    [
        Field("user", "categorical", 9),
        Field("app", "categorical", 5),
        Field("day", "categorical", 3),
        Field("price", "numerical"),
    ]
)


@pytest.fixture
def batches(rng):
    sizes = SCHEMA.vocabulary_sizes
    return [
        {"categorical": rng.integers(0, sizes, (rows, 3)), "label": rng.integers(0, 2, rows)}
        for rows in (1, 40, 7, 60, 9)
    ]


@pytest.mark.parametrize("fields", [("user", "app"), ("app", "user"), ("day", "user", "app")])
def test_counts_equal_loops(batches, fields):
    columns = [SCHEMA.field_names.index(name) for name in fields]
    rows = [tuple(row[columns]) for batch in batches for row in batch["categorical"]]
    expected = collections.Counter(row for row in rows if 0 not in row)
    (found,) = count_combinations(batches, SCHEMA, [fields])
    assert found.combinations.tolist() == sorted(map(list, expected))
    assert dict(zip(map(tuple, found.combinations), found.rows, strict=True)) == expected


def test_only_frequent_combinations_have_ids(batches):
    (found,) = count_combinations(batches, SCHEMA, [("user", "app")])
    for min_count in (1, 2, 5):
        (cross,) = fit_crosses(batches, SCHEMA, [Cross(("user", "app"), min_count)])
        expected = found.combinations[found.rows >= min_count]
        assert cross == CrossedField(("user", "app"), expected)
    (cross,) = fit_crosses(batches, SCHEMA, [("user", "app")])
    assert cross.vocabulary_size == 1 + (found.rows >= 2).sum()


@pytest.mark.parametrize("fields", [("app",), ("user", "app"), ("day", "user", "app")])
@pytest.mark.parametrize("min_count", [1, 3])
def test_click_counts_equal_loops(batches, fields, min_count):
    columns = [SCHEMA.field_names.index(name) for name in fields]
    expected = collections.defaultdict(lambda: np.zeros((FOLDS + 1, 2), int))
    for batch in batches:
        rows = zip(batch["categorical"][:, columns].tolist(), batch["label"], strict=True)
        for number, (row, label) in enumerate(rows):
            if 0 not in row:
                expected[tuple(row)][number % FOLDS, label] += 1
    expected = {row: counts for row, counts in expected.items() if counts.sum() >= min_count}
    (cross,) = fit_crosses(batches, SCHEMA, [Cross(fields, min_count, click_counts=True)])
    assert cross.combinations.tolist() == sorted(map(list, expected))
    for row, counts in zip(cross.combinations.tolist(), cross.counts, strict=True):
        np.testing.assert_array_equal(counts, expected[tuple(row)])


def test_a_cross_and_its_click_counts_go_together(batches):
    asked = [
        ("user", "app"),
        Cross(("app", "user"), click_counts=True),
        Cross("app", 1, None, True),
    ]
    crosses = fit_crosses(batches, SCHEMA, asked)
    names = ["user x app", "clicks of app x user", "clicks of app"]
    assert [cross.name for cross in crosses] == names
    again = Cross(("user", "app"), click_counts=True)
    with pytest.raises(ValueError, match="given twice: clicks of user x app"):
        fit_crosses(iter(()), SCHEMA, [*asked, again])


def test_rows_are_not_read_for_a_hash():
    def unreadable():
        raise AssertionError("a row was read")
        yield

    crosses = fit_crosses(unreadable(), SCHEMA, [Cross(("user", "app"), hash_size=7)])
    assert crosses == [CrossedField(("user", "app"), hash_size=7)]
    assert fit_crosses(unreadable(), SCHEMA, []) == []


@pytest.mark.parametrize(
    ("crosses", "message"),
    [
        ([("user", "shop")], "no field 'shop'; the categorical ones are app, day, user"),
        ([("user", "price")], "'price' is numerical; make it categorical"),
        ([("user", "app"), ("app", "user")], "given twice: app x user"),
        ([("user", "user")], "different fields"),
    ],
)
def test_bad_crosses_are_found_before_rows_are_read(crosses, message):
    with pytest.raises(ValueError, match=message):
        fit_crosses(iter(()), SCHEMA, crosses)


def test_too_many_possible_combinations():
    huge = Schema([Field(name, "categorical", 2**31 - 1) for name in "abc"])
    with pytest.raises(ValueError, match=r"a x b x c: .* or give a hash_size"):
        count_combinations([], huge, [("a", "b", "c")])
    count_combinations([], huge, [("a", "b")])


def test_a_prepared_set_with_crosses_has_the_same_records(dataset):
    names = [field.name for field in dataset.schema.categorical]
    crossed = dataset.with_crosses([names[:2]])
    assert crossed.schema.crosses[0].fields == tuple(names[:2])
    assert not dataset.schema.crosses
    assert crossed.schema.record_fields == dataset.schema.fields
    for one, other in zip(
        crossed.evaluation_batches("validation", 64).as_numpy_iterator(),
        dataset.evaluation_batches("validation", 64).as_numpy_iterator(),
        strict=True,
    ):
        np.testing.assert_array_equal(one[0]["categorical"], other[0]["categorical"])
    train = [batch for batch, _ in dataset.evaluation_batches("train", 64).as_numpy_iterator()]
    assert list(crossed.schema.crosses) == fit_crosses(train, dataset.schema, [names[:2]])
    (counted,) = crossed.count_combinations([names[:2]])
    assert counted.rows.sum() <= dataset.num_rows("train")
    assert len(crossed.decode(train[0])[0]) == len(dataset.schema.fields)


@pytest.mark.parametrize("training", [True, False])
def test_a_training_record_never_sees_its_own_click(rule_data, training):
    data = rule_data.with_crosses([Cross(("f1", "f2", "f3"), click_counts=True)])
    (cross,) = data.schema.crosses
    batches = (
        data.training_batches(64, seed=3) if training else data.evaluation_batches("train", 64)
    )
    numbers = {tuple(row): i for i, row in enumerate(cross.combinations.tolist())}
    seen = np.zeros_like(cross.counts)
    for inputs, labels in batches.take(data.num_batches(64)).as_numpy_iterator():
        columns = inputs["categorical"][:, :3].tolist()
        for row, fold, label in zip(columns, inputs["fold"], labels, strict=True):
            seen[numbers[tuple(row)], fold, int(label)] += 1
    # A record counts in its own fold, which is the one that its id leaves out.
    np.testing.assert_array_equal(seen, cross.counts)
    assert "fold" not in next(iter(data.evaluation_batches("validation", 8)))[0]
