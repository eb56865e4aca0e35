"""Tests of what raw values become, against plain Python and NumPy."""

import collections
import json
import math

import numpy as np
import pyarrow as pa
import pytest

from interhat_tf.preprocessing.encoding import Encoding, encode_rows, encode_values, row_dtype
from interhat_tf.preprocessing.fields import (
    Bucketed,
    Categorical,
    Multivalued,
    Numerical,
    Sequential,
)
from interhat_tf.preprocessing.rows import Rows
from interhat_tf.preprocessing.vocabulary import CountStore, count_rows, statistics
from interhat_tf.schema import Field
from tests.preprocessing.logs import TEST, TRAIN, make_rows


def fit(fields, chunk):
    store = CountStore(fields, None)
    store.add(count_rows(chunk, fields))
    return Encoding.fit(
        fields, store.value_counts(), store.totals.ranges, longest=store.totals.longest
    )


def encode(field, train, other=()):
    """Returns a field's encoding, fitted on training rows, and all rows' ids or numbers."""
    splits = [TRAIN] * len(train) + [TEST] * len(other)
    chunk = make_rows({field.name: pa.array([*train, *other])}, splits)
    encoding = fit([field], chunk)
    rows = encode_rows(chunk, encoding)
    kind = "numerical" if isinstance(field, Numerical) else "categorical"
    return encoding, rows[kind][:, 0]


def test_ids_by_frequency_then_bytes():
    # é is two bytes that start higher than any of ASCII, 𝄞 four that start higher still.
    values = ["b"] * 3 + ["a"] * 2 + ["B"] * 2 + ["é"] * 2 + ["z"] * 2 + ["𝄞"] * 2 + ["10", "9"]
    encoding, ids = encode(Categorical("app"), values)
    expected = ["b", "B", "a", "z", "é", "𝄞", "10", "9"]
    assert encoding.vocabularies["app"].to_pylist() == expected
    assert ids.dtype == np.int32
    np.testing.assert_array_equal(ids, [1 + expected.index(value) for value in values])


@pytest.mark.parametrize("min_count", [1, 3, 8])
def test_ids_of_many_random_values(rng, min_count):
    values = [f"v{number}" for number in rng.geometric(0.02, 5_000)]
    splits = rng.integers(0, 3, 5_000)
    counts = collections.Counter(v for v, s in zip(values, splits, strict=True) if s == TRAIN)
    kept = [value for value in counts if counts[value] >= min_count]
    expected = sorted(kept, key=lambda value: (-counts[value], value.encode()))
    chunk = make_rows({"app": values}, splits)
    encoding = fit([Categorical("app", min_count)], chunk)
    assert encoding.vocabularies["app"].to_pylist() == expected
    ids = {value: number for number, value in enumerate(expected, start=1)}
    np.testing.assert_array_equal(
        encode_rows(chunk, encoding)["categorical"][:, 0], [ids.get(v, 0) for v in values]
    )


@pytest.mark.parametrize(("min_count", "id"), [(0, 1), (2, 1), (3, 1), (4, 0)])
def test_min_count_is_the_least_that_is_kept(min_count, id):
    # Three training rows; a fourth row is no training row.
    encoding, ids = encode(Categorical("app", min_count), ["x"] * 3, ["x"])
    assert len(encoding.vocabularies["app"]) == id
    np.testing.assert_array_equal(ids, [id] * 4)


def test_values_of_other_splits_alone_are_out_of_vocabulary():
    encoding, ids = encode(Categorical("app", 0), ["a", "b"], ["c", "a", "A", " a"])
    assert encoding.vocabularies["app"].to_pylist() == ["a", "b"]
    np.testing.assert_array_equal(ids, [1, 2, 0, 1, 0, 0])


def test_missing_is_the_empty_string():
    encoding, ids = encode(Categorical("app"), [None, "", "a"], [None, ""])
    assert encoding.vocabularies["app"].to_pylist() == ["", "a"]
    np.testing.assert_array_equal(ids, [1, 1, 2, 1, 1])


def test_missing_in_other_splits_alone_is_out_of_vocabulary():
    np.testing.assert_array_equal(encode(Categorical("app"), ["a"], [None, ""])[1], [1, 0, 0])


