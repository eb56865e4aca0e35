"""What a user did before: of each row of a log, in time, the values of the user's earlier rows."""

import dataclasses

import numpy as np
import pyarrow as pa


@dataclasses.dataclass(frozen=True, eq=False)
class Histories:
    """Histories that are parts of one list, from which a chunk's rows take theirs.

    Args:
        items: What the histories are of, by user and time: positions in a table, (items,).
        starts: Where in `items` each row's history begins, (rows,).
        ends: Where it ends, (rows,).
    """

    items: np.ndarray
    starts: np.ndarray
    ends: np.ndarray

    def __getitem__(self, rows: slice | np.ndarray) -> "Histories":
        """Returns the histories of some rows."""
        return Histories(self.items, self.starts[rows], self.ends[rows])

    def lists_of(self, values: pa.Array) -> pa.ListArray:
        """Returns a column of lists: of each history's items their values in a column."""
        lengths = self.ends - self.starts
        offsets = np.concatenate([[0], np.cumsum(lengths)])
        within = np.arange(offsets[-1]) - np.repeat(offsets[:-1], lengths)
        items = self.items[np.repeat(self.starts, lengths) + within]
        return pa.ListArray.from_arrays(pa.array(offsets, pa.int32()), values.take(pa.array(items)))


def earlier_items(
    users: np.ndarray,
    times: np.ndarray,
    items: np.ndarray,
    max_length: int,
    kept: np.ndarray | None = None,
) -> Histories:
    """Returns of each row the items of its user's rows before it, oldest first.

    Rows of a user at the same time are in none of each other's histories.

    Args:
        users: The rows' users, (rows,), those of a user one after the other.
        times: Their times, (rows,), rising within a user.
        items: Their items, (rows,).
        max_length: The most items of a history; the latest are kept.
        kept: Which rows' items are in later histories, (rows,) booleans. Defaults to
            `None`: all.

    Example:

    >>> users, times = np.array([3, 3, 3, 5]), np.array([1, 2, 2, 9])
    >>> histories = earlier_items(users, times, np.arange(4), max_length=10)
    >>> histories.lists_of(pa.array(["a", "b", "c", "d"])).to_pylist()
    [[], ['a'], ['a'], []]
    """
    kept = np.ones(len(items), bool) if kept is None else kept
    before = np.concatenate([[0], np.cumsum(kept)])  # kept items of all rows before one
    ends = before[first_equal(users, times)]
    starts = np.maximum(before[first_equal(users)], ends - max_length)
    return Histories(items[kept].astype(np.int32), starts, ends)


def first_equal(*keys: np.ndarray) -> np.ndarray:
    """Returns for each row the position of the first in its run of rows with equal keys.

    Example:

    >>> first_equal(np.array([4, 4, 2, 2, 4]))
    array([0, 0, 2, 2, 4])
    """
    changes = np.any([np.diff(key, prepend=key[:1] - 1) != 0 for key in keys], axis=0)
    return np.maximum.accumulate(np.where(changes, np.arange(len(changes)), 0))
