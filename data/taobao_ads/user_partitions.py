"""Both logs by user, in files that fit into memory, and how a user's rows are joined.

The behaviours are too many to be held. Each log is read once, and each of its rows goes to
the file of its user's partition. A partition then has all that is needed of its users.
"""

import dataclasses
from collections.abc import Callable, Iterable

import numpy as np
import pyarrow as pa
from etils import epath

from interhat_tf.preprocessing.fields import Column
from interhat_tf.preprocessing.histories import Histories, earlier_items
from interhat_tf.preprocessing.local_runner import read_chunks
from interhat_tf.preprocessing.rows import SPLITS, Chunk, Rows
from interhat_tf.utils.files import naming_errors

from .raw_files import AD, BEHAVIOUR, IMPRESSION, MISSING, PROFILE

PARTITIONS = 256
"""Number of partitions. Of the published log, one has about 3 million behaviours."""

MAX_HISTORY = 50
"""The most behaviours of a history."""

ZONE = 8 * 3600
"""China's clocks are eight hours ahead of UTC, all year."""

DAY = 86_400


def distribute(
    chunks: Iterable[Chunk],
    read: Callable[[Chunk], np.ndarray],
    folder: epath.Path,
    description: str,
) -> tuple[np.ndarray, int]:
    """Writes a log's rows to the files of their users' partitions, in the order of the log.

    Args:
        chunks: The chunks of the log.
        read: Function that returns a chunk's rows, a structured array with `user` and `time`.
        folder: Folder of the files, which is made; their names are the partitions' numbers.
        description: What a bar calls it.

    Returns:
        The number of rows of each partition, and the latest time, 0 without rows.
    """
    folder.mkdir(parents=True)

    def by_partition(chunk: Chunk) -> tuple[list[np.ndarray], int]:
        rows = read(chunk)
        numbers = rows["user"] % PARTITIONS
        order = np.argsort(numbers, kind="stable")
        starts = np.searchsorted(numbers[order], np.arange(1, PARTITIONS))
        return np.split(rows[order], starts), int(rows["time"].max(initial=0))

    counts, latest = np.zeros(PARTITIONS, np.int64), 0
    for parts, time in read_chunks(chunks, by_partition, description):
        latest = max(latest, time)
        for number, part in enumerate(parts):
            if len(part):
                counts[number] += len(part)
                path = folder / str(number)
                with naming_errors(path), open(path, "ab") as file:
                    file.write(part.data)
    return counts, latest


@dataclasses.dataclass(frozen=True)
class UserPartition:
    """A chunk: all impressions of some users, in files that `distribute` wrote.

    Args:
        impressions: File of the impressions, in the order of the log.
        behaviours: File of the same users' behaviours; there is none if they have none.
        rows: Number of the impressions.
        first_row: Number of the first one.
        last_day: The log's last day, in days since 1970.
        source: The impressions' log, for messages.
    """

    impressions: epath.Path
    behaviours: epath.Path
    rows: int
    first_row: int
    last_day: int
    source: str

    def read(self) -> Rows:
        """Returns the chunk's `Rows`, by user and time."""
        impressions = _read(self.impressions, IMPRESSION)
        behaviours = _read(self.behaviours, BEHAVIOUR)
        impressions, histories = with_histories(impressions, behaviours)
        times = impressions["time"] + np.int64(ZONE)
        columns = {
            "user": pa.array(impressions["user"]),
            "pid": pa.array(impressions["pid"]).cast(pa.string()),
            "price": pa.array(impressions["price"]),
            "hour": pa.array(times // 3600 % 24),
            "cate_history": histories.lists_of(_ids(behaviours["cate"])),
            "brand_history": histories.lists_of(_ids(behaviours["brand"])),
            **{name: _ids(impressions[name]) for name in (*AD[:-1], *PROFILE)},
        }
        # The last day tests, the day before validates, the others train.
        test = len(SPLITS) - 1
        splits = np.clip(times // DAY - self.last_day + test, 0, test).astype(np.int8)
        return Rows(
            pa.table(columns),
            impressions["click"].copy(),
            splits,
            self.source,
            first_row=self.first_row,
        )


def with_histories(impressions: np.ndarray, behaviours: np.ndarray) -> tuple[np.ndarray, Histories]:
    """Returns impressions by user and time, and the behaviours before each, as their positions.

    Behaviours at the time of an impression are not in its history. Those at the same
    time are in the order of the log.

    Args:
        impressions: Of the type `IMPRESSION`.
        behaviours: Those of the same users, of the type `BEHAVIOUR`.
    """
    users, times = (
        np.concatenate([impressions[name], behaviours[name]]) for name in ("user", "time")
    )
    order = np.lexsort((times, users))
    positions = order - len(impressions)  # below 0: of an impression
    histories = earlier_items(users[order], times[order], positions, MAX_HISTORY, positions >= 0)
    return impressions[order[positions < 0]], histories[positions < 0]


def _read(path: epath.Path, dtype: np.dtype) -> np.ndarray:
    return np.frombuffer(path.read_bytes() if path.exists() else b"", dtype)


def _ids(numbers: np.ndarray) -> Column:
    return pa.array(numbers, mask=numbers == MISSING)