@pytest.mark.parametrize(
    "column",
    [
        pa.array([7, None, 7, 12]),
        pa.array(["7", None, "7", "12"]).dictionary_encode(),
        pa.array(["7", None, "7", "12"], pa.large_string()),
        pa.array(["x", "7", None, "7", "12"]).slice(1),
        pa.chunked_array([["7", None], [], ["7", "12"]], pa.string()),
    ],
    ids=["numbers", "dictionary", "large", "slice", "chunks"],
)
def test_categories_of_other_types(column):
    chunk = make_rows({"app": column})
    encoding = fit([Categorical("app")], chunk)
    assert encoding.vocabularies["app"].to_pylist() == ["7", "", "12"]
    np.testing.assert_array_equal(encode_rows(chunk, encoding)["categorical"][:, 0], [1, 2, 1, 3])


def test_field_without_any_value():
    fields = [Categorical("app"), Bucketed("age", 4), Numerical("price")]
    chunk = make_rows({name: pa.nulls(2) for name in ("app", "age", "price")})
    encoding = fit(fields, chunk)
    assert [ids.to_pylist() for ids in encoding.vocabularies.values()] == [[""], [""]]
    rows = encode_values(pa.table({"app": ["", "a"], "age": [None, 3], "price": [2, 3]}), encoding)
    np.testing.assert_array_equal(rows["categorical"], [[1, 0], [1, 0]])
    np.testing.assert_array_equal(rows["numerical"], [[0, 0]])


def test_numbers_are_scaled_and_clipped(rng):
    train = rng.normal(-3, 10, 1_000).tolist()
    other = [*rng.normal(-3, 30, 1_000).tolist(), 1e99, -1e99]
    encoding, numbers = encode(Numerical("price"), train, other)
    low, high = min(train), max(train)
    assert low < 0 < high
    assert encoding.ranges["price"] == (low, high)
    expected = [min(max((value - low) / (high - low), 0), 1) for value in [*train, *other]]
    assert numbers.dtype == np.float32
    np.testing.assert_array_equal(numbers, np.array(expected, np.float32))
    assert {0, 1} <= set(numbers[:1_000])  # the training rows' own minimum and maximum
    assert {0, 1} <= set(numbers[1_000:])


def test_missing_numbers_are_zero_and_no_minimum():
    _, numbers = encode(Numerical("price"), [None, 10, 30, None, 20], [None, 5])
    np.testing.assert_array_equal(numbers, [0, 0, 1, 0, 0.5, 0, 0])
    # Zero is within the range here, but missing is the scaled zero.
    _, numbers = encode(Numerical("price"), [-10, None, 10])
    np.testing.assert_array_equal(numbers, [0, 0, 1])


def test_constant_number_is_zero():
    _, numbers = encode(Numerical("price"), [7.0, 7.0, None], [6.0, 8.0])
    np.testing.assert_array_equal(numbers, [0] * 5)


def test_large_whole_numbers():
    # Beyond 2^53, where not every whole number is a float64.
    train, other = [-(2**62), 2**62 + 1], [2**63 - 1, -(2**63), 0]
    for field in (Numerical("price"), Bucketed("price", 2)):
        _, encoded = encode(field, train, other)
        expected = [0, 1, 1, 0, 0.5] if isinstance(field, Numerical) else [1, 2, 2, 1, 0]
        np.testing.assert_array_equal(encoded, expected)


@pytest.mark.parametrize("buckets", [1, 7, 1000])
def test_buckets_as_in_the_released_code(rng, buckets):
    """There, floor(v * buckets) of the scaled v: the maximum alone is in the last one."""
    train = [None, *rng.lognormal(3, 2, 2_000).tolist()]
    other = [None, *rng.lognormal(3, 2.5, 2_000).tolist(), -1e99, 1e99]
    encoding, ids = encode(Bucketed("age", buckets), train, other)
    low, high = min(train[1:]), max(train[1:])

    def bucket(value):
        if value is None:
            return -1
        return math.floor(min(max((value - low) / (high - low), 0), 1) * buckets)

    seen = sorted({bucket(value) for value in train})
    assert seen[0] == -1
    assert seen[-1] == buckets
    assert [value for value in train if bucket(value) == buckets] == [high]
    assert buckets < 1000 or len(seen) < 500  # a long tail leaves buckets without rows
    assert encoding.buckets["age"].tolist() == seen
    assert len(encoding.vocabularies["age"]) == len(seen)
    expected = {number: id for id, number in enumerate(seen, start=1)}
    values = [*train, *other]
    np.testing.assert_array_equal(ids, [expected.get(bucket(value), 0) for value in values])
    assert (ids[: len(train)] > 0).all()
    assert ids[len(train)] == ids[0] == 1  # missing
    assert ids[-2] == 2  # below the training rows' minimum
    assert ids[-1] == len(seen)  # above their maximum


