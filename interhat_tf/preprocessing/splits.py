"""How the rows of a log are split: at random, by position, by time, by a column or by group.

Each way gives a row its split from what the row holds and where it lies alone, so
that chunks are read in any order and on any machine. Only a split by time has to
see the log before (`fit`).
"""

import abc
import dataclasses
import functools
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Protocol

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from etils import epath

from interhat_tf.errors import DataError, SettingError
from interhat_tf.preprocessing.checks import check_values
from interhat_tf.preprocessing.column_forms import RULES, WHOLE, Reading, Source, read_source
from interhat_tf.preprocessing.fields import Column, as_text, parse_numbers
from interhat_tf.preprocessing.log_formats import Log
from interhat_tf.preprocessing.rows import (
    SPLITS,
    FileChunk,
    position_splits,
    random_splits,
    splits_of_bits,
)
from interhat_tf.preprocessing.time_order import TimeFiles, order_keys
from interhat_tf.preprocessing.times import instants_of
from interhat_tf.preprocessing.value_tables import HASH_ROWS, hash_texts


class Runner(Protocol):
    """What reads the chunks of a log; see `local_runner` and `beam_runner`."""

    def for_each(
        self, chunks: Iterable[Any], function: Callable[[Any], None], description: str
    ) -> None:
        """Calls a function for each chunk."""


class Split(abc.ABC):
    """How the rows of a log are split.

    Attributes:
        column: The log's column that it reads, or `None`.
        note: What the page of columns says of that column.
    """

    column: str | None = None
    note = ""

    def look_at(self, sample: pa.Table) -> "Split":
        """Returns the split as it is for a log of which these are some rows."""
        return self

    def fit(self, log: Log, runner: Runner, folder: epath.Path) -> "Split":
        """Returns the split with what it has to know of the whole log.

        Args:
            log: The log.
            runner: What reads its chunks.
            folder: Folder for files, not there yet.
        """
        return self

    @abc.abstractmethod
    def of_rows(self, table: pa.Table, chunk: FileChunk) -> np.ndarray:
        """Returns the split of each row.

        Args:
            table: The rows' values, the split's column among them.
            chunk: Where the rows lie.

        Returns:
            Positions in `SPLITS`, (rows,) int8.

        Raises:
            ValueError: If a value says no split. The message names its place.
        """


@dataclasses.dataclass(frozen=True)
class RandomSplit(Split):
    """8 of 10 rows train, 1 of 10 validate, 1 of 10 test, by their position in the log."""

    def __str__(self) -> str:
        return "random"

    def of_rows(self, table: pa.Table, chunk: FileChunk) -> np.ndarray:
        """See `Split.of_rows`."""
        return random_splits(chunk.first_row, chunk.rows)


@dataclasses.dataclass(frozen=True)
class PositionSplit(Split):
    """The first 80% of the rows train, the next 10% validate, the last 10% test.

    Args:
        rows: Number of rows of the log. Defaults to 0: not known before `fit`.
    """

    rows: int = 0

    def __str__(self) -> str:
        return "position"

    def fit(self, log: Log, runner: Runner, folder: epath.Path) -> "PositionSplit":
        """See `Split.fit`."""
        return PositionSplit(log.rows)

    def of_rows(self, table: pa.Table, chunk: FileChunk) -> np.ndarray:
        """See `Split.of_rows`."""
        return position_splits(chunk.first_row, chunk.rows, self.rows)


