"""Text files of a log cut into chunks of whole lines.

`log_chunks` cuts a log. Each chunk can be read without the others, in another
thread or on another machine; `text_parsing.parse` turns it into a table.
"""

import bisect
import csv
import dataclasses
import os
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, BinaryIO

import numpy as np
from etils import epath
from tqdm import tqdm

from interhat_tf.errors import DataError
from interhat_tf.preprocessing.log_files import is_compressed, open_content
from interhat_tf.preprocessing.quoted_lines import record_ends, rows_of_more_lines
from interhat_tf.utils.short_text import shortened

CHUNK_BYTES = 32 << 20

MAX_LINE_BYTES = 1 << 20
"""Length of the longest line; as many bytes are parsed at once, which is faster than more."""

# A value may be as long as its line, for Python's csv too.
csv.field_size_limit(2**31 - 1)

READ_BYTES = 1 << 18

TOO_LONG = f"the line is longer than {MAX_LINE_BYTES} bytes; lines end in \\n or \\r\\n"

NOT_CLOSED = "a double quote is not closed; close it, or double it where it is text"

RETURNS = "a carriage return is within the line; lines end in \\n or \\r\\n"

LAST_BYTES = 1 << 20

OTHER_FORMATS = {
    b"\x1f\x8b": "gzip; give it a name that ends in .gz",
    b"\x28\xb5\x2f\xfd": "zstd; give it a name that ends in .zst",
    b"PK\x03\x04": "zip; unpack it",
    b"BZh": "bzip2; give it a name that ends in .bz2",
    b"PAR1": "Parquet; store it as text",
}
"""First bytes of files that are not text, and what to do with them."""


@dataclasses.dataclass(frozen=True)
class TextChunk:
    """Consecutive whole lines of a text file.

    Args:
        path: The file.
        first_line: Number of its first line in the file, from 1.
        first_row: Number of its first row in the whole log, over all files,
            from 0. Header lines are not rows.
        rows: Number of its rows.
        offset: Position of its first byte in the file's content.
        length: Number of its bytes.
        data: Its bytes, where the file is compressed and cannot be read from
            the middle.
        longer_rows: The rows whose values hold line ends, from 0, in order, each
            once for every such. Defaults to none: a row is a line.
    """

    path: str
    first_line: int
    first_row: int
    rows: int
    offset: int
    length: int
    data: bytes | None = dataclasses.field(default=None, repr=False)
    longer_rows: tuple[int, ...] = dataclasses.field(default=(), repr=False)

    def line_of(self, row: int) -> int:
        """Returns the number of a row's first line in the file; the row counts from 0."""
        return self.first_line + row + bisect.bisect_left(self.longer_rows, row)

    def read(self) -> bytes:
        """Returns the bytes of the lines."""
        if self.data is not None:
            return self.data
        with epath.Path(self.path).open("rb") as file:
            file.seek(self.offset)
            return file.read(self.length)


def log_chunks(paths: Sequence[str], *, share: float = 1.0, **options: Any) -> Iterable[TextChunk]:
    """Returns the chunks of a log or of its first rows, to be iterated over any number of times.

    Args:
        paths: The log's files, in order.
        share: Which part of the rows to take, from the first on. Defaults to
            1.0: all.
        options: Arguments of `text_chunks`.

    Returns:
        A list of `TextChunk`s, if all files are plain; otherwise an iterable
        that reads the files again each time.

    Raises:
        ValueError: As `text_chunks` does, or if the share of the log has no
            rows. An iterable does so when it is iterated over.
    """

    def first_rows(total: int) -> int:
        if int(share * total) == 0:
            raise DataError(
                f"{paths[0]}: {share:.0%} of {total} rows is less than one row; add rows"
            )
        return int(share * total)

    if not any(map(is_compressed, paths)):
        found = list(_show_progress(text_chunks(paths, **options)))
        return list(first_chunks(found, first_rows(sum(chunk.rows for chunk in found))))
    if share == 1:
        return _CompressedChunks(paths, options)
    total = sum(chunk.rows for chunk in _show_progress(text_chunks(paths, **options)))
    return _CompressedChunks(paths, options, first_rows(total))


@dataclasses.dataclass(frozen=True)
class _CompressedChunks:
    """The chunks of files, some of them compressed: too large to be kept.

    Args:
        paths: The files.
        options: Arguments of `text_chunks`.
        rows: Number of rows to take. Defaults to `None`: all.
    """

    paths: Sequence[str]
    options: dict[str, Any]
    rows: int | None = None

    def __iter__(self) -> Iterator[TextChunk]:
        found = text_chunks(self.paths, **self.options)
        return found if self.rows is None else first_chunks(found, self.rows)