def test_bucket_edges_and_names():
    # Of width 12.5; none of the training rows is in that from 25 on.
    train = [0, 100, 50, 12.4999, 12.5, 99, None]
    encoding, ids = encode(Bucketed("age", 8), train, [30, 100.1, -1, 49.9, 62.4])
    names = ["", "0 to 12.5", "12.5 to 25", "50 to 62.5", "87.5 to 100", "100"]
    assert encoding.vocabularies["age"].to_pylist() == names
    np.testing.assert_array_equal(ids, [2, 6, 4, 2, 3, 5, 1, 0, 6, 2, 0, 4])
    assert encoding.schema().fields == (Field("age", "categorical", 7),)


def test_missing_bucket_that_training_rows_lack():
    encoding, ids = encode(Bucketed("age", 2), [0, 10], [None, 2])
    assert encoding.vocabularies["age"].to_pylist() == ["0 to 5", "10"]
    np.testing.assert_array_equal(ids, [1, 2, 0, 1])


def test_constant_field_has_one_bucket():
    encoding, ids = encode(Bucketed("age", 10), [7, None, 7], [6, 8])
    assert encoding.vocabularies["age"].to_pylist() == ["", "7"]
    np.testing.assert_array_equal(ids, [2, 1, 2, 2, 2])


def test_names_of_buckets_far_from_zero_differ():
    start = 1_400_000_000
    encoding, _ = encode(Bucketed("time", 1000), list(range(start, start + 86_401, 60)))
    names = encoding.vocabularies["time"].to_pylist()
    assert len(set(names)) == len(names) == 1001
    low, high = map(float, names[500].split(" to "))
    assert low == pytest.approx(start + 43_200, abs=1)
    assert high == pytest.approx(start + 43_286.4, abs=1)


def test_numbers_of_the_counts_are_those_of_the_rows(rng):
    """Counts hold numbers as text, which has to lead to the same buckets."""
    train = (rng.integers(0, 1_000, 3_000) / 7 * 10.0 ** rng.integers(-12, 12, 3_000)).tolist()
    train += [value / 1000 * max(train) for value in range(1000)]  # at the edges
    _, ids = encode(Bucketed("age", 1000), train)
    assert (ids > 0).all()


def example():
    fields = [
        Numerical("price"),
        Categorical("app", min_count=2),
        Bucketed("age", 10),
        Categorical("città"),
        Numerical("constant"),
        Bucketed("tail", 100),
    ]
    rng = np.random.default_rng(0)
    chunk = make_rows(
        {
            # Not in the order of the fields, and with a column that is none.
            "tail": [None if v > 50 else v for v in rng.lognormal(1, 2, 200)],
            "other": ["x"] * 200,
            "app": [None, *(f"app{number}" for number in rng.geometric(0.1, 199))],
            "age": rng.integers(0, 90, 200),
            "città": ["Köln", "東京", 'a "b"\n', ""] * 50,
            "price": [None, *rng.normal(0, 1 / 3, 199)],
            "constant": [0.1] * 200,
        },
        splits=rng.integers(0, 3, 200),
        labels=rng.integers(0, 2, 200),
    )
    return fields, chunk


