"""What the values of a raw click log become: ids of a vocabulary and scaled numbers.

A chunk of a log is counted first (`counting.py`). What follows from the counts
is an `Encoding`, with which `encode_chunk` turns chunks into rows. Nothing here
knows of files or of tfds, so that it runs on a cluster's workers as well.
"""

import dataclasses
import math

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from interhat_tf.schema import CATEGORICAL, NUMERICAL, Field, Schema

SPLITS = ("train", "validation", "test")

SPLIT_SEED = 0


@dataclasses.dataclass(frozen=True)
class Categorical:
    """A raw field whose values are names.

    Values get ids 1, 2, … by falling frequency in the training rows, equally
    frequent ones in the order of their UTF-8 bytes. A missing value is the
    empty string, a value like any other.

    Args:
        name: The field's name.
        min_count: Values in fewer training rows than this are out of
            vocabulary. Defaults to 1: all training values have an id.
    """

    name: str
    min_count: int = 1


@dataclasses.dataclass(frozen=True)
class Numerical:
    """A raw field whose values are numbers.

    It is scaled to [0, 1] by the training rows' minimum and maximum; other
    rows' values beyond them are clipped. A missing value, and every value of a
    field that is constant in the training rows, is 0.

    Args:
        name: The field's name.
    """

    name: str


@dataclasses.dataclass(frozen=True)
class Bucketed:
    """A raw field whose values are numbers that become categories, as in the released code.

    A number v, scaled like that of a `Numerical` field, is in bucket
    floor(v * buckets), so that the training rows' maximum has a bucket of its
    own. Buckets that occur in the training rows have ids, from low to high; the
    others are out of vocabulary. A missing value is a bucket of its own, the
    first.

    Args:
        name: The field's name.
        buckets: Number of equally wide buckets.
    """

    name: str
    buckets: int


MISSING_BUCKET = -1

NUMBER = r"(?i)^\s*[+-]?((\d+\.?\d*|\.\d+)(e[+-]?\d+)?|nan|inf|infinity)\s*$"
"""What pyarrow reads as a number."""


@dataclasses.dataclass(frozen=True)
class Chunk:
    """Consecutive rows of a raw log.

    Args:
        values: The rows' values, a `pyarrow.Table` with a column for each
            field: text or anything that casts to it for a categorical field,
            numbers for the others, null where missing.
        labels: 0 or 1, (rows,) uint8.
        splits: Each row's split as its position in `SPLITS`, (rows,) int8.
        source: The rows' file, for messages.
        first_line: The first row's line in it, for messages.
        first_row: The first row's position in the log, from 0. The order of the
            prepared rows follows from it.
    """

    values: pa.Table
    labels: np.ndarray
    splits: np.ndarray
    source: str
    first_line: int = 1
    first_row: int = 0


def random_bits(first_row, rows, seed):
    """Draws 64 random bits for each of consecutive rows; they depend on a row's position alone.

    Args:
        first_row: Position of the first row.
        rows: Number of rows.
        seed: Seed, a number or a sequence of numbers.

    Returns:
        (rows,) uint64.
    """
    return np.random.PCG64(seed).advance(int(first_row)).random_raw(rows)


def random_splits(first_row, rows):
    """Draws each row's split: 8 of 10 rows train, 1 of 10 validate, 1 of 10 test.

    Args:
        first_row: Position of the first row in the log, from 0.
        rows: Number of rows.

    Returns:
        Positions in `SPLITS`, (rows,) int8. A row's split depends on its
        position alone, not on how the log is cut into chunks or files.

    Example:

    >>> np.array_equal(random_splits(0, 100)[40:], random_splits(40, 60))
    True
    """
    tenths = random_bits(first_row, rows, SPLIT_SEED) // np.uint64(2**64 // 10 + 1)
    return np.maximum(tenths, 7).astype(np.int8) - np.int8(7)


