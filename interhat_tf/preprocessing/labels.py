"""Which column of a click log is the label, and which of its two values is a click."""

import dataclasses
from collections.abc import Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from interhat_tf.errors import DataError, SettingError
from interhat_tf.preprocessing.checks import check_values
from interhat_tf.preprocessing.column_forms import OPPOSITES
from interhat_tf.preprocessing.fields import Column, as_text
from interhat_tf.preprocessing.rows import FileChunk

LABEL_NAMES = ("click", "clicked", "label", "target", "y")

LABELS = (
    ("0", "1"),
    ("-1", "1"),
    *OPPOSITES,
    *((f"{no}{click}", click) for click in ("click", "clicked") for no in ("no", "no ", "no_")),
    *((f"{no}{click}", click) for click in ("click", "clicked") for no in ("no-", "non", "un")),
    *((f"{no}clicked", "clicked") for no in ("not ", "not_", "not-")),
    *(("impression", "click"), ("view", "click"), ("negative", "positive")),
)
"""Pairs of values, in any case, of which the second is plainly the click."""


@dataclasses.dataclass(frozen=True)
class Label:
    """The column of labels and its two values, as `plain_texts` gives them.

    Args:
        column: The column.
        negative: The value of a row without a click.
        positive: The value of a click.
    """

    column: str
    negative: str
    positive: str

    def read(self, column: Column, chunk: FileChunk) -> np.ndarray:
        """Returns the labels of a chunk as 0 and 1, (rows,) uint8.

        Raises:
            ValueError: If a value is neither of the two. The message names file and line.
        """
        text = as_text(column)
        both = pa.array([self.negative, self.positive])
        if not pc.all(pc.is_in(text, both)).as_py():
            text = plain_texts(text)
        rule = f"a label is {self.negative!r} or {self.positive!r}"
        check_values(pc.is_in(text, both), column, chunk, self.column, rule)
        return np.asarray(pc.equal(text, self.positive)).astype(np.uint8)


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
            raise SettingError(
                f"{' and '.join(found) or 'none'} of the columns {', '.join(columns)} may be the "
                f"label; name it with label=, or the character between columns with delimiter="
            )
        return found[0]
    if label not in columns:
        raise SettingError(f"there is no column {label!r}; there are {', '.join(columns)}")
    return label


def find_label_values(column: Column, name: str, positive: str | int | bool | None) -> Label:
    """Returns what the two values of a column of labels are.

    Args:
        column: The labels of the log's first rows.
        name: The column's name.
        positive: The value of a click, or `None` where it is plain: one of `LABELS`.

    Raises:
        ValueError: If the values are not two, or it is not plain which is the click.

    Example:

    >>> find_label_values(pa.array(["No", "YES", "no"]), "bought", None)
    Label(column='bought', negative='no', positive='yes')
    """
    try:
        texts = as_text(column)
    except pa.ArrowException as error:
        raise DataError(
            f"label {name!r} is of type {column.type}; a label is a number, a text or a boolean"
        ) from error
    counts = pc.value_counts(plain_texts(texts)).to_pylist()
    rows = {count["values"]: count["counts"] for count in counts if count["values"]}
    shown = ", ".join(map(repr, sorted(rows)[:5])) + ", …" * (len(rows) > 5)
    if positive is not None:
        click = plain_texts(pa.array([str(positive)]))[0].as_py()
        others = [value for value in rows if value != click]
        if len(others) != 1:
            raise DataError(
                f"label {name!r} has the values {shown}; beside the positive {click!r} "
                f"a label has one other"
            )
        return Label(name, others[0], click)
    pairs = [pair for pair in LABELS if set(pair) <= set(rows)]
    if not pairs and len(rows) == 1:
        pairs = [pair for pair in LABELS if set(rows) <= set(pair)]
    if pairs:
        # Where there is a third value, reading the log names its line.
        return Label(name, *max(pairs, key=lambda pair: sum(rows.get(value, 0) for value in pair)))
    if len(rows) == 2:
        raise DataError(f"label {name!r} has the values {shown}; name the click with positive=")
    raise DataError(
        f"label {name!r} has the values {shown or 'of no row'}; a label has two, such as 0 and 1; "
        f"name another column with label="
    )


def plain_texts(texts: Column) -> Column:
    """Returns texts in lower case, without space around them, whole numbers without `.0`."""
    lower = pc.utf8_lower(pc.utf8_trim_whitespace(texts))
    return pc.replace_substring_regex(lower, r"^([+-]?\d+)\.0*$", r"\1")
