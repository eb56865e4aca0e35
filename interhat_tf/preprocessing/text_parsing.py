"""Parsing a chunk of a text file to a table, with errors that name the line and the column."""

import bisect
import codecs
import itertools
import re
from collections.abc import Callable, Iterable, Mapping, Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import csv as arrow_csv

from interhat_tf.errors import DataError
from interhat_tf.preprocessing.quoted_lines import record_ends
from interhat_tf.preprocessing.text_chunks import (
    MAX_LINE_BYTES,
    NOT_CLOSED,
    RETURNS,
    TOO_LONG,
    TextChunk,
    line_ends,
    split_line,
)
from interhat_tf.utils.short_text import shortened

HEXADECIMAL = r"^\s*[+-]?0[xX]"


def parse(
    chunk: TextChunk,
    columns: Mapping[str, pa.DataType],
    *,
    delimiter: str,
    include: Iterable[str] | None = None,
    quoting: bool = False,
    null_values: Sequence[str] = (),
    encoding: str | None = None,
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
        quoting: Whether a value may be in double quotes. Defaults to `False`.
        null_values: Words that are null in a column of numbers, as the empty
            value is. Defaults to none.
        encoding: The chunk's encoding, in which a line end is that of ASCII.
            Defaults to `None`: UTF-8.

    Returns:
        A `pyarrow.Table`, (rows, included columns).

    Raises:
        ValueError: If a line has a wrong number of values or is empty, or a
            value is not of its column's type or not in the encoding. The message names
            file, line and column.

    Example:

    >>> chunk = TextChunk("log.txt", 1, 0, rows=2, offset=0, length=10, data=b"3 red\n blue\n")
    >>> parse(chunk, {"size": pa.int64(), "colour": pa.string()}, delimiter=" ").to_pylist()
    [{'size': 3, 'colour': 'red'}, {'size': None, 'colour': 'blue'}]
    """
    include = list(columns if include is None else include)
    missing = ["", *null_values]

    whole = {name for name in include if pa.types.is_integer(columns[name])}

    def read(data: bytes, rows: int) -> pa.Table:
        options = (rows, delimiter, quoting, missing, bool(chunk.longer_rows))
        found = _read_csv(data, columns, include, *options)
        if whole and (b"x" in data or b"X" in data):  # pyarrow reads 0x1 as a number
            texts = _read_csv(
                data, {**columns, **dict.fromkeys(whole, pa.string())}, whole, *options
            )
            if any(pc.any(pc.match_substring_regex(text, HEXADECIMAL)).as_py() for text in texts):
                raise pa.ArrowInvalid("a hexadecimal number")
        return found

    data = chunk.read() if encoding is None else _read_in(encoding, chunk)
    try:
        return read(data, chunk.rows)
    except pa.ArrowInvalid as error:
        ends = record_ends(data, delimiter) if chunk.longer_rows else line_ends(data)
        if len(ends) != chunk.rows:
            raise DataError(
                f"{chunk.path}: the file has changed while it was read; start again"
            ) from error
        row = first_wrong_row(data, ends, read)
        lines = [data[start:end] for start, end in itertools.pairwise([0, *ends[: row + 1]])]
        if quoting and row and lines[row - 1].count(b'"') % 2:  # it swallowed this line
            row -= 1
        problem = _problem_of_line(lines[row], columns, delimiter, include, quoting, missing)
        raise DataError(f"{chunk.path}:{chunk.line_of(row)}: {problem}") from error


def first_wrong_row(data: bytes, ends: np.ndarray, read: Callable[[bytes, int], pa.Table]) -> int:
    """Finds the first line that cannot be read, by bisection.

    Args:
        data: The lines, of which one is wrong.
        ends: The position after each line.
        read: A function of some bytes and their number of lines, which raises
            `pa.ArrowInvalid` if one is wrong.

    Returns:
        The line's number, from 0.
    """

    def fails(row: int) -> bool:
        try:
            read(data[: ends[row]], row + 1)
        except pa.ArrowInvalid:
            return True
        return False

    return bisect.bisect_left(range(len(ends) - 1), True, key=fails)


def _read_in(encoding, chunk):
    """Returns the bytes of a chunk's lines in UTF-8."""
    data = chunk.read()
    try:
        return data.decode(encoding).encode()
    except UnicodeDecodeError as error:
        line = chunk.first_line + data[: error.start].count(b"\n")
        raise DataError(f"{chunk.path}:{line}: the line is not in {encoding}") from error


def _read_csv(data, columns, include, rows, delimiter, quoting, missing, longer_rows):
    quoting = quoting and b'"' in data  # without them a third of the time is saved
    table = arrow_csv.read_csv(
        pa.py_buffer(data),
        # Chunks are read in parallel; each by a single thread.
        arrow_csv.ReadOptions(
            column_names=list(columns), block_size=MAX_LINE_BYTES, use_threads=False
        ),
        # Empty lines are left out, which the number of rows then shows.
        arrow_csv.ParseOptions(
            delimiter=delimiter,
            quote_char='"' if quoting else False,
            newlines_in_values=longer_rows,
        ),
        arrow_csv.ConvertOptions(
            column_types=columns,
            include_columns=list(include),
            null_values=missing,
            strings_can_be_null=False,
        ),
    )
    if len(table) != rows:
        raise pa.ArrowInvalid(f"{len(table)} rows in {rows} lines")
    return table


def _problem_of_line(line, columns, delimiter, include, quoting, missing):
    """Says what is wrong with a line that pyarrow cannot read."""
    # Bytes that are not UTF-8 become surrogates, which tells them apart below.
    text = line.removeprefix(codecs.BOM_UTF8).decode(errors="surrogateescape")
    text = text.removesuffix("\n").removesuffix("\r")
    if not text:
        return "the line is empty; remove it"
    if len(line) > MAX_LINE_BYTES:
        return TOO_LONG
    if "\r" in text.replace("\r\n", ""):
        return RETURNS
    if quoting and text.count('"') % 2:
        return NOT_CLOSED
    values = split_line(text, delimiter, quoting)
    if len(values) != len(columns):
        return (
            f"expected {len(columns)} values, found {len(values)}; "
            f"the line is damaged or cut off, get the file again"
        )
    for name, value in zip(columns, values, strict=True):
        if name in include and (problem := _problem_of_value(value, columns[name], missing)):
            return f"{name} is {shortened(value)!r}; {problem}"
    return "a value is damaged; get the file again"


def _problem_of_value(value, dtype, missing):
    if any("\udc80" <= character <= "\udcff" for character in value):
        return "the value is not in UTF-8; give encoding=, or convert the file"
    if value in missing or pa.types.is_string(dtype):
        return None
    try:
        pa.array([value.strip()]).cast(dtype)
        if pa.types.is_integer(dtype) and re.match(HEXADECIMAL, value):
            raise pa.ArrowInvalid("a hexadecimal number")
    except pa.ArrowInvalid:
        if pa.types.is_integer(dtype):
            return "expected a whole number of at most 64 bits, or nothing where it is missing"
        return "expected a number, or nothing where it is missing"
    return None
