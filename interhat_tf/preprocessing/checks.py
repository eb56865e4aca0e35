"""Checks of raw values, whose errors name the file, the line and the field."""

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from interhat_tf.errors import DataError
from interhat_tf.preprocessing.fields import Column
from interhat_tf.preprocessing.rows import FileChunk

FINITE = "a number must be finite, leave it empty where it is missing"


def check_values(
    right: Column | np.ndarray, column: Column, chunk: FileChunk, field: str, rule: str
) -> None:
    """Raises an error if a value of a column is wrong.

    Args:
        right: Whether each value is right, booleans.
        column: The values of a chunk.
        chunk: The chunk, for the message.
        field: The column's name, for the message.
        rule: What a right value is, for the message.

    Raises:
        ValueError: If a value is wrong. The message names file, line and field.
    """
    right = np.asarray(right)
    if not right.all():
        row = int(right.argmin())
        raise DataError(
            f"{chunk.path}:{chunk.line_of(row)}: {field} is {column[row].as_py()!r}; {rule}"
        )


def binary_labels(column: Column, chunk: FileChunk, field: str = "label") -> np.ndarray:
    """Converts labels that are 0 and 1, or -1 and 1, to 0 and 1.

    Args:
        column: The labels of a chunk, as text.
        chunk: The chunk, for the message.
        field: The column's name, for the message. Defaults to `"label"`.

    Returns:
        The labels, (rows,) uint8.

    Raises:
        ValueError: If there is another label. The message names file and line.

    Example:

    >>> from interhat_tf.preprocessing.text_chunks import TextChunk
    >>> chunk = TextChunk("log.txt", 1, 0, rows=3, offset=0, length=7)
    >>> binary_labels(pa.array(["-1", "1", "0"]), chunk)
    array([0, 1, 0], dtype=uint8)
    """
    right = pc.is_in(column, pa.array(["-1", "0", "1"]))
    check_values(right, column, chunk, field, "a label is 0 or 1, or -1 or 1")
    return np.asarray(pc.equal(column, "1")).astype(np.uint8)
