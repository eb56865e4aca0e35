"""Reading the text files of click logs: in pieces of whole lines, with errors that name the line.

`log_files` finds a log's files, `log_pieces` cuts them, `parse` turns a piece
into a table. A piece can be read on its own, in another thread or on another
machine.
"""

import codecs
import contextlib
import csv
import dataclasses
import io
import itertools
from collections.abc import Iterable, Iterator, Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from etils import epath
from pyarrow import csv as arrow_csv
from tqdm import tqdm

PIECE_BYTES = 32 << 20

MAX_LINE_BYTES = 1 << 20
"""Length of the longest line; as many bytes are parsed at once, which is faster than more."""

READ_BYTES = 1 << 18

COMPRESSIONS = {".gz": "gzip", ".zst": "zstd"}

OTHER_FORMATS = {
    b"\x1f\x8b": "gzip; give it a name that ends in .gz",
    b"\x28\xb5\x2f\xfd": "zstd; give it a name that ends in .zst",
    b"PK\x03\x04": "zip; unpack it",
    b"BZh": "bzip2; unpack it",
    b"PAR1": "Parquet; store it as text",
}
"""First bytes of files that are no text, and what to do with them."""


@dataclasses.dataclass(frozen=True)
class Piece:
    """Consecutive whole lines of a text file.

    Args:
        path: The file.
        first_line: Number of its first line in the file, from 1.
        first_row: Number of its first row in the whole log, over all files,
            from 0. Header lines are no rows.
        rows: Number of its rows, a line each.
        offset: Position of its first byte in the file's content.
        length: Number of its bytes.
        data: Its bytes, where the file is compressed and cannot be read from
            the middle.
    """

    path: str
    first_line: int
    first_row: int
    rows: int
    offset: int
    length: int
    data: bytes | None = dataclasses.field(default=None, repr=False)

    def read(self):
        """Returns the bytes of the lines."""
        if self.data is not None:
            return self.data
        with epath.Path(self.path).open("rb") as file:
            file.seek(self.offset)
            return file.read(self.length)


def manual_folder(dl_manager):
    """Returns the folder of the original files, which need not exist, or the file that was given.

    Args:
        dl_manager: The `tfds.download.DownloadManager` of a builder.
    """
    try:
        return dl_manager.manual_dir
    except (AssertionError, NotADirectoryError):  # no folder, an empty one, or a file
        return epath.Path(getattr(dl_manager, "_manual_dir", None) or "<manual_dir>")


def log_files(folder, names, source):
    """Finds a log that the user has to get by hand.

    It is a file that has one of the names, plain or compressed (`NAME.gz`,
    `NAME.zst`), or a folder of that name with the log in parts. Parts are
    taken in the order of their names; hidden ones and those that start with
    `_`, as Spark adds them, are none.

    Args:
        folder: The folder of the original files, which may be the folder of
            parts itself, or the path of a file, which then has any name.
        names: Names the log may have; the first one found is used.
        source: Where the log comes from, for the message.

    Returns:
        The paths of its files, in order.

    Raises:
        FileNotFoundError: If there is no such file.
    """
    folder = epath.Path(folder)
    if folder.is_file():
        return [str(folder)]
    found = [folder / f"{name}{suffix}" for name in names for suffix in ("", *COMPRESSIONS)]
    if folder.name in names:
        found.append(folder)
    for path in found:
        if path.is_dir():
            if parts := part_files(path):
                return list(map(str, parts))
        elif path.exists():
            return [str(path)]
    raise FileNotFoundError(
        f"{folder / names[0]} is missing: get it from {source} and store it as "
        f"{' or '.join(names)}, plain or compressed (.gz, .zst), in the original files' folder"
    )


def part_files(folder):
    """Returns a folder's files by name, without hidden ones and those that start with `_`."""
    return sorted(path for path in folder.iterdir() if path.is_file() and path.name[0] not in "._")


def pieces(
    paths: Iterable[epath.Path],
    *,
    header: Sequence[str] | None = None,
    delimiter: str = ",",
    quoting: bool = False,
    piece_bytes: int = PIECE_BYTES,
) -> Iterator[Piece]:
    """Cuts text files into pieces of whole lines.

    The files are read to count their lines; a plain file's content is not kept.

    Args:
        paths: The files, in order. Their names say whether they are compressed
            (`.gz`, `.zst`).
        header: The column names that the first line of each file has to give.
            Defaults to `None`: the first line is a row.
        delimiter: The character between two names of the header.
        quoting: Whether the header's names may be in double quotes.
        piece_bytes: A piece ends with the first line that makes it as long.

    Yields:
        `Piece`s, which hold all lines but the headers.

    Raises:
        ValueError: If a file is empty, has no rows, has another header, is no
            text, or is compressed and cut off. The message names the file.
    """
    row = 0
    for path in paths:
        for piece in _pieces_of_file(path, header, delimiter, quoting, piece_bytes, row):
            row = piece.first_row + piece.rows
            yield piece


