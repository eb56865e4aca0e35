"""What values the fields of a click log take, and how often in the training rows.

`count_rows` counts a chunk's rows; a `CountStore` adds counts up in bounded
memory. On a cluster the tables of values are merged by many workers, each of
them with a part of the values (`value_tables.split_by_value`).
"""

import dataclasses
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from etils import epath

from interhat_tf.errors import DataError
from interhat_tf.preprocessing.checks import FINITE
from interhat_tf.preprocessing.fields import (
    Bucketed,
    Categorical,
    Column,
    Multivalued,
    Numerical,
    QuantileBuckets,
    RawField,
    as_categories,
    as_numbers,
    as_text,
    bucket_of,
    is_counted,
    needs_sample,
)
from interhat_tf.preprocessing.rows import SPLITS, Rows
from interhat_tf.preprocessing.scaling import NumberSample
from interhat_tf.preprocessing.value_tables import (
    merge_tables,
    read_table,
    split_by_value,
    write_table,
)

MEMORY_VALUES = 4_000_000
"""Values, over all fields, that a `CountStore` holds in memory at once."""

PARTS = 16
"""Parts into which the values of a field are split where they are too many."""

LARGEST_NUMBER = 1e100
"""Larger numbers are refused: their differences and squares overflow."""


@dataclasses.dataclass
class Counts:
    """What is known of the rows seen so far.

    Args:
        values: For each field that becomes a category, a table of `value`, text,
            and `train`, its training rows.
        ranges: For each field of numbers, the training rows' minimum and maximum.
        rows: Number of rows of each split.
        positives: Number of rows with label 1 of each split.
        samples: For each field whose scale is fitted to more than its range, a
            `NumberSample` of the training rows. Defaults to none.
        missing: For each numerical field that may be missing, the training rows where it
            is. Defaults to none.
        longest: For each multivalued field the most values of a training row. Defaults to
            none.
    """

    values: dict[str, pa.Table]
    ranges: dict[str, tuple[float, float]]
    rows: np.ndarray
    positives: np.ndarray
    samples: dict[str, NumberSample] = dataclasses.field(default_factory=dict)
    missing: dict[str, int] = dataclasses.field(default_factory=dict)
    longest: dict[str, int] = dataclasses.field(default_factory=dict)

    def without_values(self) -> "Counts":
        """Returns a copy that has no values, and that `add_totals` may change."""
        return dataclasses.replace(
            self,
            values={},
            ranges=dict(self.ranges),
            samples=dict(self.samples),
            missing=dict(self.missing),
            longest=dict(self.longest),
        )

    def add_totals(self, other: "Counts") -> None:
        """Adds all that another counts but the values."""
        for name, rows in other.missing.items():
            self.missing[name] += rows
        for name, length in other.longest.items():
            self.longest[name] = max(self.longest[name], length)
        for name, sample in other.samples.items():
            self.samples[name] = self.samples[name].merge(sample)
        for name, (low, high) in other.ranges.items():
            self.ranges[name] = min(self.ranges[name][0], low), max(self.ranges[name][1], high)
        self.rows = self.rows + other.rows
        self.positives = self.positives + other.positives


