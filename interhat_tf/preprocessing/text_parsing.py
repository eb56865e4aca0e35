"""Parsing a chunk of a text file to a table, with errors that name the line and the column."""

import codecs
import itertools
from collections.abc import Iterable, Mapping

import pyarrow as pa
from pyarrow import csv as arrow_csv

from interhat_tf.preprocessing.text_chunks import (
    MAX_LINE_BYTES,
    TextChunk,
    line_ends,
    split_line,
)


def parse(
    chunk: TextChunk,
    columns: Mapping[str, pa.DataType],
    *,
    delimiter: str,
    include: Iterable[str] | None = None,
    quoting: bool = False,
) -> pa.Table:
    r"""Reads the values of a chunk.

    Lines end in `\n` or `\r\n`. An empty value is null in a column of
    numbers and `""` in a column of text.

    Args:
        chunk: The `TextChunk`.
        columns: A dictionary of all column names, in their order in the file,
            and their types: `pa.string()`, `pa.int64()` or `pa.float64()`.
        delimiter: The character between two values.
        include: Names of the columns to read. Defaults to all; the values of
            others are counted but not looked at.
        quoting: Whether a value may be in double quotes. It cannot hold a line
            end then either. Defaults to `False`.

    Returns:
        A `pyarrow.Table`, (rows, included columns).

    Raises:
        ValueError: If a line has a wrong number of values or is empty, or a
            value is not of its column's type or not UTF-8. The message names
            file, line and column.

    Example:

    >>> chunk = TextChunk("log.txt", 1, 0, rows=2, offset=0, length=10, data=b"3 red\n blue\n")
    >>> parse(chunk, {"size": pa.int64(), "colour": pa.string()}, delimiter=" ").to_pylist()
    [{'size': 3, 'colour': 'red'}, {'size': None, 'colour': 'blue'}]
    """
    include = list(columns if include is None else include)

    def read(data: bytes, rows: int) -> pa.Table:
        return _read_csv(data, rows, columns, delimiter, include, quoting)

    data = chunk.read()
    try:
        return read(data, chunk.rows)
    except pa.ArrowInvalid as error:
        ends = line_ends(data)
        if len(ends) != chunk.rows:
            raise ValueError(
                f"{chunk.path}: the file has changed while it was read; start again"
            ) from error
        row = _first_wrong_row(data, ends, read)
        lines = [data[start:end] for start, end in itertools.pairwise([0, *ends[: row + 1]])]
        if quoting and row and lines[row - 1].count(b'"') % 2:  # it swallowed this line
            row -= 1
        problem = _problem_of_line(lines[row], columns, delimiter, include, quoting)
        raise ValueError(f"{chunk.path}:{chunk.first_line + row}: {problem}") from error


def _read_csv(data, rows, columns, delimiter, include, quoting):
    table = arrow_csv.read_csv(
        pa.py_buffer(data),
        # Chunks are read in parallel; each by a single thread.
        arrow_csv.ReadOptions(
            column_names=list(columns), block_size=MAX_LINE_BYTES, use_threads=False
        ),
        # Empty lines are left out, which the number of rows then shows.
        arrow_csv.ParseOptions(delimiter=delimiter, quote_char='"' if quoting else False),
        arrow_csv.ConvertOptions(
            column_types=columns,
            include_columns=include,
            null_values=[""],
            strings_can_be_null=False,
        ),
    )
    if len(table) != rows:
        raise pa.ArrowInvalid(f"{len(table)} rows in {rows} lines")
    return table


def _first_wrong_row(data, ends, read):
    """Finds the first line that `read` cannot read, by bisection."""
    right, wrong = 0, len(ends)
    while wrong - right > 1:
        middle = (right + wrong) // 2
        try:
            read(data[: ends[middle - 1]], middle)
            right = middle
        except pa.ArrowInvalid:
            wrong = middle
    return right


def _problem_of_line(line, columns, delimiter, include, quoting):
    """Says what is wrong with a line that pyarrow cannot read."""
    # Bytes that are not UTF-8 become surrogates, which tells them apart below.
    text = line.removeprefix(codecs.BOM_UTF8).decode(errors="surrogateescape")
    text = text.removesuffix("\n").removesuffix("\r")
    if not text:
        return "the line is empty; remove it"
    if "\r" in text:
        return "a carriage return is within the line; lines end in \\n or \\r\\n"
    if quoting and text.count('"') % 2:
        return "a double quote is not closed; a value cannot hold a line end"
    values = split_line(text, delimiter, quoting)
    if len(values) != len(columns):
        return (
            f"expected {len(columns)} values, found {len(values)}; "
            f"the line is damaged or cut off, get the file again"
        )
    for name, value in zip(columns, values, strict=True):
        if name in include and (problem := _problem_of_value(value, columns[name])):
            shown = value if len(value) <= 50 else f"{value[:50]}…"
            return f"{name} is {shown!r}; {problem}"
    return f"a value is damaged, or the line longer than {MAX_LINE_BYTES} bytes; get the file again"


def _problem_of_value(value, dtype):
    if any("\udc80" <= character <= "\udcff" for character in value):
        return "the value is not in UTF-8; convert the file to UTF-8"
    if not value or pa.types.is_string(dtype):
        return None
    try:
        pa.array([value.strip()]).cast(dtype)
    except pa.ArrowInvalid:
        if pa.types.is_integer(dtype):
            return "expected a whole number of at most 64 bits, or nothing where it is missing"
        return "expected a number, or nothing where it is missing"
    return None
