"""Which form the values of a click log's column have."""

import re
from collections.abc import Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from interhat_tf.preprocessing.column_forms import (
    BOOLEAN,
    MAX_WHOLE_FLOAT,
    NUMBER,
    OPPOSITES,
    TEXT,
    TEXTS,
    WHOLE,
    WHOLES,
    value_type,
)
from interhat_tf.preprocessing.fields import NUMBER_PATTERN, Column, as_text, parse_numbers
from interhat_tf.preprocessing.times import TIME_PATTERN, is_epoch
from interhat_tf.preprocessing.value_lists import is_list

TIME_PARTS = "time"
"""Dates and times, of which the parts become fields."""

WHOLE_NUMBER_PATTERN = r"^\s*[+-]?\d+\s*$"
WHOLE_FLOAT_PATTERN = r"^\s*[+-]?\d+(\.0+)?\s*$"

DATE = r"(\d{4}[-/]\d\d?[-/]\d\d?|\d\d?[-/.]\d\d?[-/.]\d{4})"
CLOCK = r"\d\d?:\d\d(:\d\d.*)?"
OTHER_TIME = rf"^({DATE}([T ]{CLOCK})?|{CLOCK})$"
"""Dates and times as they are not read: the order of day and month is not certain."""
OTHER_TIMES = "dates or times not written as 2024-01-31 13:05:00"
"""What a message says of them."""

MAX_SPELLINGS = 30
"""More different texts than this are no booleans."""

TIME_NAME = re.compile(r"(?i)time|date|(^|[_. ])(ts|hour|day|at)$|[a-z]At$")
"""Names of columns whose whole numbers may be times since 1970."""


def form_of(column: Column, name: str, null_values: Sequence[str]) -> str:
    """Returns the form of a column's values, `TIME_PARTS`, or what it is if that is none.

    Whole numbers, which are ids as a rule in click logs, are names, other numbers
    numbers. Whole numbers that are written as floats are ids as well if some are
    missing, because that is what pandas makes of ids.

    Args:
        column: The column's values in some rows.
        name: Its name.
        null_values: Words that stand for a missing value.

    Example:

    >>> form_of(pa.array(["7", ""]), "x", ["NA"]), form_of(pa.array(["0.5", "NA"]), "x", ["NA"])
    ('whole number', 'number')
    """
    dtype = value_type(column)
    if pa.types.is_date(dtype) or pa.types.is_timestamp(dtype):
        return TIME_PARTS
    if pa.types.is_boolean(dtype):
        return BOOLEAN
    if pa.types.is_integer(dtype) or (pa.types.is_decimal(dtype) and dtype.scale <= 0):
        return _form_of_whole_numbers(column, name)
    if pa.types.is_floating(dtype) or pa.types.is_decimal(dtype):
        return _form_of_floats(parse_numbers(column)[0], name, has_gap=bool(column.null_count))
    if is_text(dtype):
        return _form_of_texts(pc.unique(as_text(column)), name, null_values)
    if is_list(dtype):
        if is_text(dtype.value_type) or pa.types.is_null(dtype.value_type):
            return TEXTS
        if pa.types.is_integer(dtype.value_type):
            return WHOLES
    return TEXT if pa.types.is_null(dtype) else f"of type {dtype}"


def is_text(dtype: pa.DataType) -> bool:
    """Returns whether a type is one of text."""
    return (
        pa.types.is_string(dtype)
        or pa.types.is_large_string(dtype)
        or pa.types.is_string_view(dtype)
    )


def plain_text(table: pa.Table) -> pa.Table:
    """Returns a table whose text is no view, as polars' is.

    pyarrow cannot decode dictionaries of views, nor see which of them a CSV file has to quote.

    Example:

    >>> views = pa.array(["a", "b"], pa.string_view())
    >>> column = pa.DictionaryArray.from_arrays(pa.array([1, 0, 1]), views)
    >>> plain_text(pa.table({"x": column}))["x"].cast(pa.string()).to_pylist()
    ['b', 'a', 'b']
    >>> plain_text(pa.table({"x": views})).schema.field("x").type
    DataType(large_string)
    """
    for position, field in enumerate(table.schema):
        if pa.types.is_string_view(field.type):
            column = table[position].cast(pa.large_string())  # a chunk may have over 2 GiB
            table = table.set_column(position, field.name, column)
        elif pa.types.is_dictionary(field.type) and pa.types.is_string_view(field.type.value_type):
            parts = [
                pa.DictionaryArray.from_arrays(part.indices, part.dictionary.cast(pa.string()))
                for part in table[position].chunks
            ]
            table = table.set_column(position, field.name, pa.chunked_array(parts))
    return table


def _form_of_texts(values, name, null_values):
    missing = pa.array(["", *null_values])
    some_missing = pc.any(pc.is_in(values, missing)).as_py()
    values = values.filter(pc.invert(pc.is_in(values, missing)))
    if not len(values):
        return TEXT
    if _all_match(values, WHOLE_NUMBER_PATTERN):
        return _form_of_whole_numbers(parse_numbers(values)[0], name)
    if _all_match(values, WHOLE_FLOAT_PATTERN):
        # If some are written as whole numbers, the others are meant as whole numbers too.
        has_gap = (
            some_missing or pc.any(pc.match_substring_regex(values, WHOLE_NUMBER_PATTERN)).as_py()
        )
        return _form_of_floats(parse_numbers(values)[0], name, has_gap)
    if _all_match(values, NUMBER_PATTERN):
        return _form_of_floats(parse_numbers(values)[0], name, has_gap=False)
    if len(values) < MAX_SPELLINGS and _are_booleans(values):
        return BOOLEAN
    if _all_match(values, TIME_PATTERN):
        return TIME_PARTS
    return OTHER_TIMES if _all_match(values, OTHER_TIME) else TEXT


def _form_of_whole_numbers(numbers, name):
    if TIME_NAME.search(name) and is_epoch(numbers):
        return TIME_PARTS
    return WHOLE


def _form_of_floats(numbers, name, has_gap):
    """Returns the form of floats, float64; gaps make ids of them if they are all whole."""
    values = np.asarray(numbers.drop_null())
    has_gap = has_gap or bool(np.isnan(values).any())
    values = values[~np.isnan(values)]
    if not len(values) or (values != np.floor(values)).any():  # infinity is whole
        return NUMBER
    if np.abs(values).max() >= MAX_WHOLE_FLOAT and np.isfinite(values).all():
        return "whole numbers beyond 2^53 as floats, whose last digits are lost"
    if TIME_NAME.search(name) and is_epoch(pa.array(values)):
        return TIME_PARTS
    return WHOLE if has_gap else NUMBER


def _are_booleans(values):
    words = set(pc.utf8_lower(pc.utf8_trim_whitespace(values)).to_pylist())
    return words == {word for pair in OPPOSITES if set(pair) <= words for word in pair}


def _all_match(values, pattern):
    return pc.all(pc.match_substring_regex(values, pattern)).as_py()