def test_rows_and_schema_of_every_kind():
    fields, chunk = example()
    encoding = fit(fields, chunk)
    rows = encode_rows(chunk, encoding)
    assert rows.dtype == row_dtype(fields)
    assert rows.dtype == np.dtype(
        [("categorical", np.int32, (4,)), ("numerical", np.float32, (2,)), ("label", np.uint8)]
    )
    np.testing.assert_array_equal(rows["label"], chunk.labels)
    schema = encoding.schema()
    assert schema.field_names == ("app", "age", "città", "tail", "price", "constant")
    schema.check({"categorical": rows["categorical"], "numerical": rows["numerical"]})
    # A column is that of the field encoded alone.
    for position, name in enumerate(schema.field_names):
        field = next(field for field in fields if field.name == name)
        alone = encode_rows(chunk, fit([field], chunk))
        kind, position = ("categorical", position) if position < 4 else ("numerical", position - 4)
        np.testing.assert_array_equal(rows[kind][:, position], alone[kind][:, 0])
        assert alone.dtype.names == (kind, "label")


def test_encoding_does_not_depend_on_the_chunks():
    fields, chunk = example()
    encoding = fit(fields, chunk)
    whole = encode_values(chunk.values, encoding)
    for kind, columns in whole.items():
        parts = [
            encode_values(chunk.values.slice(start, 33), encoding)[kind]
            for start in range(0, 200, 33)
        ]
        np.testing.assert_array_equal(np.concatenate(parts, axis=1), columns)
    empty = encode_values(chunk.values.slice(0, 0), encoding)
    assert {kind: columns.shape for kind, columns in empty.items()} == {
        "categorical": (4, 0),
        "numerical": (2, 0),
    }


def test_dictionary_round_trip():
    fields, chunk = example()
    encoding = fit(fields, chunk)
    again = Encoding.from_dict(json.loads(json.dumps(encoding.to_dict())))
    assert again.fields == encoding.fields
    assert again.ranges == encoding.ranges
    assert again.schema() == encoding.schema()
    assert again.to_dict() == encoding.to_dict()
    other = example()[1].values.slice(50)
    for values in (chunk.values, other):
        one, two = encode_values(values, encoding), encode_values(values, again)
        np.testing.assert_array_equal(one["categorical"], two["categorical"])
        np.testing.assert_array_equal(one["numerical"], two["numerical"])


def test_dictionary_round_trip_without_values():
    fields = [Categorical("app", 5), Bucketed("age", 3), Numerical("price")]
    values = {"app": ["a"], "age": pa.nulls(1), "price": pa.nulls(1)}
    encoding = fit(fields, make_rows(values))
    again = Encoding.from_dict(json.loads(json.dumps(encoding.to_dict())))
    assert again.to_dict() == encoding.to_dict()
    table = pa.table({"app": ["a"], "age": [3], "price": [4]})
    for kind, columns in encode_values(table, again).items():
        np.testing.assert_array_equal(columns, encode_values(table, encoding)[kind])


def test_a_missing_number_is_a_state_of_its_own():
    rows = make_rows({"n": pa.array([2.0, None, 6.0]), "m": pa.array([2.0, None, 6.0])})
    fields = [Numerical("n", may_be_missing=True), Numerical("m")]
    encoding = fit(fields, rows)
    again = Encoding.from_dict(json.loads(json.dumps(encoding.to_dict())))
    assert again.fields == tuple(fields)
    expected = [[0, 0], [np.nan, 0], [1, 1]]
    np.testing.assert_array_equal(encode_rows(rows, again)["numerical"], expected)
    assert [field.may_be_missing for field in again.schema().numerical] == [True, False]


def test_numbers_that_no_training_row_has_are_json():
    rows = Rows(
        pa.table({"n": pa.array([None, 5.0]), "b": pa.array([None, 5.0])}),
        np.zeros(2, np.uint8),
        np.array([TRAIN, TEST], np.int8),
        "log.csv",
    )
    fields = [Numerical("n"), Bucketed("b", 10)]
    encoding = fit(fields, rows)
    text = json.dumps(encoding.to_dict(), allow_nan=False)
    encoded = encode_rows(rows, Encoding.from_dict(json.loads(text)))
    np.testing.assert_array_equal(encoded["numerical"], [[0], [0]])
    # Missing is the only bucket that training rows have.
    np.testing.assert_array_equal(encoded["categorical"], [[1], [0]])


