"""What values the fields of a click log take, and how often in the training rows.

`count_chunk` counts a chunk; a `CountStore` adds chunks up in bounded memory. On
a cluster the chunks' tables are added up by `merge_tables` on many workers,
each of them with a part of the values (`split_by_value`).
"""

import dataclasses

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from interhat_tf.preprocessing.encoding import (
    SPLITS,
    Bucketed,
    Categorical,
    Numerical,
    as_numbers,
    as_text,
    bucket_of,
)
from interhat_tf.utils.files import naming_errors

MEMORY_VALUES = 4_000_000
"""Values, over all fields, that a `CountStore` holds in memory at once."""

PARTS = 16
"""Parts into which the values of a field are split where they are too many."""

HASH_ROWS = 1 << 16


@dataclasses.dataclass
class Counts:
    """What is known of the rows seen so far.

    Args:
        values: For each field that becomes a category, a table of `value`, text,
            and `train`, its training rows.
        ranges: For each field of numbers, the training rows' minimum and maximum.
        rows: Number of rows of each split.
        positives: Number of rows with label 1 of each split.
    """

    values: dict
    ranges: dict
    rows: np.ndarray
    positives: np.ndarray

    def add_totals(self, other):
        """Adds another's ranges, rows and positives, but not its values."""
        for name, (low, high) in other.ranges.items():
            self.ranges[name] = min(self.ranges[name][0], low), max(self.ranges[name][1], high)
        self.rows = self.rows + other.rows
        self.positives = self.positives + other.positives


def count_chunk(chunk, fields):
    """Counts the values of a chunk.

    Args:
        chunk: The `Chunk`.
        fields: The log's fields.

    Returns:
        Its `Counts`.

    Raises:
        ValueError: If a number is NaN or infinite. The message names file,
            line and field.
    """
    train = chunk.splits == SPLITS.index("train")
    values, ranges = {}, {}
    for field in fields:
        column = chunk.values[field.name]
        if not isinstance(field, Categorical):
            numbers, missing = as_numbers(column)
            _check_finite(numbers, chunk, field)
            numbers = numbers[train & ~missing]
            ranges[field.name] = (
                float(numbers.min(initial=np.inf)),
                float(numbers.max(initial=-np.inf)),
            )
        if not isinstance(field, Numerical):
            values[field.name] = _count_values(column, train, isinstance(field, Bucketed))
    rows = np.bincount(chunk.splits, minlength=len(SPLITS))
    positives = np.bincount(chunk.splits[chunk.labels == 1], minlength=len(SPLITS))
    return Counts(values, ranges, rows, positives)


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

    def by_frequency(self):
        """Returns the values by falling frequency, then by their bytes, a string array."""
        order = [("train", "descending"), ("value", "ascending")]
        return self.table.sort_by(order)["value"].combine_chunks()

    def in_training(self):
        """Returns the values that training rows have, null where missing."""
        values = self.table.filter(pc.greater(self.table["train"], 0))["value"]
        return _null_where_empty(values)


def select_values(field, tables):
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


