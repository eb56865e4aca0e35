"""Where validation and test begin in a log that is split by time, however long it is.

Each chunk's times lie sorted in a file of their own. What is asked of them all,
their n-th in order, is found by counting their leading bits, then those that follow
(radix selection), so that no more than one file is in memory.
"""

import dataclasses
from collections.abc import Iterator

import numpy as np
from etils import epath

from interhat_tf.errors import DataError
from interhat_tf.utils.files import naming_errors

BITS = 16


def order_keys(numbers: np.ndarray) -> np.ndarray:
    """Returns whole numbers that have the order of floats, (rows,) uint64.

    Example:

    >>> np.argsort(order_keys(np.array([0.5, -2.0, 1e9, -0.25])))
    array([1, 3, 0, 2])
    """
    bits = (numbers + 0.0).view(np.uint64)  # -0.0 is 0.0
    sign = np.uint64(1 << 63)
    return np.where(bits & sign, ~bits, bits | sign)


@dataclasses.dataclass(frozen=True)
class TimeFiles:
    """The times of a log as order keys, a sorted file for each chunk.

    Args:
        folder: Their folder.
    """

    folder: epath.Path

    def write(self, first_row: int, keys: np.ndarray) -> None:
        """Writes the keys of the chunk that begins with a row."""
        path = self.folder / f"{first_row}.npy"
        with naming_errors(path), path.open("wb") as file:
            np.save(file, np.sort(keys))

    def split_starts(self) -> tuple[int, int]:
        """Finds the keys with which validation and test begin, after about 80% and 90% of the rows.

        Equal keys are never apart, and no split is empty.

        Raises:
            ValueError: If there are fewer than three different keys.
        """
        rows = sum(len(keys) for keys in self._parts())
        first = self._rows_until(self._nth(0))
        second = self._rows_until(self._nth(first)) if first < rows else rows
        if second == rows:
            raise DataError("a split by time needs three different times; split another way")
        test = self._start_near(rows * 9 // 10, second, self._rows_before(self._nth(rows - 1)))
        latest = self._rows_before(self._nth(test - 1))
        validation = self._start_near(rows * 8 // 10, first, latest)
        return self._nth(validation), self._nth(test)

    def _parts(self) -> Iterator[np.ndarray]:
        # Not by a pattern, which the folder's own name might be.
        for path in sorted(p for p in self.folder.iterdir() if p.name.endswith(".npy")):
            with path.open("rb") as file:
                yield np.load(file)

    def _start_near(self, wanted: int, least: int, most: int) -> int:
        """Returns the position of a key's first row that is nearest to the one that is wanted.

        Args:
            wanted: The position.
            least: Where the first of the keys begins that may be taken.
            most: Where the last one begins.
        """
        position = min(max(wanted, least), most)
        key = self._nth(position)
        before, after = self._rows_before(key), self._rows_until(key)
        return before if after > most or wanted - before <= after - wanted else after

    def _rows_before(self, key: int) -> int:
        return sum(int(np.searchsorted(keys, np.uint64(key))) for keys in self._parts())

    def _rows_until(self, key: int) -> int:
        """Returns the number of rows up to a key, those with it too."""
        return sum(int(np.searchsorted(keys, np.uint64(key), "right")) for keys in self._parts())

    def _nth(self, position: int) -> int:
        """Returns the key of the row at a position, from 0, in the order of the keys."""
        prefix = 0
        for shift in range(64 - BITS, -1, -BITS):
            low = prefix << (shift + BITS)
            high = low + (1 << (shift + BITS)) - 1
            counts = np.zeros(1 << BITS, np.int64)
            for keys in self._parts():
                start = np.searchsorted(keys, np.uint64(low))
                end = np.searchsorted(keys, np.uint64(high), side="right")
                bins = (keys[start:end] - np.uint64(low)) >> np.uint64(shift)
                counts += np.bincount(bins.astype(np.int64), minlength=len(counts))
            ends = np.cumsum(counts)
            chosen = int(np.searchsorted(ends, position, side="right"))
            position -= int(ends[chosen] - counts[chosen])
            prefix = (prefix << BITS) + chosen
        return prefix
