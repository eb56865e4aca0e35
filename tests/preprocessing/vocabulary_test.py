"""Tests of the counts, against Python's own `Counter`."""

import collections

import numpy as np
import pyarrow as pa
import pytest

from interhat_tf.preprocessing import vocabulary
from interhat_tf.preprocessing.fields import Bucketed, Categorical, Multivalued, Numerical
from interhat_tf.preprocessing.rows import Rows
from interhat_tf.preprocessing.value_tables import (
    merge_tables,
    read_table,
)
from interhat_tf.preprocessing.vocabulary import (
    PARTS,
    Counts,
    CountStore,
    count_rows,
    select_values,
    statistics,
)
from tests.preprocessing.logs import TEST, TRAIN, make_rows

FIELDS = [
    Categorical("app"),
    Bucketed("age", 10),
    Categorical("city", min_count=3),
    Numerical("price"),
]


@pytest.fixture(scope="module")
def log():
    """A chunk of 5,000 rows: many apps, few cities, some of both missing in both ways."""
    rng = np.random.default_rng(0)
    apps = [f"app é {number}" for number in rng.geometric(1e-3, 4_990)]
    cities = [f"{'東京' * (number % 5)}{number}" for number in rng.geometric(0.05, 4_990)]
    ages = rng.integers(10, 80, 4_990).astype(float)
    columns = {
        "app": [None] * 5 + [""] * 5 + apps,
        "city": cities + [None] * 3 + [""] * 7,
        "age": pa.array([None] * 10 + list(ages)),
        "price": pa.array(list(rng.normal(size=4_990)) + [None] * 10),
    }
    return make_rows(columns, rng.choice(3, 5_000, p=[0.8, 0.1, 0.1]), rng.integers(0, 2, 5_000))


def cut(chunk, ends):
    """Returns the chunk in parts, the last one up to the last of `ends`."""
    return [
        Rows(
            chunk.values.slice(start, end - start),
            chunk.labels[start:end],
            chunk.splits[start:end],
            "log.csv",
        )
        for start, end in zip([0, *ends], ends, strict=False)
    ]


def stored(chunks, folder=None, fields=FIELDS):
    """Returns the totals and the `ValueCounts` of the chunks."""
    store = CountStore(fields, folder)
    for chunk in chunks:
        store.add(count_rows(chunk, fields))
    return store.totals, store.value_counts()


def expected_counts(chunk, name):
    """Returns all values of a field as text and their training rows."""
    texts = ["" if value is None else value for value in chunk.values[name].to_pylist()]
    train = collections.Counter(t for t, s in zip(texts, chunk.splits, strict=True) if s == TRAIN)
    return {text: train[text] for text in texts}


def to_dict(table):
    """Returns a table of counts as a dictionary, in which no value may be twice."""
    assert table.schema == pa.schema([("value", pa.string()), ("train", pa.int64())])
    counts = dict(zip(*table.to_pydict().values(), strict=True))
    assert len(counts) == len(table)
    return counts


def assert_same(counts, other):
    (totals, values), (other_totals, other_values) = counts, other
    assert totals.ranges == other_totals.ranges
    np.testing.assert_array_equal(totals.rows, other_totals.rows)
    np.testing.assert_array_equal(totals.positives, other_totals.positives)
    assert values.keys() == other_values.keys()
    for field in FIELDS[:3]:
        one, two = values[field.name], other_values[field.name]
        assert one.distinct == two.distinct
        assert to_dict(one.table) == to_dict(two.table)
        if isinstance(field, Categorical):
            assert one.by_frequency().equals(two.by_frequency())
        else:
            ours, others = one.in_training().to_pylist(), two.in_training().to_pylist()
            assert set(ours) == set(others)
    assert statistics(totals, values, FIELDS) == statistics(other_totals, other_values, FIELDS)


def test_counts_of_a_chunk(log):
    counts = count_rows(log, FIELDS)
    assert counts.values.keys() == {"app", "city", "age"}
    for name in ("app", "city"):
        assert to_dict(counts.values[name]) == expected_counts(log, name)
    train = log.splits == TRAIN
    prices = [p for p, t in zip(log.values["price"].to_pylist(), train, strict=True) if t]
    prices = [price for price in prices if price is not None]
    assert counts.ranges["price"] == (min(prices), max(prices))
    assert counts.ranges.keys() == {"age", "price"}
    assert counts.rows.tolist() == [(log.splits == split).sum() for split in range(3)]
    positives = [log.labels[log.splits == split].sum() for split in range(3)]
    assert counts.positives.tolist() == positives


def test_range_is_of_training_rows_alone():
    chunk = make_rows({"price": [5.0, -100.0, 3.0, None, 200.0]}, [TRAIN, TEST, TRAIN, TRAIN, 1])
    assert count_rows(chunk, [Numerical("price")]).ranges == {"price": (3.0, 5.0)}


