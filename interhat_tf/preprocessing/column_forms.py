"""The forms in which a log's columns are read: what a value means, whoever wrote it.

A field's values come from a column in a form (`Source`); a `Reading` holds those of
all fields. The same reading serves the log's chunks, on any machine, and the
records that are encoded later.
"""

import dataclasses
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from interhat_tf.errors import DataError
from interhat_tf.preprocessing.fields import (
    Categorical,
    Column,
    Multivalued,
    Numerical,
    RawField,
    Sequential,
    as_text,
    parse_numbers,
)
from interhat_tf.preprocessing.times import days_of, hours_of, weekdays_of
from interhat_tf.preprocessing.value_lists import read_lists

NULL_VALUES = (
    *("NA", "N/A", "n/a", "#N/A", "NaN", "nan"),
    *("na", "<NA>", "null", "NULL", "Null", "None", "-", "?", "\\N"),
)
"""Words that stand for a missing value unless a column is text."""

TEXT, WHOLE, BOOLEAN, NUMBER = "text", "whole number", "true or false", "number"
HOUR, WEEKDAY, DAYS = "hour", "weekday", "days"
TEXTS, WHOLES = "list of text", "list of whole numbers"
TEXT_SEQUENCE, WHOLE_SEQUENCE = "sequence of text", "sequence of whole numbers"

FORMS: dict[str, type[RawField]] = {
    TEXT: Categorical,
    WHOLE: Categorical,
    BOOLEAN: Categorical,
    NUMBER: Numerical,
    HOUR: Categorical,
    WEEKDAY: Categorical,
    DAYS: Numerical,
    TEXTS: Multivalued,
    WHOLES: Multivalued,
    TEXT_SEQUENCE: Sequential,
    WHOLE_SEQUENCE: Sequential,
}
"""The forms, and what each makes of a column."""

TIME_RULE = "expected a date as 2024-01-31, with or without a time, or seconds since 1970"

RULES = {
    WHOLE: "a float is exact only up to 2^53: read the column as text or as Int64 (dtype=)",
    NUMBER: "expected a number, or nothing where it is missing",
    HOUR: TIME_RULE,
    WEEKDAY: TIME_RULE,
    DAYS: TIME_RULE,
    TEXTS: "expected a list of values; values in one text need a separator (multivalued=)",
    TEXT_SEQUENCE: "expected a list of values; values in one text need a separator (sequence=)",
    WHOLES: "expected a list of whole numbers, none of them a float of 2^53 or more",
    WHOLE_SEQUENCE: "expected a list of whole numbers, none of them a float of 2^53 or more",
}
"""What a value must be, of the forms that refuse some."""

IN_ORDER = {
    TEXTS: TEXT_SEQUENCE,
    TEXT: TEXT_SEQUENCE,
    WHOLES: WHOLE_SEQUENCE,
    WHOLE: WHOLE_SEQUENCE,
}
"""The form of a sequence of lists or of values of another form."""

ELEMENTS = {TEXTS: TEXT, WHOLES: WHOLE, TEXT_SEQUENCE: TEXT, WHOLE_SEQUENCE: WHOLE}
"""The forms of lists, and that of their values."""

OPPOSITES = (("false", "true"), ("f", "t"), ("no", "yes"), ("n", "y"), ("off", "on"))
"""How booleans are written, in any case."""

TIMES = {HOUR: hours_of, WEEKDAY: weekdays_of, DAYS: days_of}

MAX_WHOLE_FLOAT = 2.0**53

WHOLE_FLOAT_REPLACEMENT = r"^\s*([+-]?\d+)\.0+\s*$", r"\1"
"""A whole number that is written as a float, and what it is replaced by."""


@dataclasses.dataclass(frozen=True)
class Source:
    """Where a field's values come from.

    Args:
        column: The log's column.
        form: The form in which it is read, one of `FORMS`.
        separator: What stands between two values of a text, of a form of lists. Defaults
            to `None`: the column has lists.
    """

    column: str
    form: str
    separator: str | None = None

    def to_dict(self) -> dict[str, str]:
        """Returns the arguments; a source without a separator says nothing of it."""
        arguments = dataclasses.asdict(self)
        return {name: value for name, value in arguments.items() if value is not None}


@dataclasses.dataclass(frozen=True)
class Reading:
    """How the columns of a log become the values of fields.

    Args:
        sources: The `Source` of each field, by the field's name.
        null_values: Words that stand for a missing value, but in text.
            Defaults to none: only what is empty is missing.
    """

    sources: Mapping[str, Source]
    null_values: tuple[str, ...] = ()

    @classmethod
    def plain(cls, fields: Sequence[RawField]) -> "Reading":
        """Returns the reading of a log whose columns are the fields: text, or numbers."""
        forms: dict[type[RawField], str] = {
            Sequential: TEXT_SEQUENCE,
            Multivalued: TEXTS,
            Categorical: TEXT,
        }
        return cls({f.name: Source(f.name, forms.get(type(f), NUMBER)) for f in fields})

    @property
    def columns(self) -> list[str]:
        """The columns that are read, each once."""
        return list(dict.fromkeys(source.column for source in self.sources.values()))

    def with_others(self, others: Iterable[str]) -> list[str]:
        """Returns the columns that are read and others, such as the label's, each once."""
        return list(dict.fromkeys([*others, *self.columns]))

    def to_dict(self) -> dict[str, Any]:
        """Returns the reading as what JSON can hold; `from_dict` is the inverse."""
        sources = {name: source.to_dict() for name, source in self.sources.items()}
        return {"sources": sources, "null_values": list(self.null_values)}

    @classmethod
    def from_dict(cls, config: Mapping[str, Any]) -> "Reading":
        """Returns the reading that `to_dict` wrote."""
        sources = {name: Source(**source) for name, source in config["sources"].items()}
        if wrong := {source.form for source in sources.values()} - FORMS.keys():
            raise DataError(f"{wrong.pop()!r} is not a form in which columns are read")
        return cls(sources, tuple(config["null_values"]))


