"""Which kind of log it is that a user gives: files of text, of JSON, of Parquet, or a table."""

import os
from collections.abc import Iterable, Sequence
from typing import Any, Protocol

import pyarrow as pa

from interhat_tf.errors import SettingError
from interhat_tf.preprocessing.column_forms import Reading
from interhat_tf.preprocessing.json_log import JsonLog
from interhat_tf.preprocessing.log_files import COMPRESSIONS, check_file, log_path, part_files
from interhat_tf.preprocessing.parquet_log import ParquetLog
from interhat_tf.preprocessing.table_log import TableLog, as_table, is_table
from interhat_tf.preprocessing.text_log import TextLog

TEXT_SUFFIXES = (".csv", ".tsv", ".txt")
JSON_SUFFIXES = (".json", ".jsonl", ".ndjson")

Path = str | os.PathLike
"""A file or a folder."""


class Log(Protocol):
    """Rows of columns, to be read in chunks."""

    @property
    def paths(self) -> list[str]:
        """The files, or what messages call them."""

    @property
    def identity(self) -> list[list[Any]]:
        """What another log would not have: each file's path and size, or a digest."""

    @property
    def columns(self) -> list[str]:
        """The columns' names."""

    @property
    def rows(self) -> int:
        """Number of rows."""

    @property
    def chunks(self) -> Iterable[Any]:
        """The `FileChunk`s."""

    def sample(self) -> pa.Table:
        """Returns some rows, all columns as they are."""

    def read(
        self, chunk: Any, others: Iterable[str], reading: Reading, numbers: Sequence[str] = ()
    ) -> pa.Table:
        """Returns the columns of a chunk that fields are read from, and others.

        Args:
            chunk: One of `chunks`.
            others: Further columns, such as the label's.
            reading: How the fields are read.
            numbers: Further columns, of numbers.
        """


def find_log(data: Any, delimiter: str | None = None, encoding: str | None = None) -> Log:
    """Returns the log that files, folders or a table hold.

    Args:
        data: See `interhat_tf.prepare_click_log`.
        delimiter: The character between two values of a text file; `None` as it
            follows from the file's name.
        encoding: A text file's encoding; `None` for UTF-8.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If the files are of no known kind, or of several, or the
            encoding is none that is read.
    """
    if encoding:
        _check_encoding(encoding)
    if delimiter is not None and (len(delimiter.encode()) != 1 or delimiter in '"\r\n'):
        raise SettingError(f"delimiter is {delimiter!r}; it is one character, such as ',' or ';'")
    if is_table(data):
        return TableLog(as_table(data))
    paths = [data] if isinstance(data, str | os.PathLike) else list(data)
    files = [file for path in paths for file in _files(log_path(path))]
    if not files:
        raise FileNotFoundError("a click log needs at least one file; none was given")
    suffixes = [_suffix(path) for path in files]
    names = [str(path) for path in files]
    if set(suffixes) == {".parquet"}:
        return ParquetLog(names)
    if set(suffixes) <= set(JSON_SUFFIXES):
        return JsonLog(names)
    if set(suffixes) <= set(TEXT_SUFFIXES):
        separator = delimiter or ("\t" if suffixes[0] == ".tsv" else ",")
        return TextLog(names, separator, encoding)
    wrong = next(
        (file for file, suffix in zip(names, suffixes, strict=True) if suffix != suffixes[0]),
        names[0],
    )
    raise SettingError(
        f"{wrong}: a log is text files ({', '.join(TEXT_SUFFIXES)}), JSON lines files "
        f"({', '.join(JSON_SUFFIXES)}), each plain or compressed ({', '.join(COMPRESSIONS)}), "
        f"or Parquet files (.parquet), all of one kind; rename the file"
    )


def _check_encoding(encoding):
    try:
        plain = "\n,".encode(encoding) == b"\n,"
    except LookupError:
        plain = False
    if not plain:
        raise SettingError(
            f"encoding is {encoding!r}; only encodings that contain ASCII can be read, such as "
            f"latin-1, cp1252 or shift_jis; convert the file to UTF-8"
        )


def _files(path):
    """Returns a file, or the parts in a folder but for hidden files and those Spark adds."""
    if path.is_dir():
        parts = part_files(path)
        if not parts:
            raise FileNotFoundError(f"{path} is a folder without files; give a click log")
        return parts
    check_file(path)
    return [path]


def _suffix(path):
    return (path.with_suffix("") if path.suffix in COMPRESSIONS else path).suffix
