"""A click log in memory: a pandas, polars or Arrow table."""

import bisect
import dataclasses
import functools
import hashlib
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from interhat_tf.errors import DataError
from interhat_tf.preprocessing.column_forms import Reading
from interhat_tf.preprocessing.kinds import plain_text
from interhat_tf.utils.short_text import shortened

if TYPE_CHECKING:
    import pandas as pd

CHUNK_ROWS = 1 << 17
"""Rows that are read at once, at most."""

NAME = "the table"
"""What messages call it."""


def is_table(data: Any) -> bool:
    """Returns whether data is a table that `as_table` takes."""
    return isinstance(data, pa.Table) or hasattr(data, "__arrow_c_stream__")


def as_table(data: Any) -> pa.Table:
    """Returns a pandas, polars or any other table with `__arrow_c_stream__` as an Arrow one.

    Raises:
        ValueError: If it is a single column, or a column holds what Arrow has no type for.
    """
    if len(getattr(data, "shape", (0, 0))) == 1:
        raise DataError(
            f"{NAME} is a single column, a {type(data).__name__}; a log has a label and fields, "
            f"such as a DataFrame's columns"
        )
    of_pandas = type(data).__module__.startswith("pandas")
    try:
        table = pa.Table.from_pandas(data, preserve_index=False) if of_pandas else pa.table(data)
        return plain_text(table.replace_schema_metadata())
    except (pa.ArrowException, TypeError) as error:
        where = _first_misfit(data) if of_pandas else None
        raise DataError(
            f"{where or f'{NAME}: not to be read as Arrow'} ({' '.join(str(error).split())}); "
            f"convert the column to text, to numbers or to lists of one of them"
        ) from error


def _first_misfit(table: "pd.DataFrame") -> str | None:
    """Says which value of a table is the first that has no kind in common with those above it."""
    for name, column in table.items():
        fails = functools.partial(_fails, column)
        if fails(len(column)):
            # The fewest first rows that Arrow does not take, by halving.
            row = bisect.bisect_left(range(len(column)), True, key=fails)
            alone = _fails(column.iloc[row - 1 :], 1)
            kind = "no kind that a log has" if alone else "another kind than the values before"
            return f"{NAME}:{row}: {name} is {shortened(repr(column.iloc[row - 1]))}, of {kind}"
    return None


def _fails(column: "pd.Series", rows: int) -> bool:
    """Returns whether a column's first rows cannot become an Arrow array."""
    try:
        pa.array(column.iloc[:rows], from_pandas=True)
    except (pa.ArrowException, TypeError):
        return True
    return False


@dataclasses.dataclass(frozen=True)
class TableChunk:
    """Consecutive rows of a table.

    Args:
        first_row: Number of the first row in the table, from 0.
        values: The rows.
    """

    first_row: int
    values: pa.Table
    path: str = NAME

    @property
    def rows(self) -> int:
        """Number of rows."""
        return len(self.values)

    @property
    def first_line(self) -> int:
        """Number of the first row, from 1."""
        return self.first_row + 1

    def line_of(self, row: int) -> int:
        """Returns the number of a row, which counts from 0 here and from 1 there."""
        return self.first_line + row


@dataclasses.dataclass(frozen=True)
class TableLog:
    """A log that is a table in memory.

    Args:
        table: The table.
    """

    table: pa.Table

    @property
    def paths(self) -> list[str]:
        """What messages call the table."""
        return [NAME]

    @functools.cached_property
    def identity(self) -> list[list[Any]]:
        """The table's digest."""
        digest = hashlib.blake2b(digest_size=16)
        digest.update(str(self.table.schema).encode())
        for chunk in self.chunks:
            # In one array, so that it does not matter in how many the table came.
            for batch in chunk.values.combine_chunks().to_batches():
                digest.update(memoryview(batch.serialize()))
        return [[NAME, digest.hexdigest()]]

    @property
    def columns(self) -> list[str]:
        """The columns' names."""
        return self.table.column_names

    @property
    def rows(self) -> int:
        """Number of rows."""
        return len(self.table)

    @property
    def chunks(self) -> list[TableChunk]:
        """The log's chunks."""
        starts = range(0, len(self.table), CHUNK_ROWS)
        return [TableChunk(start, self.table.slice(start, CHUNK_ROWS)) for start in starts]

    def sample(self) -> pa.Table:
        """Returns the first and the last rows.

        Raises:
            ValueError: If there are none.
        """
        if not self.chunks:
            raise DataError(f"{NAME}: the log has no rows")
        ends = [self.chunks[0], self.chunks[-1]] if len(self.chunks) > 1 else self.chunks
        return pa.concat_tables([chunk.values for chunk in ends])

    def read(
        self,
        chunk: TableChunk,
        others: Iterable[str],
        reading: Reading,
        numbers: Sequence[str] = (),
    ) -> pa.Table:
        """Returns columns of a chunk as they are."""
        return chunk.values.select(reading.with_others([*others, *numbers]))
