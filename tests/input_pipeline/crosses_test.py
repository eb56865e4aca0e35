import collections

import numpy as np
import pytest

from interhat_tf import Cross, CrossedField, Field, Schema
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
    return [{"categorical": rng.integers(0, sizes, (rows, 3))} for rows in (1, 40, 7, 60, 9)]


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
        ([("user", "app"), ("app", "user")], "there twice: app x user"),
        ([("user", "user")], "different fields"),
    ],
)
def test_bad_crosses_are_found_before_rows_are_read(crosses, message):
    with pytest.raises(ValueError, match=message):
        fit_crosses(iter(()), SCHEMA, crosses)


def test_too_many_possible_combinations():
    huge = Schema([Field(name, "categorical", 2**31 - 1) for name in "abc"])
    with pytest.raises(ValueError, match=r"a x b x c: .* give it a hash_size"):
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