@dataclasses.dataclass(frozen=True)
class Encoding:
    """How raw values become ids and numbers; fitted on training rows.

    Args:
        fields: The log's `Categorical`, `Numerical` and `Bucketed` fields.
        vocabularies: For each field that becomes a category, the readable
            values of ids 1, 2, …, a string array.
        ranges: For each field of numbers, minimum and maximum.
        buckets: For each `Bucketed` field, the buckets of ids 1, 2, …, an array.
    """

    fields: tuple
    vocabularies: dict
    ranges: dict
    buckets: dict

    @classmethod
    def fit(cls, fields, values, ranges):
        """Returns the encoding that follows from counts.

        Args:
            fields: The log's fields.
            values: For each field that becomes a category, its `ValueCounts`.
            ranges: For each field of numbers, the training rows' minimum and
                maximum; of a field that is missing in all of them, infinities.
        """
        ranges = {name: r if np.isfinite(r).all() else (0.0, 0.0) for name, r in ranges.items()}
        vocabularies, buckets = {}, {}
        for field in fields:
            if isinstance(field, Categorical):
                vocabularies[field.name] = values[field.name].by_frequency()
            elif isinstance(field, Bucketed):
                texts = values[field.name].in_training()
                seen = np.unique(bucket_of(texts, field, *ranges[field.name]))
                buckets[field.name] = seen
                vocabularies[field.name] = _bucket_names(seen, field, *ranges[field.name])
        return cls(tuple(fields), vocabularies, ranges, buckets)

    def schema(self):
        """Returns the `Schema` of the encoded rows: categorical fields, then numerical ones."""
        numerical = [field for field in self.fields if isinstance(field, Numerical)]
        return Schema(
            [Field(name, CATEGORICAL, len(ids) + 1) for name, ids in self.vocabularies.items()]
            + [Field(field.name, NUMERICAL) for field in numerical]
        )

    def to_dict(self):
        """Returns the encoding as what JSON can hold; `from_dict` is the inverse."""
        return {
            "fields": [
                {"kind": type(field).__name__, **dataclasses.asdict(field)} for field in self.fields
            ],
            "vocabularies": {name: ids.to_pylist() for name, ids in self.vocabularies.items()},
            "ranges": {name: list(range_) for name, range_ in self.ranges.items()},
            "buckets": {name: numbers.tolist() for name, numbers in self.buckets.items()},
        }

    @classmethod
    def from_dict(cls, config):
        """Returns the encoding that `to_dict` wrote."""
        kinds = {kind.__name__: kind for kind in (Categorical, Numerical, Bucketed)}
        return cls(
            tuple(
                kinds[field["kind"]](**{key: field[key] for key in field if key != "kind"})
                for field in config["fields"]
            ),
            {name: pa.array(ids, pa.string()) for name, ids in config["vocabularies"].items()},
            {name: tuple(range_) for name, range_ in config["ranges"].items()},
            {name: np.array(numbers, np.int64) for name, numbers in config["buckets"].items()},
        )


def encode_chunk(chunk, encoding):
    """Turns a chunk's values into ids and numbers.

    Args:
        chunk: The `Chunk`.
        encoding: The `Encoding`.

    Returns:
        A structured array, (rows,), with `categorical` (C,) int32, `numerical`
        (N,) float32 and `label` uint8; a kind without fields is left out.
    """
    rows = np.empty(len(chunk.labels), row_dtype(encoding.fields))
    rows["label"] = chunk.labels
    for kind, columns in encode_values(chunk.values, encoding).items():
        rows[kind] = columns.T
    return rows


