"""Columns of several values a row, as lists or as text with a separator between them."""

from collections.abc import Callable

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from interhat_tf.preprocessing.fields import Column

SEPARATORS = ("|", ";", ",", "^", "/")
"""What logs have between several values of a text."""

ReadValues = Callable[[Column], tuple[Column, np.ndarray]]
"""Reads single values as text and says whether each is valid."""


def is_list(dtype: pa.DataType) -> bool:
    """Returns whether a type is one of lists."""
    return any(
        of_kind(dtype)
        for of_kind in (
            pa.types.is_list,
            pa.types.is_large_list,
            pa.types.is_fixed_size_list,
        )
    )


def read_lists(
    column: Column, separator: str | None, read: ReadValues, may_be_empty: bool = False
) -> tuple[pa.ListArray, np.ndarray]:
    """Reads each row's values, in their order, as a list of texts.

    A value that is missing or empty is none, so that `Comedy||Drama` has two. A row without
    a value has one, the empty text: the missing value, which is a value like any other. If
    rows may be empty, it has none.

    Args:
        column: Lists, or text.
        separator: What stands between two values of a text, blanks around it left out;
            `None` if there is no such text.
        read: How the values are read.
        may_be_empty: Whether rows may be empty. Defaults to `False`.

    Returns:
        The lists, and whether each row's values were right, (rows,)
        booleans. A text that has no separator is no list.

    Raises:
        pa.ArrowException: If a list is one of lists, or the column holds neither.

    Example:

    >>> from interhat_tf.preprocessing.column_forms import TEXT, read_form
    >>> rows = pa.array(["Comedy | Drama", "", None, "War"])
    >>> read_lists(rows, "|", lambda values: read_form(values, TEXT))[0].to_pylist()
    [['Comedy', 'Drama'], [''], [''], ['War']]
    """
    if isinstance(column, pa.ChunkedArray):
        column = column.combine_chunks()
    rows, right = len(column), np.ones(len(column), bool)
    if is_list(column.type):
        lists = column
        if is_list(column.type.value_type):
            raise pa.ArrowInvalid("a list within a list; a field has one list of values a row")
    else:
        texts = pc.fill_null(column.cast(pa.string()), "")
        if separator is None:
            right = np.asarray(pc.equal(texts, ""))
        lists = pc.split_pattern(texts, separator or "\n")
    lengths = np.asarray(pc.fill_null(pc.list_value_length(lists), 0))
    values, of_values = read(lists.flatten())
    parents = np.repeat(np.arange(rows), lengths)
    right[parents[~of_values]] = False
    if not is_list(column.type):
        values = pc.utf8_trim_whitespace(values)
    present = pc.not_equal(values, "")
    values, parents = values.filter(present), parents[np.asarray(present)]
    counts = np.bincount(parents, minlength=rows)
    empty = np.flatnonzero(counts == 0)
    if len(empty) and not may_be_empty:
        values, counts = _with_missing(values, parents, empty), np.maximum(counts, 1)
    offsets = np.concatenate([[0], np.cumsum(counts)]).astype(np.int32)
    return pa.ListArray.from_arrays(pa.array(offsets), _whole(values)), right


def separator_of(texts: pa.Array) -> str:
    """Returns what seems to stand between several values of each text, or nothing.

    Between values it is if the parts are far fewer than the texts that are made of them;
    commas of titles are not.

    Args:
        texts: Different texts.

    Example:

    >>> separator_of(pa.array(["a|b", "b|c", "a|c", "a", "c|a", "b|a|c", "c|b", "b"]))
    '|'
    >>> separator_of(pa.array(["Alien, The", "Matrix, The", "Up", "Heat, Dead"]))
    ''
    """
    texts = texts.filter(pc.not_equal(texts, ""))
    for separator in SEPARATORS:
        several = texts.filter(pc.match_substring(texts, separator))
        if len(several) * 2 >= max(len(texts), 1):
            parts = pc.unique(pc.list_flatten(pc.split_pattern(texts, separator)))
            if len(parts) * 2 < len(texts):
                return separator
    return ""


def _with_missing(values: Column, parents: np.ndarray, empty: np.ndarray) -> pa.Array:
    """Returns values by their rows, which rise, and the empty text of each row without any."""
    order = np.argsort(np.concatenate([parents, empty]), kind="stable")
    none = pa.array([""] * len(empty), pa.string())
    return pa.concat_arrays([_whole(values), none]).take(pa.array(order))


def _whole(column: Column) -> pa.Array:
    return column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column