def text_chunks(
    paths: Sequence[str],
    *,
    header: Iterable[str] | None = None,
    delimiter: str = ",",
    quoting: bool = False,
    encoding: str | None = None,
    chunk_bytes: int = CHUNK_BYTES,
) -> Iterator[TextChunk]:
    """Cuts text files into chunks of whole lines.

    The files are read to count their lines; a plain file's content is not kept.

    Args:
        paths: The files, in order. Their names say whether they are compressed
            (`.gz`, `.zst`, `.bz2`).
        header: The column names that the first line of each file has to give.
            Defaults to `None`: the first line is a row.
        delimiter: The character between two names of the header. Defaults to a
            comma.
        quoting: Whether names and values may be in double quotes, and values
            then hold line ends. Defaults to `False`.
        encoding: The header's encoding. Defaults to `None`: UTF-8.
        chunk_bytes: A chunk ends with the first line that makes it this long.
            Defaults to 32 MiB.

    Yields:
        `TextChunk`s, which hold all lines but the headers.

    Raises:
        ValueError: If a file is empty, has no rows, has another header, is not
            text, or is compressed and cut off. The message names the file.
    """
    row = 0
    for path in paths:
        with open_content(path) as stream:
            start, skipped = _first_line(path, stream), 0
            if header is not None:
                _check_header(path, start, list(header), delimiter, quoting, encoding)
                start, skipped = b"", len(start)
            rows_before = row
            if quoting:
                found = _records_of_file(path, stream, start, skipped, chunk_bytes, row, delimiter)
            else:
                found = _chunks_of_file(path, stream, start, skipped, chunk_bytes, row)
            for chunk in found:
                row = chunk.first_row + chunk.rows
                yield chunk
        if row == rows_before:
            raise DataError(f"{path}: the file has no rows; get the file again, or remove it")


def first_chunks(chunks: Iterable[TextChunk], rows: int) -> Iterator[TextChunk]:
    """Yields the chunks of the first `rows` rows; the last one is cut."""
    if rows == 0:
        return
    for chunk in chunks:
        if chunk.rows >= rows:
            yield _cut(chunk, rows)
            return
        yield chunk
        rows -= chunk.rows


def last_rows(path: str, after: int) -> list[TextChunk]:
    """Returns a chunk of the whole lines in the last MiB of a plain file, to look at them.

    Args:
        path: The file.
        after: Position before which no line is taken; 0 for that after the header.

    Returns:
        A list of one chunk, whose position is counted from its own start, or of none.
    """
    with epath.Path(path).open("rb") as file:
        start = max(file.seek(0, os.SEEK_END) - LAST_BYTES, after)
        file.seek(start)
        data = file.read()
    if start != after or after == 0:
        data = data[data.find(b"\n") + 1 :]
    rows = len(line_ends(data)) if data else 0
    return [TextChunk(str(path), 1, 0, rows, 0, len(data), data)] if rows else []


def read_header(
    path: str, delimiter: str, quoting: bool = False, encoding: str | None = None
) -> list[str]:
    """Returns the column names in the first line of a file.

    Args:
        path: The file.
        delimiter: The character between two names.
        quoting: Whether names may be in double quotes. Defaults to `False`.
        encoding: The file's encoding. Defaults to `None`: UTF-8.

    Raises:
        ValueError: If the file is empty or not text, or a name occurs twice.
    """
    with open_content(path) as stream:
        names = _column_names(path, _first_line(path, stream), delimiter, quoting, encoding)
    others = [mark for mark in ";\t|," if mark != delimiter and mark in names[0]]
    if len(names) == 1 and others:
        raise DataError(
            f"{path}:1: the header is one column, {shortened(names[0])!r}; give the character "
            f"between columns with delimiter={others[0]!r}"
        )
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise DataError(f"{path}:1: column {twice[0]!r} occurs twice; rename one")
    return names


def split_line(text: str, delimiter: str, quoting: bool) -> list[str]:
    """Returns the values of a line, which may be in double quotes if `quoting`."""
    return next(csv.reader([text], delimiter=delimiter)) if quoting else text.split(delimiter)


def line_ends(data: bytes) -> np.ndarray:
    """Returns the position after each line of `data`; the last line needs no end."""
    ends = np.flatnonzero(np.frombuffer(data, np.uint8) == ord("\n")) + 1
    return ends if data.endswith(b"\n") else np.append(ends, len(data))