def statistics(counts, values, fields):
    """Returns the figures of the paper's Table 1, and each split's size.

    Args:
        counts: The log's `Counts`, of which the values are not used.
        values: For each field that becomes a category, its `ValueCounts`.
        fields: The log's fields.

    Returns:
        A dictionary. `distinct_features` counts, over all rows, every value of
        every categorical field, every bucket, and one for each numerical field.
    """
    categorical = [field for field in fields if isinstance(field, Categorical)]
    features = {field.name: values[field.name].distinct for field in categorical}
    for field in fields:
        if isinstance(field, Numerical):
            features[field.name] = 1
        elif isinstance(field, Bucketed):
            numbers = _null_where_empty(values[field.name].table["value"])
            features[field.name] = len(
                np.unique(bucket_of(numbers, field, *counts.ranges[field.name]))
            )
    return {
        "categorical_fields": len(categorical),
        "numerical_fields": len(fields) - len(categorical),
        "records": int(counts.rows.sum()),
        "distinct_features": sum(features.values()),
        "features": {field.name: features[field.name] for field in fields},
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
    """

    def __init__(self, fields, folder):
        self._fields = [field for field in fields if not isinstance(field, Numerical)]
        self._folder = folder
        # For each field a merged table and later ones that wait to be merged.
        self._tables = {field.name: [] for field in self._fields}
        self._files = {field.name: [[] for _ in range(PARTS)] for field in self._fields}
        self.totals = None

    def add(self, counts):
        """Adds the `Counts` of a chunk."""
        if self.totals is None:
            self.totals = dataclasses.replace(counts, values={}, ranges=dict(counts.ranges))
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

    def value_counts(self):
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
        # A field's name need not be fit for a file's.
        position = list(self._tables).index(name)
        for number, part in enumerate(split_by_value(table, PARTS)):
            files = self._files[name][number]
            files.append(self._folder / f"{position}-{number}-{len(files)}.arrow")
            write_table(files[-1], part)

    def _parts(self, field):
        tables, files = self._tables[field.name], self._files[field.name]
        if not any(files):
            yield merge_tables(tables)
            return
        rest = split_by_value(merge_tables(tables), PARTS) if tables else [None] * PARTS
        for paths, table in zip(files, rest, strict=True):
            parts = [read_table(path) for path in paths] + [table] * (table is not None)
            yield merge_tables(parts)


def merge_tables(tables):
    """Adds up tables of `value` and `train`."""
    if len(tables) == 1:
        return tables[0]
    merged = pa.concat_tables(tables).group_by("value").aggregate([("train", "sum")])
    return merged.rename_columns({"train_sum": "train"})


def split_by_value(table, parts):
    """Splits a table of `value` and `train` so that a value is always in the same part.

    Args:
        table: The table.
        parts: Number of parts.

    Returns:
        The parts, a list of tables of about the same size.
    """
    # In batches: an array of 64 bits for each byte of the texts is large.
    batches = table.to_batches(max_chunksize=HASH_ROWS)
    hashes = [_hash(batch["value"]) for batch in batches]
    part = np.concatenate([np.zeros(0, np.uint64), *hashes]) % np.uint64(parts)
    return [table.filter(pa.array(part == number)) for number in range(parts)]


def write_table(path, table):
    """Writes a table to a file that `read_table` reads; the path may be one of object storage."""
    sink = pa.BufferOutputStream()
    with pa.ipc.new_file(sink, table.schema) as writer:
        writer.write_table(table)
    with naming_errors(path), path.open("wb") as file:
        file.write(memoryview(sink.getvalue()))


def read_table(path):
    """Reads a table that `write_table` wrote."""
    return pa.ipc.open_file(pa.py_buffer(path.read_bytes())).read_all()


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


def _check_finite(numbers, chunk, field):
    wrong = ~np.isfinite(numbers)
    if wrong.any():
        row = int(wrong.argmax())
        raise ValueError(
            f"{chunk.source}:{chunk.first_line + row}: {field.name} is {numbers[row]}; "
            f"a number must be finite, leave it empty where it is missing"
        )


def _hash(array):
    """Returns 32 bits, uint64, for each text of an array, a function of its bytes alone."""
    ends = np.frombuffer(array.buffers()[1], np.int32)[array.offset : array.offset + len(array) + 1]
    data = np.frombuffer(array.buffers()[2] or b"", np.uint8)[ends[0] : ends[-1]]
    starts = ends[:-1] - ends[0]
    lengths = np.diff(ends)
    # sum_j byte_j * p^j modulo 2^64, from a running sum over all texts.
    powers = np.full(max(lengths.max(initial=0), 1), 0x9E3779B97F4A7C15, np.uint64).cumprod()
    terms = (data + np.uint64(1)) * powers[np.arange(len(data)) - np.repeat(starts, lengths)]
    sums = np.concatenate([np.zeros(1, np.uint64), np.cumsum(terms)])
    return (sums[starts + lengths] - sums[starts]) >> np.uint64(32)
