"""Which column of a click log is the label, and which kind of field each of the others is."""

from collections.abc import Iterable, Sequence
from typing import Protocol

import pyarrow as pa
import pyarrow.compute as pc

from interhat_tf.preprocessing.fields import NUMBER, Column
from interhat_tf.schema import CATEGORICAL, NUMERICAL

LABEL_NAMES = ("click", "clicked", "label", "target", "y")

WHOLE_NUMBER = r"^\s*[+-]?\d+\s*$"

DATE = r"(\d{4}[-/]\d\d?[-/]\d\d?|\d\d?[-/]\d\d?[-/]\d{4})"
TIME = r"\d\d?:\d\d(:\d\d.*)?"
DATE_OR_TIME = rf"^({DATE}([T ]{TIME})?|{TIME})$"


class LogColumns(Protocol):
    """What is asked of a log: its files, its columns and what they look like."""

    @property
    def paths(self) -> list[str]:
        """The files."""

    @property
    def columns(self) -> list[str]:
        """The columns' names."""

    def kind(self, column: str) -> str:
        """Returns a column's kind, or what it is if that can be neither."""


def find_label(columns: Sequence[str], label: str | None) -> str:
    """Returns the name of the column of labels.

    Args:
        columns: The names of the log's columns.
        label: The name that was given, or `None`.

    Raises:
        ValueError: If there is no such column; or, where none was given, not
            exactly one has a name of `LABEL_NAMES`.

    Example:

    >>> find_label(["user", "Click"], None)
    'Click'
    """
    if label is None:
        found = [column for column in columns if column.lower() in LABEL_NAMES]
        if len(found) != 1:
            raise ValueError(
                f"{' and '.join(found) or 'none'} of the columns {', '.join(columns)} may be the "
                f"label; name it with label=, or the character between columns with delimiter="
            )
        return found[0]
    if label not in columns:
        raise ValueError(f"there is no column {label!r}; there are {', '.join(columns)}")
    return label


def infer_kinds(log: LogColumns, label: str) -> dict[str, str]:
    """Returns the kind of each column but the label.

    Args:
        log: The log.
        label: Name of the column of labels.

    Raises:
        ValueError: If a column's kind cannot be inferred, or there is none.
    """
    kinds = {column: log.kind(column) for column in log.columns if column != label}
    problems = [
        f"column {column!r} is {kind}" if column else "a column has no name"
        for column, kind in kinds.items()
        if not column or kind not in (CATEGORICAL, NUMERICAL)
    ]
    if problems:
        raise ValueError(
            f"{log.paths[0]}: {', '.join(problems)}, so that fields cannot be inferred; "
            f"name the columns to use with categorical= and numerical="
        )
    if not kinds:
        raise ValueError(f"{log.paths[0]}: there is no column but the label")
    return kinds


def named_kinds(
    columns: Sequence[str], label: str, categorical: Iterable[str], numerical: Iterable[str]
) -> dict[str, str]:
    """Returns the kind of each column that is named.

    Args:
        columns: The names of the log's columns.
        label: Name of the column of labels.
        categorical: Names of the columns that become categorical fields.
        numerical: Names of the columns that become numerical fields.

    Raises:
        ValueError: If a column does not exist, is the label or is named twice,
            or none is named.
    """
    named = [*categorical, *numerical]
    for column in named:
        if column not in columns:
            raise ValueError(f"there is no column {column!r}; there are {', '.join(columns)}")
        if column == label:
            raise ValueError(f"column {column!r} is the label and cannot be a field as well")
        if named.count(column) > 1:
            raise ValueError(f"column {column!r} is named twice; a field has one kind")
    if not named:
        raise ValueError("categorical and numerical are both empty; name a column")
    return dict.fromkeys(categorical, CATEGORICAL) | dict.fromkeys(numerical, NUMERICAL)


def kind_of_texts(texts: Column) -> str:
    """Returns the kind of a column of texts, or what they are if that can be neither.

    Whole numbers, which are ids as a rule in click logs, are categorical, other
    numbers are numerical and other texts categorical.

    Args:
        texts: The column; a missing value is an empty text.

    Example:

    >>> kind_of_texts(pa.array(["7", ""])), kind_of_texts(pa.array(["0.5", "3"]))
    ('categorical', 'numerical')
    """
    values = pc.unique(texts)
    values = values.filter(pc.not_equal(values, ""))
    if not len(values):
        return f"empty in the first {len(texts)} rows"
    for pattern, kind in (
        (WHOLE_NUMBER, CATEGORICAL),
        (NUMBER, NUMERICAL),
        (DATE_OR_TIME, "dates or times"),
    ):
        if pc.all(pc.match_substring_regex(values, pattern)).as_py():
            return kind
    return CATEGORICAL


def kind_of_type(dtype: pa.DataType) -> str:
    """Returns the kind of a column of a type, or what it is if that can be neither.

    Text, booleans and whole numbers are categorical, other numbers numerical.

    Example:

    >>> kind_of_type(pa.int32()), kind_of_type(pa.float64()), kind_of_type(pa.date32())
    ('categorical', 'numerical', 'of type date32[day]')
    """
    if pa.types.is_dictionary(dtype):
        dtype = dtype.value_type
    if is_text(dtype) or pa.types.is_boolean(dtype) or pa.types.is_integer(dtype):
        return CATEGORICAL
    if pa.types.is_floating(dtype) or pa.types.is_decimal(dtype):
        return NUMERICAL
    return f"of type {dtype}"


def is_text(dtype: pa.DataType) -> bool:
    """Returns whether a type is one of text."""
    return (
        pa.types.is_string(dtype)
        or pa.types.is_large_string(dtype)
        or pa.types.is_string_view(dtype)
    )
