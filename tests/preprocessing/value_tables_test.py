"""Tests of tables of values: merged, split by value, written and read."""

import pathlib

import numpy as np
import pyarrow as pa
import pytest

from interhat_tf.preprocessing import value_tables
from interhat_tf.preprocessing.value_tables import (
    read_table,
    split_by_value,
    write_table,
)
from interhat_tf.preprocessing.vocabulary import (
    PARTS,
)
from tests.preprocessing.vocabulary_test import to_dict


def value_table(values):
    columns = {"value": pa.array(values, pa.string()), "train": np.arange(len(values))}
    return pa.table(columns)


def parts_of(table, parts=PARTS):
    """Returns the part of each value."""
    split = list(split_by_value(table, parts))
    assert len(split) == parts
    found = {value: number for number, part in enumerate(split) for value in to_dict(part)}
    assert sum(map(len, split)) == len(table) == len(found)
    counts = to_dict(table)
    assert all(to_dict(part).items() <= counts.items() for part in split)
    return found


VALUES = [
    "",
    "a",
    "b",
    "aa",
    "ab",
    "ba",
    "é",
    "e\u0301",
    "東京",
    "京東",
    "𝄞",
    "a b",
    "\n",
    "x" * 5000,
]


def test_part_depends_on_the_value_alone(rng):
    expected = parts_of(value_table(VALUES), 7)
    assert len(set(expected.values())) > 3
    shuffled = [VALUES[position] for position in rng.permutation(len(VALUES))]
    assert parts_of(value_table(shuffled), 7) == expected
    # Within a slice, whose buffers hold other values too, and over several chunks.
    table = value_table(["other é", *VALUES, "more"]).slice(1, len(VALUES))
    assert parts_of(table, 7) == expected
    chunks = [value_table(VALUES[:4]), value_table([]), value_table(VALUES).slice(4)]
    assert parts_of(pa.concat_tables(chunks), 7) == expected
    for value in VALUES:
        assert parts_of(value_table([value]), 7) == {value: expected[value]}


def test_part_does_not_depend_on_the_batches(monkeypatch):
    values = [f"v{number}" for number in range(1_000)]
    expected = parts_of(value_table(values))
    monkeypatch.setattr(value_tables, "HASH_ROWS", 7)
    assert parts_of(value_table(values)) == expected


@pytest.mark.parametrize("form", ["{}", "{:08x}", "{:020d}", "app{}", "{}é", "{0}{0}"])
def test_parts_are_balanced(form):
    table = value_table([form.format(number) for number in range(32_000)])
    sizes = [len(part) for part in split_by_value(table, PARTS)]
    np.testing.assert_allclose(sizes, 32_000 / PARTS, rtol=0.15)


@pytest.mark.parametrize(
    "table",
    [
        value_table([]),
        value_table(VALUES).slice(3, 0),
        pa.schema([("value", pa.string()), ("train", pa.int64())]).empty_table(),
    ],
)
def test_parts_of_no_values(table):
    assert [len(part) for part in split_by_value(table, 4)] == [0] * 4


def test_table_round_trip(tmp_path):
    tables = [value_table(VALUES), value_table(VALUES).slice(2, 5), value_table([])]
    for table in [*tables, pa.concat_tables(tables[:1] + tables[2:])]:
        write_table(tmp_path / "table.arrow", table)
        assert read_table(tmp_path / "table.arrow").equals(table)


def test_error_of_writing_names_the_file():
    if not pathlib.Path("/dev/full").exists():
        pytest.skip("there is no /dev/full")
    with pytest.raises(OSError, match=r"No space left on device: '/dev/full'$"):
        write_table(pathlib.Path("/dev/full"), value_table(VALUES))