def test_lengths_and_missing_numbers_are_of_all_training_rows():
    fields = [Multivalued("tags"), Numerical("age", may_be_missing=True)]
    columns = {"tags": [["a"] * 3, ["a"], ["a"] * 9], "age": pa.array([None, None, 7.0])}
    chunk = make_rows(columns, [TRAIN, TRAIN, TEST])
    for ends in ([3], [1, 2, 3]):
        totals, _ = stored(cut(chunk, ends), fields=fields)
        assert (totals.longest, totals.missing) == ({"tags": 3}, {"age": 2})


def test_null_and_the_empty_string_are_one_value():
    for values in ([None, "", "a", ""], ["", None, "a", None]):
        chunk = make_rows({"app": values}, [TRAIN, TRAIN, TRAIN, TEST])
        table = count_rows(chunk, [Categorical("app")]).values["app"]
        assert to_dict(table) == {"": 2, "a": 1}
    # Also in two chunks, one of which has only nulls and the other only empty strings.
    chunks = [make_rows({"app": pa.array(v, pa.string())}) for v in ([None], [""], [None])]
    _, values = stored(chunks, fields=[Categorical("app")])
    assert to_dict(values["app"].table) == {"": 3}
    assert values["app"].distinct == 1


@pytest.mark.parametrize("dtype", [pa.string(), pa.dictionary(pa.int32(), pa.string())])
def test_counts_are_of_the_rows_of_a_slice(dtype):
    column = pa.array(["a", "b", None, "c", "b"]).cast(dtype)
    table = pa.table({"app": pa.chunked_array([column, column])}).slice(3, 3)
    chunk = Rows(table, np.zeros(3, np.uint8), np.array([TRAIN, TRAIN, TEST]), "log.csv")
    counts = count_rows(chunk, [Categorical("app")])
    assert to_dict(counts.values["app"]) == {"c": 1, "b": 1, "a": 0}


def test_chunk_without_rows(log):
    empty = count_rows(cut(log, [0])[0], FIELDS)
    assert empty.ranges == dict.fromkeys(("age", "price"), (np.inf, -np.inf))
    assert empty.rows.tolist() == empty.positives.tolist() == [0, 0, 0]
    assert [len(table) for table in empty.values.values()] == [0, 0, 0]
    assert_same(stored(cut(log, [0, 2_000, 2_000, 5_000])), stored([log]))


