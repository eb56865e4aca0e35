"""Samples of what a user does next: the item that the user took, and another one."""

import dataclasses

import numpy as np

from interhat_tf.errors import DataError
from interhat_tf.preprocessing.histories import Histories, earlier_items, first_equal

SEED = 0
MAX_HISTORY = 100
"""The most items of a history."""
TRAIN, VALIDATION, TEST = 0, 1, 2


@dataclasses.dataclass(frozen=True, eq=False)
class NextItems:
    """Pairs of a user and an item, each with the user's history until then.

    Args:
        users: Numbers of users, (rows,).
        items: Numbers of items, (rows,).
        labels: 1 for the item that the user took, 0 for another, (rows,).
        splits: Positions in `SPLITS`, (rows,).
        histories: The items of the users' histories.
    """

    users: np.ndarray
    items: np.ndarray
    labels: np.ndarray
    splits: np.ndarray
    histories: Histories

    def __getitem__(self, rows: slice) -> "NextItems":
        """Returns some of the samples."""
        parts = (getattr(self, field.name)[rows] for field in dataclasses.fields(self))
        return NextItems(*parts)


def next_items(users: np.ndarray, items: np.ndarray, times: np.ndarray) -> NextItems:
    """Returns two samples, of both labels, for each event of a user but the first.

    A user's last event is in the test split, the one before in validation, if the user has
    as many that have a history.

    Args:
        users: Each event's user, a number from 0, (events,).
        items: Its item, a number from 0, (events,).
        times: When it was, (events,).

    Raises:
        ValueError: If a user has taken every item, so that no other is left.
    """
    order = np.lexsort((times, users))
    users, items, times = users[order], items[order], times[order]
    histories = earlier_items(users, times, items, MAX_HISTORY)
    from_last = np.bincount(users)[users] - 1 - (np.arange(len(users)) - first_equal(users))
    splits = np.select([from_last == 0, from_last == 1], [TEST, VALIDATION], TRAIN)
    asked = histories.ends > histories.starts
    pair = np.repeat(np.flatnonzero(asked), 2)
    taken = np.tile([True, False], len(pair) // 2)
    return NextItems(
        users[pair].astype(np.int32),
        np.where(taken, items[pair], _others(users, items)[pair]).astype(np.int32),
        taken.astype(np.uint8),
        splits[pair].astype(np.int8),
        histories[pair],
    )


def _others(users, items):
    """Draws for each event one of the items that its user never takes, uniformly."""
    random = np.random.Generator(np.random.PCG64(SEED))
    number = int(items.max()) + 1
    of_user = np.unique(users.astype(np.int64) * number + items)
    most = np.bincount(of_user // number).max()
    if most == number:
        raise DataError(f"a user has taken all {number:,} items; no other is left as a negative")
    drawn = random.integers(number, size=len(items))
    while (again := np.isin(users.astype(np.int64) * number + drawn, of_user)).any():
        drawn[again] = random.integers(number, size=int(again.sum()))
    return drawn
