"""Rows of a raw log: where they lie, what they hold, which split they belong to."""

import dataclasses
from collections.abc import Sequence
from typing import Protocol

import numpy as np
import pyarrow as pa

SPLITS = ("train", "validation", "test")

SPLIT_SEED = 0


class Chunk(Protocol):
    """Where consecutive rows of a log lie.

    A chunk can be pickled and read without the others, so that threads and
    machines share a log.
    """

    @property
    def rows(self) -> int:
        """Number of rows."""


class FileChunk(Chunk, Protocol):
    """Consecutive rows of a file."""

    @property
    def path(self) -> str:
        """The file."""

    @property
    def first_line(self) -> int:
        """Number of the first row's line in the file, from 1."""

    @property
    def first_row(self) -> int:
        """Position of the first row in the whole log, over all files, from 0."""

    def line_of(self, row: int) -> int:
        """Returns the number of a row's line; the row counts from 0, from the first row on."""


@dataclasses.dataclass(frozen=True)
class Rows:
    """What the rows of a chunk hold.

    Args:
        values: The rows' values, a `pyarrow.Table` with a column for each
            field: text or anything that casts to it for a categorical field,
            numbers for the others, null where missing.
        labels: 0 or 1, (rows,) uint8.
        splits: Each row's split as its position in `SPLITS`, (rows,) int8.
        source: The rows' file, for messages.
        first_line: The first row's line in it, for messages.
        first_row: The first row's position in the log, from 0. The order of the
            prepared rows follows from it.
        weights: How much each row counts, (rows,) float32; of a builder whose
            `weighted` says that there are weights.
    """

    values: pa.Table
    labels: np.ndarray
    splits: np.ndarray
    source: str
    first_line: int = 1
    first_row: int = 0
    weights: np.ndarray | None = None


def random_bits(first_row: int, rows: int, seed: int | Sequence[int]) -> np.ndarray:
    """Draws 64 random bits for each of consecutive rows; they depend on a row's position alone.

    Args:
        first_row: Position of the first row.
        rows: Number of rows.
        seed: Seed, a number or a sequence of numbers.

    Returns:
        (rows,) uint64.
    """
    return np.random.PCG64(seed).advance(int(first_row)).random_raw(rows)


def random_splits(first_row: int, rows: int) -> np.ndarray:
    """Draws each row's split: 8 of 10 rows train, 1 of 10 validate, 1 of 10 test.

    Args:
        first_row: Position of the first row in the log, from 0.
        rows: Number of rows.

    Returns:
        Positions in `SPLITS`, (rows,) int8. A row's split depends on its
        position alone, not on how the log is cut into chunks or files.

    Example:

    >>> np.array_equal(random_splits(0, 100)[40:], random_splits(40, 60))
    True
    """
    return splits_of_bits(random_bits(first_row, rows, SPLIT_SEED))


def splits_of_bits(bits: np.ndarray) -> np.ndarray:
    """Returns splits, 8:1:1, of 64 random bits each.

    Args:
        bits: (rows,) uint64.

    Returns:
        Positions in `SPLITS`, (rows,) int8.
    """
    tenths = bits // np.uint64(2**64 // 10 + 1)
    return np.maximum(tenths, 7).astype(np.int8) - np.int8(7)


def position_splits(first_row: int, rows: int, log_rows: int) -> np.ndarray:
    """Splits by position: the first 80% of a log train, the next 10% validate, the last 10% test.

    Args:
        first_row: Position of the first row in the log, from 0.
        rows: Number of rows.
        log_rows: Number of rows of the whole log.

    Returns:
        Positions in `SPLITS`, (rows,) int8.

    Example:

    >>> position_splits(6, 4, 10)
    array([0, 0, 1, 2], dtype=int8)
    """
    ends = log_rows * 8 // 10, log_rows * 9 // 10
    positions = np.arange(first_row, first_row + rows)
    return np.searchsorted(ends, positions, side="right").astype(np.int8)