def _chunks_of_file(path, stream, start, offset, chunk_bytes, row):
    """Yields the chunks of an open file.

    Args:
        path: The file.
        stream: Its content, read up to the first row's end, or the header's.
        start: The first row's bytes, or none if the first line was the header.
        offset: Length of the header.
        chunk_bytes: A chunk ends with the first line that makes it this long.
        row: Number of the file's first row in the log.
    """
    line = 2 if offset else 1
    while True:
        rows, length, blocks = 0, 0, []
        for block in _blocks(stream, start, chunk_bytes):
            rows += _count_lines(block)
            length += len(block)
            if is_compressed(path):
                blocks.append(block)
            end = block[-1:]
        if not length:
            return
        if end != b"\n":
            rows += 1  # the last line of a file needs no end
            if len(block) >= MAX_LINE_BYTES:
                raise DataError(_too_long(path, line + rows - 1))
        data = b"".join(blocks) if blocks else None
        yield TextChunk(str(path), line, row, rows, offset, length, data)
        line, row, offset, start = line + rows, row + rows, offset + length, b""


def _records_of_file(path, stream, start, offset, chunk_bytes, row, delimiter):
    """Yields the chunks of an open file whose values may hold line ends; see `_chunks_of_file`."""
    line, rest, block = (2 if offset else 1), start, b" "
    while block:
        block = stream.read(chunk_bytes)
        data = rest + block
        if block or data.endswith(b"\n"):
            ends = record_ends(data, delimiter)
        else:  # the last line of a file needs no end
            ends = np.minimum(record_ends(data + b"\n", delimiter), len(data))
        length = int(ends[-1]) if len(ends) else 0
        rest = data[length:]
        if len(rest) > MAX_LINE_BYTES or (b"\n" in rest and not block):
            at = line + data.count(b"\n", 0, length)
            closed = b"\n" not in rest
            raise DataError(_too_long(path, at) if closed else f"{path}:{at}: {NOT_CLOSED}")
        if rest and not block:  # the last line of a file needs no end
            ends, length, rest = np.append(ends, len(data)), len(data), b""
        if length:
            kept = data[:length] if is_compressed(path) else None
            longer = rows_of_more_lines(data[:length], ends)
            yield TextChunk(str(path), line, row, len(ends), offset, length, kept, longer)
            line, row, offset = line + len(ends) + len(longer), row + len(ends), offset + length


def _blocks(stream: BinaryIO, start: bytes, size: int) -> Iterator[bytes]:
    """Yields `start` and what follows it up to `size` bytes and the end of a line.

    Blocks are small, so that their lines are counted while they are in the
    processor's cache.
    """
    block = start
    if block:
        yield block
        size -= len(block)
    while size > 0 and (block := stream.read(min(size, READ_BYTES))):
        yield block
        size -= len(block)
    if block and block[-1:] != b"\n" and (block := stream.readline(MAX_LINE_BYTES)):
        yield block


def _first_line(path, stream):
    line = stream.readline(MAX_LINE_BYTES)
    if not line:
        raise DataError(f"{path}: the file is empty; get the file again, or remove it")
    for magic, advice in OTHER_FORMATS.items():
        if line.startswith(magic):
            raise DataError(f"{path}: the file is not text but {advice}")
    if b"\0" in line:
        raise DataError(
            f"{path}: the file is not text in UTF-8; get the file again, or convert it to UTF-8"
        )
    if len(line) == MAX_LINE_BYTES:
        raise DataError(_too_long(path, 1))
    return line


def _check_header(path, line, expected, delimiter, quoting, encoding):
    names = _column_names(path, line, delimiter, quoting, encoding)
    if names != expected:
        raise DataError(
            f"{path}:1: the header must be {', '.join(expected)}; found {', '.join(names)}"
        )


def _column_names(path, line, delimiter, quoting, encoding):
    try:
        text = line.decode(encoding or "utf-8-sig")
    except UnicodeDecodeError as error:
        raise DataError(
            f"{path}:1: the header is not in {encoding or 'UTF-8'}; give encoding=, or convert it"
        ) from error
    text = text.rstrip("\r\n")
    if "\r" in text:
        raise DataError(f"{path}:1: {RETURNS}")
    if quoting and text.count('"') % 2:
        raise DataError(
            f"{path}:1: the header ends within a double quote; close it, and rename columns whose "
            f"names hold a line end"
        )
    return split_line(text, delimiter, quoting)


def _too_long(path, line):
    return f"{path}:{line}: {TOO_LONG}"


def _count_lines(data):
    # Several times as fast as `data.count`, and other threads run meanwhile.
    return int(np.count_nonzero(np.frombuffer(data, np.uint8) == ord("\n")))


def _cut(chunk, rows):
    if chunk.rows == rows:
        return chunk
    data = chunk.read()
    length = int(line_ends(data)[rows - 1])
    kept = None if chunk.data is None else data[:length]
    return dataclasses.replace(chunk, rows=rows, length=length, data=kept)


def _show_progress(chunks):
    # `disable=None` shows the bar on a terminal only.
    with tqdm(desc="Counting rows", unit="B", unit_scale=True, leave=False, disable=None) as bar:
        for chunk in chunks:
            yield chunk
            bar.update(chunk.length)