@pytest.mark.parametrize("field", [Numerical("price"), Bucketed("price", 10)])
@pytest.mark.parametrize("number", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("split", [TRAIN, TEST])
def test_number_that_is_not_finite(field, number, split):
    prices = pa.array([None, number, 2.0, np.nan], from_pandas=False)
    chunk = make_rows({"price": prices}, [split] * 4, first_line=40)
    message = (
        rf"^log\.csv:41: price is {number}; a number must be finite, "
        r"leave it empty where it is missing$"
    )
    with pytest.raises(ValueError, match=message):
        count_rows(chunk, [field])


@pytest.mark.parametrize("size", [1, 7, 333, 4_999])
def test_counts_do_not_depend_on_the_chunks(log, size):
    rows = min(5_000, 300 * size)
    whole = cut(log, [rows])
    parts = cut(log, [*range(size, rows, size), rows])
    assert len(parts) == -(-rows // size) > 1
    assert_same(stored(parts), stored(whole))
    assert_same(stored(parts[::-1]), stored(whole))


def test_adding_leaves_the_counts_of_a_chunk(log):
    one, other = (count_rows(part, FIELDS) for part in cut(log, [100, 5_000]))
    ranges, rows = dict(one.ranges), one.rows.tolist()
    store = CountStore(FIELDS, None)
    store.add(one)
    store.add(other)
    assert one.ranges == ranges
    assert one.rows.tolist() == rows
    assert store.totals.ranges != ranges


def test_rare_values_are_dropped_but_counted(log):
    _, values = stored(cut(log, [*range(100, 5_000, 100), 5_000]))
    counts = expected_counts(log, "city")
    assert values["city"].distinct == len(counts)
    frequent = {value: count for value, count in counts.items() if count >= 3}
    assert 0 < len(frequent) < len(counts)
    assert to_dict(values["city"].table) == frequent
    in_training = {value: count for value, count in expected_counts(log, "app").items() if count}
    assert to_dict(values["app"].table) == in_training
    assert values["app"].distinct > len(in_training)


def test_all_numbers_of_a_bucketed_field_are_kept():
    tables = [pa.table({"value": ["1", "", "7"], "train": [0, 2, 1]})]
    counts = select_values(Bucketed("age", 10), iter(tables))
    assert to_dict(counts.table) == {"1": 0, "": 2, "7": 1}
    assert counts.distinct == 3
    assert counts.in_training().to_pylist() == [None, "7"]


@pytest.mark.parametrize("limit", [0, 1, 50, 600, 3_000])
def test_values_that_do_not_fit_into_memory(log, tmp_path, monkeypatch, limit):
    chunks = cut(log, [*range(500, 5_000, 500), 5_000])
    in_memory = stored(chunks)
    monkeypatch.setattr(vocabulary, "MEMORY_VALUES", limit)
    store = CountStore(FIELDS, tmp_path / "counts")
    held = []
    for chunk in chunks:
        store.add(count_rows(chunk, FIELDS))
        held.append(sum(len(table) for tables in store._tables.values() for table in tables))
    assert max(held) <= limit
    fields = {path.name.split("-")[0] for path in (tmp_path / "counts").iterdir()}
    if limit == 0:
        assert fields == {"0", "1", "2"}
    if limit >= 600:  # app, the field with the most values, goes first
        assert fields == {"0"}
    assert_same((store.totals, store.value_counts()), in_memory)
    # A second time as well: the files are still there.
    assert_same((store.totals, store.value_counts()), in_memory)


def test_a_part_at_a_time_is_read_from_files(log, tmp_path, monkeypatch):
    monkeypatch.setattr(vocabulary, "MEMORY_VALUES", 200)
    read = []
    monkeypatch.setattr(
        vocabulary, "read_table", lambda path: read.append(path) or read_table(path)
    )
    store = CountStore(FIELDS, tmp_path / "counts")
    for chunk in cut(log, [*range(500, 5_000, 500), 5_000]):
        store.add(count_rows(chunk, FIELDS))
    distinct = len(expected_counts(log, "app"))
    sizes = []
    for table in store._parts(FIELDS[0]):
        sizes.append(len(table))
        assert {path.name.split("-")[1] for path in read} == {str(len(sizes) - 1)}
        read.clear()
    assert sum(sizes) == distinct
    assert len(sizes) == PARTS
    assert max(sizes) < 2 * distinct / PARTS


def test_no_files_where_memory_does(log, tmp_path):
    stored(cut(log, [2_500, 5_000]), tmp_path / "counts")
    assert not (tmp_path / "counts").exists()


def test_names_of_fields_need_not_be_fit_for_files(tmp_path, monkeypatch):
    monkeypatch.setattr(vocabulary, "MEMORY_VALUES", 0)
    fields = [Categorical("a/../b"), Categorical("a\0")]
    chunk = make_rows({field.name: ["x", "y"] for field in fields})
    _, values = stored([chunk] * 2, tmp_path / "counts", fields)
    for field in fields:
        assert to_dict(values[field.name].table) == {"x": 2, "y": 2}


def test_field_of_many_values_is_not_merged_at_each_chunk(monkeypatch):
    merged = []
    monkeypatch.setattr(
        vocabulary,
        "merge_tables",
        lambda tables: merged.append(len(tables)) or merge_tables(tables),
    )
    store = CountStore([Categorical("app")], None)
    values = {"app": pa.table({"value": ["x"], "train": [1]})}
    first = {"app": pa.table({"value": [str(n) for n in range(1_000)], "train": [1] * 1_000})}
    for number in range(1_500):
        zeros = np.zeros(3, int)
        store.add(Counts(values if number else first, {}, zeros, zeros))
    assert merged == [1_002]
    assert to_dict(store.value_counts()["app"].table)["x"] == 1_499


def test_statistics(log):
    totals, values = stored(cut(log, [*range(1_000, 5_000, 1_000), 5_000]))
    train = log.splits == TRAIN
    ages = log.values["age"].to_pylist()
    known = [age for age, t in zip(ages, train, strict=True) if t and age is not None]
    low, high = min(known), max(known)
    buckets = {
        None if age is None else int(min(max((age - low) / (high - low), 0), 1) * 10)
        for age in ages
    }
    features = {
        "app": len(expected_counts(log, "app")),
        "age": len(buckets),
        "city": len(expected_counts(log, "city")),
        "price": 1,
    }
    assert features["age"] == 12  # ten, the maximum's and the missing one
    assert statistics(totals, values, FIELDS) == {
        "categorical_fields": 2,
        "numerical_fields": 2,
        "records": 5_000,
        "distinct_features": sum(features.values()),
        "features": features,
        "splits": {
            split: {
                "rows": int((log.splits == number).sum()),
                "positives": int(log.labels[log.splits == number].sum()),
            }
            for number, split in enumerate(("train", "validation", "test"))
        },
    }


def test_statistics_count_the_buckets_of_all_rows():
    # Of width 10; no training row is in the third or has no age, and -5 and 500 are clipped.
    ages = [0, 5, 100, 25, 29, None, -5, 500, 95]
    chunk = make_rows({"age": ages}, [TRAIN] * 3 + [TEST] * 6)
    fields = [Bucketed("age", 10)]
    totals, values = stored(cut(chunk, [4, 9]), fields=fields)
    figures = statistics(totals, values, fields)
    assert figures["features"] == {"age": 5}  # missing, 0 to 10, 20 to 30, 90 to 100, 100
    assert (figures["categorical_fields"], figures["numerical_fields"]) == (0, 1)