def count_rows(rows: Rows, fields: Sequence[RawField]) -> Counts:
    """Counts the values of a chunk's rows.

    Args:
        rows: The `Rows`.
        fields: The log's fields.

    Returns:
        Their `Counts`.

    Raises:
        ValueError: If a number is NaN or infinite. The message names file,
            line and field.
    """
    train = rows.splits == SPLITS.index("train")
    values, ranges, samples, missing_rows, longest = {}, {}, {}, {}, {}
    for field in fields:
        column, of_values = rows.values[field.name], train
        if isinstance(field, Multivalued):
            lengths = np.asarray(pc.list_value_length(column))
            longest[field.name] = int(lengths[train].max(initial=0))
            column, of_values = pc.list_flatten(column), np.repeat(train, lengths)
        if not isinstance(field, Categorical):
            numbers, missing = as_numbers(column)
            _check_finite(numbers, rows, field)
            chosen = train & ~missing
            if isinstance(field, Numerical) and field.may_be_missing:
                missing_rows[field.name] = int(np.count_nonzero(train & missing))
            if needs_sample(field):
                samples[field.name] = NumberSample.draw(numbers, chosen, rows.first_row)
            numbers = numbers[chosen]
            ranges[field.name] = (
                float(numbers.min(initial=np.inf)),
                float(numbers.max(initial=-np.inf)),
            )
        if isinstance(field, Categorical) and field.hash_size is not None:
            column = as_categories(column, field)
        if is_counted(field):
            values[field.name] = _count_values(column, of_values, isinstance(field, Bucketed))
    split_rows = np.bincount(rows.splits, minlength=len(SPLITS))
    positives = np.bincount(rows.splits[rows.labels == 1], minlength=len(SPLITS))
    return Counts(values, ranges, split_rows, positives, samples, missing_rows, longest)


@dataclasses.dataclass(frozen=True)
class ValueCounts:
    """The values of a field in a whole log.

    Args:
        table: Table of `value` and `train`; of a `Categorical` field without
            the values that are rarer than its `min_count`.
        distinct: Number of values in all rows, the rare ones too.
    """

    table: pa.Table
    distinct: int

    def by_frequency(self) -> pa.Array:
        """Returns the values by falling frequency, then by their bytes, a string array."""
        order = [("train", "descending"), ("value", "ascending")]
        return self.table.sort_by(order)["value"].combine_chunks()

    def in_training(self) -> Column:
        """Returns the values that training rows have, null where missing."""
        values = self.table.filter(pc.greater(self.table["train"], 0))["value"]
        return _null_where_empty(values)


def select_values(field: RawField, tables: Iterable[pa.Table]) -> ValueCounts:
    """Gathers what an encoding needs of a field's values.

    Args:
        field: The `Categorical` or `Bucketed` field.
        tables: Tables of `value` and `train` without a value in common; an iterator is enough.

    Returns:
        The field's `ValueCounts`.
    """
    # All numbers of a bucketed field are kept: their buckets are known when all are.
    least = max(field.min_count, 1) if isinstance(field, Categorical) else 0
    kept, distinct = [], 0
    for table in tables:
        distinct += len(table)
        kept.append(table.filter(pc.greater_equal(table["train"], least)))
    return ValueCounts(pa.concat_tables(kept), distinct)


def statistics(
    counts: Counts, values: Mapping[str, ValueCounts], fields: Sequence[RawField]
) -> dict[str, Any]:
    """Returns the figures of the paper's Table 1, and each split's size.

    Args:
        counts: The log's `Counts`, of which the values are not used.
        values: For each field that becomes a category, its `ValueCounts`.
        fields: The log's fields.

    Returns:
        A dictionary. `distinct_features` counts, over all rows, every value of
        every categorical field that has its own, every bucket, one for each numerical field;
        `missing` the training rows without a number, of fields that may be missing.
    """
    categorical = [field for field in fields if isinstance(field, Categorical)]
    features = {
        field.name: values[field.name].distinct for field in categorical if is_counted(field)
    }
    for field in fields:
        if isinstance(field, Numerical):
            features[field.name] = 1
        elif isinstance(field, QuantileBuckets):
            features[field.name] = field.buckets
        elif isinstance(field, Bucketed):
            numbers = _null_where_empty(values[field.name].table["value"])
            features[field.name] = len(
                np.unique(bucket_of(numbers, field, *counts.ranges[field.name]))
            )
    return {
        "categorical_fields": len(categorical),
        "numerical_fields": len(fields) - len(categorical),
        **({"missing": counts.missing} if counts.missing else {}),
        "records": int(counts.rows.sum()),
        "distinct_features": sum(features.values()),
        "features": {
            field.name: features[field.name] for field in fields if field.name in features
        },
        "splits": {
            split: {"rows": int(rows), "positives": int(positives)}
            for split, rows, positives in zip(SPLITS, counts.rows, counts.positives, strict=True)
        },
    }