@dataclasses.dataclass(frozen=True)
class TimeSplit(Split):
    """The earliest 80% of the rows train, the next 10% validate, the latest 10% test.

    Rows of one time are in one split, so that the shares are as near to these as
    the times allow. Times are compared as moments: those with a zone in UTC, those
    without as they are written. Numbers are compared as numbers.

    Args:
        column: The column of times.
        dates: Whether they are dates rather than numbers.
        starts: The order keys of the first time that validates and of the first
            that tests. Defaults to none: not known before `fit`.
    """

    column: str
    dates: bool = False
    starts: tuple[int, ...] = ()

    note = "rows are split by it: later ones test"

    def __str__(self) -> str:
        return f"time:{self.column}"

    def look_at(self, sample: pa.Table) -> "TimeSplit":
        """See `Split.look_at`."""
        numbers, _ = parse_numbers(sample[self.column])
        return dataclasses.replace(self, dates=numbers.null_count * 2 > len(numbers))

    def fit(self, log: Log, runner: Runner, folder: epath.Path) -> "TimeSplit":
        """Reads the times once and finds where validation and test begin, exactly.

        Raises:
            ValueError: If a row has no time, or there are fewer than three times.
        """
        folder.mkdir()
        files = TimeFiles(folder)
        write = functools.partial(self._write, log, files)
        runner.for_each(log.chunks, write, "Reading times")
        try:
            starts = files.split_starts()
        except ValueError as error:
            raise DataError(f"{log.paths[0]}: column {self.column!r}: {error}") from error
        folder.rmtree()
        return dataclasses.replace(self, starts=starts)

    def of_rows(self, table: pa.Table, chunk: FileChunk) -> np.ndarray:
        """See `Split.of_rows`."""
        keys = self._keys(table[self.column], chunk)
        return np.searchsorted(np.array(self.starts, np.uint64), keys, side="right").astype(np.int8)

    def _write(self, log: Log, files: TimeFiles, chunk: Any) -> None:
        table = log.read(chunk, [self.column], Reading({}))
        files.write(chunk.first_row, self._keys(table[self.column], chunk))

    def _keys(self, column: Column, chunk: FileChunk) -> np.ndarray:
        """Returns the order keys of a chunk's times, (rows,) uint64."""
        times, right = instants_of(column) if self.dates else parse_numbers(column)
        numbers = np.asarray(pc.fill_null(times, np.nan))
        kind = "a date as 2024-01-31, with or without a time" if self.dates else "a number"
        rule = f"a split by time needs {kind} in each row; mend or remove the row"
        check_values(right & np.isfinite(numbers), column, chunk, self.column, rule)
        return order_keys(numbers)


@dataclasses.dataclass(frozen=True)
class ColumnSplit(Split):
    """A column says of each row whether it is of train, validation or test.

    Args:
        column: The column.
    """

    column: str

    note = "each row's split"

    def __str__(self) -> str:
        return f"column:{self.column}"

    def of_rows(self, table: pa.Table, chunk: FileChunk) -> np.ndarray:
        """See `Split.of_rows`."""
        column = table[self.column]
        splits = pc.index_in(as_text(column), value_set=pa.array(SPLITS))
        rule = "a row's split must be exactly train, validation or test"
        check_values(splits.is_valid(), column, chunk, self.column, rule)
        return np.asarray(splits).astype(np.int8)


@dataclasses.dataclass(frozen=True)
class GroupSplit(Split):
    """All rows of one value are in one split: 8 of 10 values train, 1 of 10 validate, 1 tests.

    The split follows from a hash of the value, so that it is the same in any log.
    Rows without a value train.

    Args:
        column: The column of values.
    """

    column: str

    note = "all rows of a value are in one split"

    def __str__(self) -> str:
        return f"group:{self.column}"

    def of_rows(self, table: pa.Table, chunk: FileChunk) -> np.ndarray:
        """See `Split.of_rows`."""
        column = table[self.column]
        # Ids that pandas made floats of, in one part of a log, are those of another part.
        values, right = read_source(column, Source(self.column, WHOLE), (), chunk.path)
        check_values(right, column, chunk, self.column, RULES[WHOLE])
        whole = values.combine_chunks() if isinstance(values, pa.ChunkedArray) else values
        encoded = whole.dictionary_encode()
        groups = pa.table({"group": encoded.dictionary}).to_batches(max_chunksize=HASH_ROWS)
        bits = [hash_texts(batch["group"]) for batch in groups]
        splits = splits_of_bits(np.concatenate([np.zeros(0, np.uint64), *bits]))
        return splits[np.asarray(encoded.indices)]


BY_COLUMN = {"time": TimeSplit, "column": ColumnSplit, "group": GroupSplit}


def split_of(made_from: Mapping[str, Any]) -> str:
    """Returns how a log was split, as `parse_split` takes it, by what its set was made from.

    >>> split_of({"split": "time:when"}), split_of({"chronological": True})  # of version 0.1
    ('time:when', 'position')
    """
    if "chronological" in made_from:
        return str(PositionSplit() if made_from["chronological"] else RandomSplit())
    return made_from.get("split", str(RandomSplit()))


def parse_split(text: str) -> Split:
    """Returns the split that a text names.

    Args:
        text: `"random"`, `"position"`, `"time:COLUMN"`, `"column:COLUMN"` or
            `"group:COLUMN"`.

    Raises:
        ValueError: If it is none of them.

    Example:

    >>> parse_split("group:user")
    GroupSplit(column='user')
    """
    kind, _, column = str(text).partition(":")
    if kind in BY_COLUMN and column:
        return BY_COLUMN[kind](column)
    for split in (RandomSplit(), PositionSplit()):
        if text == str(split):
            return split
    raise SettingError(
        f"split is {text!r}; it is random, position, "
        f"{', '.join(f'{kind}:COLUMN' for kind in BY_COLUMN)}"
    )
