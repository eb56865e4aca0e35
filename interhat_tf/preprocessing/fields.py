"""The fields of a raw log, and how their values read as text, as numbers and as buckets."""

import contextlib
import dataclasses
from collections.abc import Sequence
from typing import Any, TypeAlias

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import tensorflow as tf

from interhat_tf.errors import SettingError
from interhat_tf.preprocessing.scaling import MinMax
from interhat_tf.utils.hashing import hash_names

MISSING_BUCKET = -1

NUMBER_PATTERN = r"(?i)^\s*[+-]?((\d+\.?\d*|\.\d+)(e[+-]?\d+)?|nan|inf|infinity)\s*$"
"""What pyarrow reads as a number."""

NEW_ARGUMENTS = ("scaling", "may_be_missing", "hash_size")
"""Arguments of fields that version 0.1 does not know."""

Column: TypeAlias = pa.Array | pa.ChunkedArray
"""A column of raw values."""


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
        hash_size: Number of names that all values but the missing one share by a hash
            of their text (`utils.hashing`); a name then is what is said of a value here.
            Defaults to `None`: no hash.
    """

    name: str
    min_count: int = 1
    hash_size: int | None = None


MAX_VALUES = 64
"""The most values of a multivalued field that are kept of a row, unless told otherwise."""


@dataclasses.dataclass(frozen=True)
class Multivalued(Categorical):
    """A raw field of several names a row, of which each is what a `Categorical` field's is.

    Its values are lists of text. A row without a name has one, the empty string.

    Args:
        name: The field's name.
        min_count: As for `Categorical`; a name counts as often as it is there.
        hash_size: As for `Categorical`.
        max_length: The most names of a row that are kept, the first ones. Where training
            rows have fewer, their longest list is the limit. Defaults to 64.
    """

    max_length: int = MAX_VALUES


@dataclasses.dataclass(frozen=True)
class Sequential(Multivalued):
    """A raw field of several names a row in the order of time, the latest last.

    A row without a name has none.

    Args:
        name: The field's name.
        min_count: As for `Multivalued`.
        hash_size: As for `Multivalued`.
        max_length: The most names of a row that are kept, the latest ones. Where training
            rows have fewer, their longest list is the limit. Defaults to 64.
        shares: The name of another field of names, whose vocabulary and hash it has: names
            that only this field has are out of vocabulary. Defaults to `None`: its own.
    """

    shares: str | None = None


@dataclasses.dataclass(frozen=True)
class Numerical:
    """A raw field whose values are numbers.

    They are scaled as the training rows ask for; other rows' values beyond theirs are
    clipped. Every value of a field that is constant in the training rows is 0.

    Args:
        name: The field's name.
        scaling: The name of a scale of `scaling.SCALES`. Defaults to `"min-max"`: from
            0, the training rows' minimum, to 1, their maximum.
        may_be_missing: Whether a missing value is a state of its own, NaN. Defaults
            to `False`: it is 0, as the minimum is.
    """

    name: str
    scaling: str = "min-max"
    may_be_missing: bool = False


@dataclasses.dataclass(frozen=True)
class Bucketed:
    """A raw field whose values are numbers that become categories, as in the released code.

    A number v, scaled like that of a `Numerical` field, is in bucket
    floor(v * buckets); the training rows' maximum is alone in the last one.
    Buckets that occur in the training rows have ids, from low to high; the
    others are out of vocabulary. Missing values share one more bucket, the
    first.

    Args:
        name: The field's name.
        buckets: Number of equally wide buckets.
    """

    name: str
    buckets: int


@dataclasses.dataclass(frozen=True)
class QuantileBuckets:
    """A raw field whose values are numbers that become categories of about as many rows each.

    Buckets begin at quantiles of the training rows, and have ids from low to high;
    numbers below the first are in it. Missing values share one more, the last.

    Args:
        name: The field's name.
        buckets: Number of buckets; fewer if the quantiles are not all different.
            Defaults to 32.
    """

    name: str
    buckets: int = 32


RawField = Categorical | Numerical | Bucketed | QuantileBuckets
"""A field of a raw log."""


def owner_of(field: RawField) -> str:
    """Returns the name of the field whose vocabulary a field has: itself unless it shares."""
    return (isinstance(field, Sequential) and field.shares) or field.name


def check_shares(fields: Sequence[RawField]) -> None:
    """Raises an error if a field shares what is no other field's own vocabulary.

    Example:

    >>> check_shares([Numerical("price"), Sequential("history", shares="price")])
    Traceback (most recent call last):
    interhat_tf.errors.SettingError: field 'history' shares the vocabulary of 'price', which is \