def read_header(path, delimiter, quoting=False):
    """Returns the column names in the first line of a file.

    Args:
        path: The file.
        delimiter: The character between two names.
        quoting: Whether names may be in double quotes.

    Raises:
        ValueError: If the file is empty or no text, or a name is there twice.
    """
    with _open(path) as stream:
        names = _column_names(path, _first_line(path, stream), delimiter, quoting)
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise ValueError(f"{path}:1: column {twice[0]!r} is there twice; rename one")
    return names


def first_pieces(pieces, rows):
    """Yields the pieces of the first `rows` rows; the last one is cut."""
    if rows == 0:
        return
    for piece in pieces:
        if piece.rows >= rows:
            yield _cut(piece, rows)
            return
        yield piece
        rows -= piece.rows


def log_pieces(paths, *, share=1.0, **options):
    """Returns the pieces of a log or of its first rows, to be gone through any number of times.

    Args:
        paths: The log's files, in order.
        share: Which part of the rows to take, from the first on. Defaults to
            1.0: all.
        options: Arguments of `pieces`.

    Returns:
        A list of `Piece`s, if all files are plain; otherwise an iterable that
        reads the files anew each time.

    Raises:
        ValueError: As `pieces` does, or if so small a part of the log has no
            rows. An iterable does so when it is gone through.
    """

    def first_rows(total):
        if int(share * total) == 0:
            raise ValueError(f"{paths[0]}: {share:.0%} of the {total} rows are none; add rows")
        return int(share * total)

    if not any(map(_is_compressed, paths)):
        found = list(_show_progress(pieces(paths, **options)))
        return list(first_pieces(found, first_rows(sum(piece.rows for piece in found))))
    if share == 1:
        return _CompressedPieces(paths, options)
    total = sum(piece.rows for piece in _show_progress(pieces(paths, **options)))
    return _CompressedPieces(paths, options, first_rows(total))


@dataclasses.dataclass(frozen=True)
class _CompressedPieces:
    """The pieces of files, some of them compressed: too large to be kept.

    Args:
        paths: The files.
        options: Arguments of `pieces`.
        rows: Number of rows to take. Defaults to `None`: all.
    """

    paths: list
    options: dict
    rows: int | None = None

    def __iter__(self):
        found = pieces(self.paths, **self.options)
        return found if self.rows is None else first_pieces(found, self.rows)


def parse(piece, columns, *, delimiter, include=None, quoting=False):
    r"""Reads the values of a piece.

    Lines end in `\n` or `\r\n`. An empty value is null in a column of
    numbers and `""` in a column of text.

    Args:
        piece: The `Piece`.
        columns: A dictionary of all column names, in their order in the file,
            and their types: `pa.string()`, `pa.int64()` or `pa.float64()`.
        delimiter: The character between two values.
        include: Names of the columns to read. Defaults to all; the values of
            others are counted but not looked at.
        quoting: Whether a value may be in double quotes. It cannot hold a line
            end then either.

    Returns:
        A `pyarrow.Table`, (rows, included columns).

    Raises:
        ValueError: If a line has a wrong number of values or is empty, or a
            value is not of its column's type or not UTF-8. The message names
            file, line and column.

    Example:

    >>> piece = Piece("log.txt", 1, 0, rows=2, offset=0, length=10, data=b"3 red\n blue\n")
    >>> parse(piece, {"size": pa.int64(), "colour": pa.string()}, delimiter=" ").to_pylist()
    [{'size': 3, 'colour': 'red'}, {'size': None, 'colour': 'blue'}]
    """
    include = list(columns if include is None else include)

    def read(data, rows):
        return _read_csv(data, rows, columns, delimiter, include, quoting)

    data = piece.read()
    try:
        return read(data, piece.rows)
    except pa.ArrowInvalid as error:
        ends = _line_ends(data)
        if len(ends) != piece.rows:
            raise ValueError(
                f"{piece.path}: the file has changed while it was read; start again"
            ) from error
        row = _first_wrong_row(data, ends, read)
        lines = [data[start:end] for start, end in itertools.pairwise([0, *ends[: row + 1]])]
        if quoting and row and lines[row - 1].count(b'"') % 2:  # it swallowed this line
            row -= 1
        problem = _problem_of_line(lines[row], columns, delimiter, include, quoting)
        raise ValueError(f"{piece.path}:{piece.first_line + row}: {problem}") from error


def binary_labels(column, piece, field="label"):
    """Converts labels that are 0 and 1, or -1 and 1, to 0 and 1.

    Args:
        column: The labels of a piece, as text.
        piece: The `Piece`, for the message.
        field: The column's name, for the message.

    Returns:
        The labels, (rows,) uint8.

    Raises:
        ValueError: If there is another label. The message names file and line.

    Example:

    >>> binary_labels(pa.array(["-1", "1", "0"]), Piece("log.txt", 1, 0, 3, 0, 7))
    array([0, 1, 0], dtype=uint8)
    """
    right = pc.is_in(column, pa.array(["-1", "0", "1"]))
    check_values(right, column, piece, field, "a label is 0 or 1, or -1 or 1")
    return np.asarray(pc.equal(column, "1")).astype(np.uint8)


