"""Reading the raw files of click logs: in pieces, as text, with errors that name the line."""

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from etils import epath
from pyarrow import csv

BLOCK_BYTES = 16 << 20


def manual_file(dl_manager, names, source):
    """Finds a file that the user has to get by hand.

    Args:
        dl_manager: The `tfds.download.DownloadManager` of a builder.
        names: Names the file may have; the first one found is used.
        source: Where the file comes from, for the message.

    Returns:
        The file's path.

    Raises:
        FileNotFoundError: If none of the names is in the manual folder.
    """
    try:
        folder = dl_manager.manual_dir
    except AssertionError:  # tfds: no folder was given, or it does not exist or is empty
        folder = epath.Path(getattr(dl_manager, "_manual_dir", None) or "<manual_dir>")
    for name in names:
        if (folder / name).exists():
            return folder / name
    raise FileNotFoundError(
        f"{folder / names[0]} is missing: get it from {source} and store it as "
        f"{' or '.join(names)} in the folder of the original files"
    )


def read_delimited(path, columns, *, delimiter, header=False):
    """Reads a delimited text file in pieces; every value stays the text it is.

    Files that end in `.gz` are decompressed as they are read.

    Args:
        path: The file.
        columns: Names of its columns, in their order in the file.
        delimiter: The character between two values; there is no quoting.
        header: Whether the first line names the columns.

    Yields:
        The number of the piece's first line, counted from 1, and the piece, a
        `pyarrow.Table` of strings.

    Raises:
        ValueError: If the file is empty or cut off, or a line has a wrong
            number of values. The message names the file and the line.
    """
    wrong = []

    def remember(row):
        wrong.append(row)
        return "error"

    line = 1
    try:
        with pa.input_stream(str(path), compression="detect") as stream:
            pieces = csv.open_csv(
                stream,
                # Without threads pyarrow knows the number of a wrong line.
                csv.ReadOptions(column_names=columns, block_size=BLOCK_BYTES, use_threads=False),
                csv.ParseOptions(
                    delimiter=delimiter,
                    quote_char=False,
                    ignore_empty_lines=False,
                    invalid_row_handler=remember,
                ),
                csv.ConvertOptions(
                    column_types=dict.fromkeys(columns, pa.string()), strings_can_be_null=False
                ),
            )
            for batch in pieces:
                piece, first_line = pa.Table.from_batches([batch]), line
                line += len(piece)
                if header and first_line == 1:
                    _check_header(path, piece, columns)
                    piece, first_line = piece.slice(1), 2
                if len(piece):
                    yield first_line, piece
    except (pa.ArrowInvalid, OSError, EOFError) as error:
        if wrong:
            row = wrong[-1]
            # The handler is not told the number of a line in the first piece.
            number = row.number or _line_number(path, row.text)
            raise ValueError(
                f"{path}:{number}: expected {row.expected_columns} values, found "
                f"{row.actual_columns}; the line is damaged or cut off, get the file again"
            ) from error
        problem = str(error).splitlines()[0]
        raise ValueError(
            f"{path}: the file is empty or cut off ({problem}); get the file again"
        ) from error
    if line == (2 if header else 1):
        raise ValueError(f"{path}: the file has no rows; get the file again")


def binary_labels(column, path, first_line):
    """Converts labels that are 0 and 1, or -1 and 1, to 0 and 1.

    Args:
        column: The labels, as text.
        path: Their file, for the message.
        first_line: The line of the first label, for the message.

    Returns:
        The labels, (rows,) uint8.

    Raises:
        ValueError: If there is another label. The message names file and line.

    Example:

    >>> binary_labels(pa.array(["-1", "1", "0"]), "log.txt", 1)
    array([0, 1, 0], dtype=uint8)
    """
    check_values(
        pc.is_in(column, pa.array(["-1", "0", "1"])),
        column,
        path,
        first_line,
        "label",
        "a label is 0 or 1, or -1 or 1",
    )
    return np.asarray(pc.equal(column, "1")).astype(np.uint8)


def check_values(right, column, path, first_line, field, rule):
    """Raises an error if a value of a column is wrong.

    Args:
        right: Whether each value is right, booleans.
        column: The values.
        path: Their file, for the message.
        first_line: The line of the first value, for the message.
        field: The field's name, for the message.
        rule: What a right value is, for the message.

    Raises:
        ValueError: If a value is wrong. The message names file, line and field.
    """
    right = np.asarray(right)
    if not right.all():
        row = int(right.argmin())
        raise ValueError(f"{path}:{first_line + row}: {field} is {column[row].as_py()!r}; {rule}")


def _check_header(path, piece, columns):
    found = [column[0].as_py() for column in piece.columns]
    if found != list(columns):
        raise ValueError(
            f"{path}:1: the header must be {', '.join(columns)}; found {', '.join(found)}"
        )


def _line_number(path, text):
    with pa.input_stream(str(path), compression="detect") as stream:
        for number, line in enumerate(stream, start=1):
            if line.rstrip(b"\r\n").decode(errors="replace") == text:
                return number
    return "?"