def read_form(
    column: Column, form: str, null_values: Sequence[str] = (), separator: str | None = None
) -> tuple[Column, np.ndarray]:
    """Reads a column in a form.

    Args:
        column: The column as the log has it: text, or any type that holds such values.
        form: The form:

            - `TEXT`: as it is written; a missing value is `""`.
            - `WHOLE`: so, but `17.0`, which pandas makes of ids next to empty
              cells, is `17`.
            - `BOOLEAN`: `true` and `false`, however they are spelt.
            - `NUMBER`: float64, null where missing.
            - `HOUR`, `WEEKDAY`: the hour, `"0"` to `"23"`, and the day, `"Monday"`
              to `"Sunday"`, of a time as it is written, whatever its zone.
            - `DAYS`: the days since 1970, float64.
            - `TEXTS`, `WHOLES`: lists of texts, or of whole numbers as text; see
              `value_lists.read_lists`.
            - `TEXT_SEQUENCE`, `WHOLE_SEQUENCE`: so, but a row without a value has none.
        null_values: Words that stand for a missing value, but in text.
        separator: What stands between two values of a text, for lists. Defaults to
            `None`: the column has lists.

    Returns:
        The values, and whether each was right, (rows,) booleans; see `RULES`.

    Raises:
        pa.ArrowException: If the column's type cannot be read in the form.

    Example:

    >>> read_form(pa.array(["17.0", "NA", "8"]), WHOLE, NULL_VALUES)[0].to_pylist()
    ['17', '', '8']
    >>> read_form(pa.array(["2024-01-31 07:30:00"]), HOUR)[0].to_pylist()
    ['7']
    """
    if form == TEXT:
        return as_text(column), np.ones(len(column), bool)
    if form in ELEMENTS:
        return read_lists(
            column,
            separator,
            lambda values: read_form(values, ELEMENTS[form], null_values),
            may_be_empty=FORMS[form] is Sequential,
        )
    if null_values:
        column = _without(column, null_values)
    if form == WHOLE:
        return _whole_numbers(column)
    if form == BOOLEAN:
        return _booleans(as_text(column)), np.ones(len(column), bool)
    if form == NUMBER:
        return parse_numbers(column)
    return TIMES[form](column)


def read_source(
    column: Column, source: Source, null_values: Sequence[str], where: str
) -> tuple[Column, np.ndarray]:
    """Reads a column as `read_form` does; an error of its type names the place and the column."""
    try:
        return read_form(column, source.form, null_values, source.separator)
    except pa.ArrowException as error:
        raise DataError(
            f"{where}: column {source.column!r} of type {column.type} cannot be read as "
            f"{source.form} ({error}); leave it out, or store it as text or numbers"
        ) from error


def value_type(column: Column) -> pa.DataType:
    """Returns the type of a column's values."""
    return column.type.value_type if pa.types.is_dictionary(column.type) else column.type


def _without(column, null_values):
    """Returns a column that is null where a word stands for a missing value, or not a number."""
    if pa.types.is_dictionary(column.type):
        column = column.cast(column.type.value_type)
    null = pa.scalar(None, column.type)
    if pa.types.is_floating(column.type):
        return pc.if_else(pc.is_nan(column), null, column) if "NaN" in null_values else column
    if pa.types.is_string(column.type) or pa.types.is_large_string(column.type):
        missing = pc.is_in(column, pa.array(null_values, column.type))
        return pc.if_else(missing, null, column) if pc.any(missing).as_py() else column
    return column


def _whole_numbers(column):
    dtype = value_type(column)
    if pa.types.is_floating(dtype):
        numbers = column.cast(pa.float64())
        right = np.asarray(pc.fill_null(pc.less(pc.abs(numbers), MAX_WHOLE_FLOAT), True))
        whole = pc.and_(pa.array(right), pc.equal(pc.floor(numbers), numbers))
        texts = pc.if_else(whole, numbers, pa.scalar(None, pa.float64())).cast(pa.int64())
        return as_text(pc.coalesce(texts.cast(pa.string()), numbers.cast(pa.string()))), right
    text = as_text(column)
    if pc.any(pc.match_substring(text, ".")).as_py():
        text = pc.replace_substring_regex(text, *WHOLE_FLOAT_REPLACEMENT)
    return text, np.ones(len(text), bool)


def _booleans(text):
    lower = pc.utf8_lower(pc.utf8_trim_whitespace(text))
    for value, words in zip(("false", "true"), zip(*OPPOSITES, strict=True), strict=True):
        text = pc.if_else(pc.is_in(lower, pa.array(words)), value, text)
    return text