HISTORIES = [["a", "b"], [], ["x", "c", "b", "a"], ["b"]]
MOVIES = ["b", "a", "b", "c"]


def encode_histories(field, movie=None, splits=(TRAIN,) * 4):
    """Encodes a history in front of a bag of genres and of the movie that it is of."""
    fields = [field, Multivalued("genres"), movie or Categorical("movie")]
    genres = [["g"], ["g", "h"], [""], ["h"]]
    columns = {"history": HISTORIES, "genres": genres, "movie": MOVIES}
    chunk = make_rows({name: pa.array(values) for name, values in columns.items()}, splits)
    encoding = Encoding.from_dict(json.loads(json.dumps(fit(fields, chunk).to_dict())))
    return encoding, encode_rows(chunk, encoding)


def test_a_history_has_the_ids_of_what_it_is_of():
    encoding, rows = encode_histories(Sequential("history", shares="movie"))
    assert {k: v.to_pylist() for k, v in encoding.vocabularies.items()} == {
        "genres": ["g", "h", ""],
        "movie": ["b", "a", "c"],
    }
    schema = encoding.schema()
    assert schema.field_names == ("movie", "genres", "history")
    assert schema.sequences == (Field("history", "sequence", 4, max_length=4, shares="movie"),)
    # Behind the bag; a value that is in histories alone is unknown.
    assert rows["multivalued"].tolist() == [
        [1, -1, 2, 1, -1, -1],
        [1, 2, -1, -1, -1, -1],
        [3, -1, 0, 3, 1, 2],
        [2, -1, 1, -1, -1, -1],
    ]
    for row in rows:
        schema.check({kind: row[kind][None] for kind in ("categorical", "multivalued")})


def test_the_latest_values_of_a_history_are_kept_and_of_a_bag_the_first():
    _, rows = encode_histories(Sequential("history", max_length=2, shares="movie"))
    assert rows["multivalued"][:, 2:].tolist() == [[2, 1], [-1, -1], [1, 2], [1, -1]]
    encoding = encode_histories(Multivalued("history", max_length=2))[0]
    rows = encode_values(
        pa.table({"history": HISTORIES, "genres": [["g"]] * 4, "movie": MOVIES}), encoding
    )
    vocabulary = encoding.vocabularies["history"].to_pylist()
    assert rows["multivalued"][:2, 2].tolist() == [1 + vocabulary.index(v) for v in ("x", "c")]


def test_a_history_is_no_longer_than_those_of_training_rows():
    encoding, rows = encode_histories(
        Sequential("history", shares="movie"), splits=(TRAIN, TRAIN, TEST, TRAIN)
    )
    assert encoding.lengths["history"] == 2
    assert rows["multivalued"][2, 2:].tolist() == [2, 1]  # b and a, which is the first of equals


def test_a_history_may_have_a_vocabulary_of_its_own():
    encoding, rows = encode_histories(Sequential("history", min_count=2))
    assert encoding.vocabularies["history"].to_pylist() == ["b", "a"]
    assert encoding.schema().sequences == (Field("history", "sequence", 3, max_length=4),)
    assert rows["multivalued"][2, 2:].tolist() == [0, 0, 1, 2]


def test_a_history_of_hashed_values_has_their_hash():
    movie = Categorical("movie", hash_size=5)
    encoding, rows = encode_histories(Sequential("history", shares="movie"), movie)
    (history,) = encoding.schema().sequences
    assert history.hash_size == 5
    movies = dict(zip(MOVIES, rows["categorical"][:, 0].tolist(), strict=True))
    assert rows["multivalued"][0, 2:4].tolist() == [movies["a"], movies["b"]]


def test_a_shared_vocabulary_is_counted_once():
    fields = [Categorical("movie"), Sequential("history", shares="movie")]
    chunk = make_rows({"movie": MOVIES, "history": pa.array(HISTORIES)}, [TRAIN] * 4)
    store = CountStore(fields, None)
    store.add(count_rows(chunk, fields))
    values = store.value_counts()
    assert list(values) == ["movie"] and values["movie"].distinct == 3
    counted = statistics(store.totals, values, fields)
    assert counted["features"] == {"movie": 3} and counted["distinct_features"] == 3
    assert counted["categorical_fields"] == 2