class CountStore:
    """Adds up the counts of chunks in bounded memory; values that are too many go to files.

    Args:
        fields: The log's fields.
        folder: Folder for the files; made if it is needed.

    Attributes:
        totals: The sum of the `Counts` without their values, `None` before the
            first is added.
    """

    def __init__(self, fields: Sequence[RawField], folder: epath.Path):
        self._fields = [field for field in fields if is_counted(field)]
        self._folder = folder
        # For each field a merged table and later ones that wait to be merged.
        self._tables = {field.name: [] for field in self._fields}
        self._files = {field.name: [[] for _ in range(PARTS)] for field in self._fields}
        self.totals: Counts | None = None

    def add(self, counts: Counts) -> None:
        """Adds the `Counts` of a chunk."""
        if self.totals is None:
            self.totals = counts.without_values()
        else:
            self.totals.add_totals(counts)
        for name, table in counts.values.items():
            tables = self._tables[name]
            tables.append(table)
            # A field of millions of values is merged a few times, not at each chunk.
            if sum(len(table) for table in tables[1:]) > len(tables[0]):
                self._tables[name] = [merge_tables(tables)]
        while self._values_in_memory() > MEMORY_VALUES:
            self._write_largest()

    def value_counts(self) -> dict[str, ValueCounts]:
        """Returns the `ValueCounts` of each field that becomes a category."""
        return {field.name: select_values(field, self._parts(field)) for field in self._fields}

    def _values_in_memory(self):
        return sum(len(table) for tables in self._tables.values() for table in tables)

    def _write_largest(self):
        """Moves the tables of the field with the most values to files, one for each part."""
        name = max(self._tables, key=lambda name: sum(map(len, self._tables[name])))
        table = merge_tables(self._tables[name])
        self._tables[name] = []
        self._folder.mkdir(exist_ok=True)
        # A field's name may hold characters that a file's cannot.
        position = list(self._tables).index(name)
        for number, part in enumerate(split_by_value(table, PARTS)):
            files = self._files[name][number]
            files.append(self._folder / f"{position}-{number}-{len(files)}.arrow")
            write_table(files[-1], part)

    def _parts(self, field: RawField) -> Iterator[pa.Table]:
        tables, files = self._tables[field.name], self._files[field.name]
        if not any(files):
            yield merge_tables(tables)
            return
        rest = split_by_value(merge_tables(tables), PARTS) if tables else [None] * PARTS
        for paths, table in zip(files, rest, strict=True):
            parts = [read_table(path) for path in paths] + [table] * (table is not None)
            yield merge_tables(parts)


def _count_values(column, train, numbers):
    if pa.types.is_dictionary(column.type):  # it may hold values that no row has
        column = column.cast(column.type.value_type)
    encoded = column.combine_chunks().dictionary_encode(null_encoding="encode")
    if isinstance(encoded, pa.ChunkedArray):
        encoded = encoded.combine_chunks()
    codes, size = np.asarray(encoded.indices), len(encoded.dictionary)
    dictionary = encoded.dictionary
    if numbers:
        dictionary = dictionary.cast(pa.float64(), safe=False)
    value = as_text(dictionary)
    table = pa.table({"value": value, "train": np.bincount(codes[train], minlength=size)})
    # Null and the empty string are one value.
    return merge_tables([table.slice(0, 0), table]) if dictionary.null_count else table


def _null_where_empty(column):
    return pc.if_else(pc.equal(column, ""), pa.scalar(None, pa.string()), column)


def _check_finite(numbers, rows, field):
    wrong = ~(np.abs(numbers) <= LARGEST_NUMBER)
    if wrong.any():
        row = int(wrong.argmax())
        raise DataError(
            f"{rows.source}:{rows.first_line + row}: {field.name} is {numbers[row]}; {FINITE}"
        )