not another field of names with its own vocabulary
    """
    own = {f.name for f in fields if isinstance(f, Categorical) and owner_of(f) == f.name}
    for field in fields:
        if (owner := owner_of(field)) != field.name and owner not in own:
            raise SettingError(
                f"field {field.name!r} shares the vocabulary of {owner!r}, which is not "
                f"another field of names with its own vocabulary"
            )


def is_counted(field: RawField) -> bool:
    """Returns whether a field's values are counted.

    Of numbers a range and a sample are enough, of shared values the other field's counts.
    """
    return isinstance(field, (Categorical, Bucketed)) and owner_of(field) == field.name


def needs_sample(field: RawField) -> bool:
    """Returns whether an encoding is fitted to a sample of a field's numbers."""
    if isinstance(field, Numerical):
        return field.scaling != "min-max"
    return isinstance(field, QuantileBuckets)


def field_config(field: RawField) -> dict[str, Any]:
    """Returns a field's kind and arguments, as a prepared set keeps them.

    Sets of version 0.1 do without the `NEW_ARGUMENTS`; others where they are the defaults.

    Example:

    >>> field_config(Numerical("age"))
    {'kind': 'Numerical', 'name': 'age'}
    """
    arguments = {
        argument.name: getattr(field, argument.name)
        for argument in dataclasses.fields(field)
        if argument.name not in NEW_ARGUMENTS or getattr(field, argument.name) != argument.default
    }
    return {"kind": type(field).__name__, **arguments}


def first_description(field: RawField) -> str:
    """Returns a field as version 0.1 described it.

    >>> first_description(Numerical("age", may_be_missing=True))
    "Numerical(name='age')"
    """
    config = field_config(field)
    arguments = [f"{k}={v!r}" for k, v in config.items() if k not in ("kind", *NEW_ARGUMENTS)]
    return f"{config['kind']}({', '.join(arguments)})"


def as_text(column: Column) -> Column:
    """Returns a column as text, missing values as the empty string."""
    return pc.fill_null(column.cast(pa.string()), "")


def as_categories(column: Column, field: Categorical) -> Column:
    """Returns a column as the texts that have ids: its values, or their hashes' names.

    Example:

    >>> as_categories(pa.array(["u17", None, "u17"]), Categorical("user", hash_size=10)).to_pylist()
    ['hash 8', '', 'hash 8']
    """
    text = as_text(column)
    if field.hash_size is None:
        return text
    if isinstance(text, pa.ChunkedArray):
        whole = text.combine_chunks()
        return pa.chunked_array([as_categories(whole, field)])
    encoded = text.dictionary_encode()
    different = tf.constant(np.array(encoded.dictionary.to_pylist(), object), tf.string)
    names = hash_names(different, field.hash_size).numpy()
    return pa.array(names, pa.binary()).cast(pa.string()).take(encoded.indices)


def as_numbers(column: Column) -> tuple[np.ndarray, np.ndarray]:
    """Returns a column as float64, missing values as 0, and whether each value is missing."""
    missing = np.asarray(column.is_null())
    # Whole numbers beyond 2^53 are rounded.
    return np.asarray(pc.fill_null(column.cast(pa.float64(), safe=False), 0.0)), missing


def parse_numbers(column: Column) -> tuple[Column, np.ndarray]:
    """Returns a column of numbers, or of numbers as text, as float64.

    Args:
        column: The column; a missing value is null, or an empty text.

    Returns:
        The numbers, a column that is null where they are missing, and whether
        each value is a number or missing, an array.
    """
    dtype = column.type.value_type if pa.types.is_dictionary(column.type) else column.type
    if pa.types.is_integer(dtype) or pa.types.is_floating(dtype) or pa.types.is_decimal(dtype):
        # Whole numbers beyond 2^53 are rounded.
        return column.cast(pa.float64(), safe=False), np.ones(len(column), bool)
    text = as_text(column)
    with contextlib.suppress(pa.ArrowInvalid):  # ten times as fast, and right as a rule
        absent = pa.scalar(None, text.type)
        return pc.if_else(pc.equal(text, ""), absent, text).cast(pa.float64()), np.ones(
            len(text), bool
        )
    text = pc.utf8_trim_whitespace(text)
    number = pc.match_substring_regex(text, NUMBER_PATTERN)
    numbers = pc.if_else(number, text, pa.scalar(None, pa.string())).cast(pa.float64())
    return numbers, np.asarray(pc.or_(number, pc.equal(text, "")))


def bucket_of(column: Column, field: Bucketed, low: float, high: float) -> np.ndarray:
    """Returns the buckets of a column of a `Bucketed` field, `MISSING_BUCKET` where missing.

    Args:
        column: Numbers, or numbers as text.
        field: The `Bucketed` field.
        low: The training rows' minimum.
        high: Their maximum.

    Returns:
        (rows,) int64.

    Example:

    >>> bucket_of(pa.array([2.0, 7.0, None, 12.0]), Bucketed("age", 10), 2.0, 12.0)
    array([ 0,  5, -1, 10])
    """
    numbers, missing = as_numbers(column)
    buckets = (MinMax(low, high).apply(numbers) * field.buckets).astype(np.int64)
    return np.where(missing, MISSING_BUCKET, buckets)