def check_values(right, column, piece, field, rule):
    """Raises an error if a value of a column is wrong.

    Args:
        right: Whether each value is right, booleans.
        column: The values of a piece.
        piece: The `Piece`, for the message.
        field: The column's name, for the message.
        rule: What a right value is, for the message.

    Raises:
        ValueError: If a value is wrong. The message names file, line and field.
    """
    right = np.asarray(right)
    if not right.all():
        row = int(right.argmin())
        raise ValueError(
            f"{piece.path}:{piece.first_line + row}: {field} is {column[row].as_py()!r}; {rule}"
        )


def _show_progress(pieces):
    # `disable=None` shows the bar on a terminal only.
    with tqdm(desc="Counting rows", unit="B", unit_scale=True, leave=False, disable=None) as bar:
        for piece in pieces:
            yield piece
            bar.update(piece.length)


@contextlib.contextmanager
def _open(path):
    """Opens a file's content for reading; an error of the decompression names the file."""
    with epath.Path(path).open("rb") as file:
        if not _is_compressed(path):
            yield file
            return
        compression = COMPRESSIONS[epath.Path(path).suffix]
        try:
            with io.BufferedReader(pa.input_stream(file, compression=compression)) as stream:
                yield stream
        except OSError as error:
            problem = str(error).splitlines()[0]
            raise ValueError(
                f"{path}: the {compression} file is cut off or damaged ({problem}); "
                f"get the file again"
            ) from error


def _is_compressed(path):
    return epath.Path(path).suffix in COMPRESSIONS


def _pieces_of_file(path, header, delimiter, quoting, piece_bytes, first_row):
    line, row, offset = 1, first_row, 0
    with _open(path) as stream:
        start = _first_line(path, stream)
        if header is not None:
            names = _column_names(path, start, delimiter, quoting)
            if names != list(header):
                raise ValueError(
                    f"{path}:1: the header must be {', '.join(header)}; found {', '.join(names)}"
                )
            line, offset, start = 2, len(start), b""
        while True:
            rows, length, blocks = 0, 0, []
            for block in _blocks(stream, start, piece_bytes):
                rows += _count_lines(block)
                length += len(block)
                if _is_compressed(path):
                    blocks.append(block)
                end = block[-1:]
            if not length:
                break
            if end != b"\n":
                rows += 1  # the last line of a file needs no end
                if len(block) >= MAX_LINE_BYTES:
                    raise ValueError(_too_long(path, line + rows - 1))
            data = b"".join(blocks) if blocks else None
            yield Piece(str(path), line, row, rows, offset, length, data)
            line, row, offset, start = line + rows, row + rows, offset + length, b""
    if row == first_row:
        raise ValueError(f"{path}: the file has no rows; get the file again, or remove it")


def _blocks(stream, start, size):
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
        raise ValueError(f"{path}: the file is empty; get the file again, or remove it")
    for magic, advice in OTHER_FORMATS.items():
        if line.startswith(magic):
            raise ValueError(f"{path}: the file is no text but {advice}")
    if b"\0" in line:
        raise ValueError(
            f"{path}: the file is no text in UTF-8; get the file again, or convert it to UTF-8"
        )
    if len(line) == MAX_LINE_BYTES:
        raise ValueError(_too_long(path, 1))
    return line


def _too_long(path, line):
    return (
        f"{path}:{line}: the line is longer than {MAX_LINE_BYTES} bytes; "
        f"lines end in \\n or \\r\\n, get the file again"
    )


def _column_names(path, line, delimiter, quoting):
    try:
        text = line.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise ValueError(f"{path}:1: the header is not in UTF-8; convert the file") from error
    return _split(text.rstrip("\r\n"), delimiter, quoting)


def _split(text, delimiter, quoting):
    return next(csv.reader([text], delimiter=delimiter)) if quoting else text.split(delimiter)


def _line_ends(data):
    """Returns the position after each line of `data`, an array."""
    ends = np.flatnonzero(np.frombuffer(data, np.uint8) == ord("\n")) + 1
    return ends if data.endswith(b"\n") else np.append(ends, len(data))


def _count_lines(data):
    # Several times as fast as `data.count`, and other threads run meanwhile.
    return int(np.count_nonzero(np.frombuffer(data, np.uint8) == ord("\n")))


def _cut(piece, rows):
    if piece.rows == rows:
        return piece
    data = piece.read()
    length = int(_line_ends(data)[rows - 1])
    kept = None if piece.data is None else data[:length]
    return dataclasses.replace(piece, rows=rows, length=length, data=kept)


def _read_csv(data, rows, columns, delimiter, include, quoting):
    table = arrow_csv.read_csv(
        pa.py_buffer(data),
        # Pieces are read in parallel; each by a single thread.
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
    values = _split(text, delimiter, quoting)
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
