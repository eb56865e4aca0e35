"""A click log of Parquet files."""

import contextlib
import dataclasses
import functools
from collections.abc import Iterator, Sequence
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from etils import epath

from interhat_tf.preprocessing.checks import check_values
from interhat_tf.preprocessing.fields import Categorical, Column, RawField, as_text, parse_numbers
from interhat_tf.preprocessing.kinds import is_text, kind_of_type

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


@dataclasses.dataclass(frozen=True)
class ParquetLog:
    """A log of Parquet files.

    Args:
        paths: The files, in order.
    """

    paths: list[str]

    @functools.cached_property
    def columns(self) -> list[str]:
        """The columns' names."""
        return self._schema.names

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

    @functools.cached_property
    def rows(self) -> int:
        """Number of rows."""
        return sum(chunk.rows for chunk in self.chunks)

    def kind(self, column: str) -> str:
        """Returns a column's kind by its type, or what it is if that can be neither."""
        return kind_of_type(self._schema.field(column).type)

    def read(self, chunk: RowGroupChunk, label: str, fields: Sequence[RawField]) -> pa.Table:
        """Returns the labels, as they are, and the fields' values of a chunk.

        Raises:
            ValueError: If the file lacks a column, or a value is not of its
                field's kind. The message names the file.
        """
        names = [label, *(field.name for field in fields)]
        with _open(chunk.path) as file:
            schema = file.schema_arrow
        if missing := [name for name in names if name not in schema.names]:
            raise ValueError(f"{chunk.path}: the file has no column {missing[0]!r}")
        # Text is decoded below, but not for the rows that are only read to skip them.
        text = [name for name in names if is_text(schema.field(name).type)]
        with _open(chunk.path, read_dictionary=text) as file:
            table = _read_rows(file, chunk, names)
        columns = {label: table[label]}
        for field in fields:
            try:
                columns[field.name] = _convert(table[field.name], field, chunk)
            except pa.ArrowException as error:
                dtype = schema.field(field.name).type
                kind = type(field).__name__.lower()
                raise ValueError(
                    f"{chunk.path}: column {field.name!r} of type {dtype} cannot be {kind} "
                    f"({error}); leave it out or store it as text or numbers"
                ) from error
        return pa.table(columns)

    @functools.cached_property
    def _schema(self) -> pa.Schema:
        with _open(self.paths[0]) as file:
            return file.schema_arrow


def _convert(column: Column, field: RawField, chunk: RowGroupChunk) -> Column:
    if isinstance(field, Categorical):
        return as_text(column)
    numbers, right = parse_numbers(column)
    check_values(right, column, chunk, field.name, "expected a number, or null where it is missing")
    return numbers


@contextlib.contextmanager
def _open(path: str, **options: Any) -> Iterator[pq.ParquetFile]:
    """Opens a Parquet file; an error of its format names it."""
    with epath.Path(path).open("rb") as file:
        try:
            yield pq.ParquetFile(file, buffer_size=READ_BYTES, **options)
        except (pa.ArrowException, OSError) as error:
            raise ValueError(
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
    return pa.Table.from_batches(parts)
