"""A click log of Parquet files."""

import contextlib
import dataclasses
import functools
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from etils import epath

from interhat_tf.errors import DataError
from interhat_tf.preprocessing.column_forms import Reading
from interhat_tf.preprocessing.file_log import FileLog
from interhat_tf.preprocessing.kinds import is_text, plain_text

CHUNK_ROWS = 1 << 17
"""Rows of a file that are read at once, at most."""

READ_BYTES = 1 << 20


@dataclasses.dataclass(frozen=True)
class RowGroupChunk:
    """Rows of a row group of a Parquet file.

    Args:
        path: The file.
        first_line: Number of the first row in the file, from 1.
        first_row: Number of the first row in the whole log, from 0.
        rows: Number of rows.
        group: Number of the row group.
        offset: Number of the first row in the row group, from 0.
    """

    path: str
    first_line: int
    first_row: int
    rows: int
    group: int
    offset: int

    def line_of(self, row: int) -> int:
        """Returns the number of a row, which counts from 0 here and from 1 there."""
        return self.first_line + row


@dataclasses.dataclass(frozen=True)
class ParquetLog(FileLog):
    """A log of Parquet files.

    Args:
        paths: The files, in order.
    """

    @functools.cached_property
    def columns(self) -> list[str]:
        """The columns' names."""
        names = self._schema.names
        if twice := sorted({name for name in names if names.count(name) > 1}):
            raise DataError(f"{self.paths[0]}: column {twice[0]!r} occurs twice; rename one")
        return names

    @functools.cached_property
    def chunks(self) -> list[RowGroupChunk]:
        """The log's chunks; files without rows, as Spark writes them, have none."""
        found, first_row = [], 0
        for path in self.paths:
            with _open(path) as file:
                metadata = file.metadata
            first_line = 1
            for group in range(metadata.num_row_groups):
                group_rows = metadata.row_group(group).num_rows
                for offset in range(0, group_rows, CHUNK_ROWS):
                    rows = min(CHUNK_ROWS, group_rows - offset)
                    found.append(RowGroupChunk(path, first_line, first_row, rows, group, offset))
                    first_line, first_row = first_line + rows, first_row + rows
        return found

    def sample(self) -> pa.Table:
        """Returns the first and the last rows.

        Raises:
            ValueError: If there are none.
        """
        if not self.chunks:
            raise DataError(f"{self.paths[0]}: the log has no rows")
        first = _read(self.chunks[0], self.columns)
        if len(self.chunks) == 1:
            return first
        try:
            last = _read(self.chunks[-1], self.columns)
            return pa.concat_tables([first, last], promote_options="permissive")
        except (ValueError, pa.ArrowException):  # of another file, in columns that may not matter
            return first

    def read(
        self,
        chunk: RowGroupChunk,
        others: Iterable[str],
        reading: Reading,
        numbers: Sequence[str] = (),
    ) -> pa.Table:
        """Returns columns of a chunk as they are.

        Raises:
            ValueError: If the file lacks a column. The message names the file.
        """
        return _read(chunk, reading.with_others([*others, *numbers]))

    @functools.cached_property
    def _schema(self) -> pa.Schema:
        with _open(self.paths[0]) as file:
            return file.schema_arrow


def _read(chunk: RowGroupChunk, names: list[str]) -> pa.Table:
    with _open(chunk.path) as file:
        schema = file.schema_arrow
    if missing := [name for name in names if name not in schema.names]:
        raise DataError(
            f"{chunk.path}: the file has no column {missing[0]!r}; all parts of a log need it, "
            f"or leave it out with exclude="
        )
    # Text is decoded later, but not for the rows that are only read to skip them.
    text = [name for name in names if is_text(schema.field(name).type)]
    with _open(chunk.path, read_dictionary=text) as file:
        return _read_rows(file, chunk, names)


@contextlib.contextmanager
def _open(path: str, **options: Any) -> Iterator[pq.ParquetFile]:
    """Opens a Parquet file; an error of its format names it."""
    with epath.Path(path).open("rb") as file:
        try:
            yield pq.ParquetFile(file, buffer_size=READ_BYTES, **options)
        except (pa.ArrowException, OSError) as error:
            raise DataError(
                f"{path}: no Parquet file, or cut off or damaged ({error}); get the file again"
            ) from error


def _read_rows(file: pq.ParquetFile, chunk: RowGroupChunk, names: list[str]) -> pa.Table:
    parts, start, end = [], chunk.offset, chunk.offset + chunk.rows
    batches = file.iter_batches(
        CHUNK_ROWS, row_groups=[chunk.group], columns=names, use_threads=False
    )
    for batch in batches:  # which may be shorter
        if part := batch[max(start, 0) : max(end, 0)]:
            parts.append(part)
        start, end = start - len(batch), end - len(batch)
        if end <= 0:
            break
    return plain_text(pa.Table.from_batches(parts))