def encode_values(values, encoding):
    """Turns a table of raw values into the columns of ids and of numbers.

    Args:
        values: A `pyarrow.Table` with a column for each field.
        encoding: The `Encoding`.

    Returns:
        A dictionary of `categorical` (C, rows) int32 and `numerical` (N, rows)
        float32; a kind without fields is left out.
    """
    categorical, numerical = [], []
    for field in encoding.fields:
        column = values[field.name]
        if isinstance(field, Categorical):
            ids = pc.index_in(as_text(column), value_set=encoding.vocabularies[field.name])
            # Absent values are null here, and id 0, out of vocabulary, there.
            categorical.append(np.asarray(pc.fill_null(ids, -1)) + np.int32(1))
        elif isinstance(field, Bucketed):
            ids = np.zeros(field.buckets + 2, np.int32)
            seen = encoding.buckets[field.name]
            ids[seen - MISSING_BUCKET] = np.arange(1, len(seen) + 1)
            buckets = bucket_of(column, field, *encoding.ranges[field.name])
            categorical.append(ids[buckets - MISSING_BUCKET])
        else:
            numbers, missing = as_numbers(column)
            scaled = _scale(numbers, *encoding.ranges[field.name])
            numerical.append(np.where(missing, 0, scaled).astype(np.float32))
    columns = {CATEGORICAL: categorical, NUMERICAL: numerical}
    return {kind: np.stack(arrays) for kind, arrays in columns.items() if arrays}


def row_dtype(fields):
    """Returns the type of an encoded row of the fields."""
    numerical = sum(isinstance(field, Numerical) for field in fields)
    kinds = [
        (CATEGORICAL, np.int32, (len(fields) - numerical,)),
        (NUMERICAL, np.float32, (numerical,)),
    ]
    return np.dtype([kind for kind in kinds if kind[2] != (0,)] + [("label", np.uint8)])


def as_text(column):
    """Returns a column as text, missing values as the empty string."""
    return pc.fill_null(column.cast(pa.string()), "")


def as_numbers(column):
    """Returns a column as float64, missing values as 0, and whether each value is missing."""
    missing = np.asarray(column.is_null())
    # Whole numbers beyond 2^53 are rounded.
    return np.asarray(pc.fill_null(column.cast(pa.float64(), safe=False), 0.0)), missing


def parse_numbers(column):
    """Returns a column of numbers, or of numbers as text, as float64.

    Args:
        column: The column; a missing value is null, or an empty text.

    Returns:
        The numbers, a column that is null where they are missing, and whether
        each value is a number or missing, an array.
    """
    dtype = column.type.value_type if pa.types.is_dictionary(column.type) else column.type
    if pa.types.is_integer(dtype) or pa.types.is_floating(dtype) or pa.types.is_decimal(dtype):
        return column.cast(pa.float64()), np.ones(len(column), bool)
    text = pc.utf8_trim_whitespace(as_text(column))
    number = pc.match_substring_regex(text, NUMBER)
    numbers = pc.if_else(number, text, pa.scalar(None, pa.string())).cast(pa.float64())
    return numbers, np.asarray(pc.or_(number, pc.equal(text, "")))


def bucket_of(column, field, low, high):
    """Returns the buckets of a column of a `Bucketed` field, `MISSING_BUCKET` where missing.

    Args:
        column: Numbers, or numbers as text.
        field: The `Bucketed` field.
        low: The training rows' minimum.
        high: Their maximum.
    """
    numbers, missing = as_numbers(column)
    buckets = (_scale(numbers, low, high) * field.buckets).astype(np.int64)
    return np.where(missing, MISSING_BUCKET, buckets)


def _scale(numbers, low, high):
    return np.clip((numbers - low) / (high - low), 0, 1) if high > low else 0.0 * numbers


def _bucket_names(buckets, field, low, high):
    """Names buckets by their numbers: `""` for the missing, `"0 to 12.5"`, …, the maximum alone."""
    width = (high - low) / field.buckets
    # Three digits tell a bucket from the next, also where their numbers start alike.
    size = max(abs(low), abs(high)) / width if high > low else 1.0
    digits = max(6, 3 + math.ceil(math.log10(size)))
    names = []
    for bucket in buckets:
        if bucket == MISSING_BUCKET:
            names.append("")
        elif bucket == field.buckets or high <= low:
            names.append(f"{high:.{digits}g}")
        else:
            start, end = low + bucket * width, low + (bucket + 1) * width
            names.append(f"{start:.{digits}g} to {end:.{digits}g}")
    return pa.array(names, pa.string())
