"""The random order of a prepared set's rows, in partitions that fit into memory.

Every encoded row has a random key that depends on its position in the log alone,
and each shuffle partition of a split has a range of keys. Rows go to the files of
their partitions; sorted by key, each partition becomes one file of the prepared
set, and all orders of a split's rows are equally likely.
"""

import dataclasses
from collections.abc import Iterable, Iterator

import numpy as np
from etils import epath

from interhat_tf.preprocessing.encoding import Encoding, encode_rows
from interhat_tf.preprocessing.rows import SPLITS, Rows, random_bits
from interhat_tf.schema import MULTIVALUED, PADDING

BLOCK_ROWS = 8192
"""Rows of one example of the prepared set; a file's last block may have fewer."""

PARTITION_ROWS = 64 * BLOCK_ROWS
"""Rows of one partition, on average; as many are sorted in memory at once."""

SHUFFLE_SEED = 1

LENGTHS = "lengths"
"""Of a block, the number of values of each row's multivalued fields, (rows, V) int32."""


@dataclasses.dataclass(frozen=True)
class Partitions:
    """The shuffle partitions of all splits.

    Args:
        folder: Folder of the partitions' files.
        numbers: Number of partitions of each split.
        row: The type of an encoded row; see `encoding.row_dtype`.
        widths: The columns of each multivalued field. Defaults to none.
    """

    folder: epath.Path
    numbers: tuple[int, ...]
    row: np.dtype
    widths: tuple[int, ...] = ()

    @classmethod
    def of_rows(
        cls, folder: epath.Path, rows: Iterable[int], row: np.dtype, widths: tuple[int, ...] = ()
    ) -> "Partitions":
        """Returns as many partitions as the rows of each split need."""
        return cls(folder, tuple(-(-count // PARTITION_ROWS) for count in rows), row, widths)

    def path(self, split: int, number: int) -> epath.Path:
        """Returns the file of a partition of a split, both by number."""
        return self.folder / f"{SPLITS[split]}-{number}"

    def files(self) -> "dict[str, list[Partition]]":
        """Returns the partitions of each split, which `distribute`d rows were written to."""
        return {
            split: [
                Partition(self.path(position, number), self.row, self.widths)
                for number in range(count)
            ]
            for position, (split, count) in enumerate(zip(SPLITS, self.numbers, strict=True))
        }

    def distribute(self, rows: Rows, encoding: Encoding) -> Iterator[tuple[int, int, np.ndarray]]:
        """Encodes the rows of a chunk and distributes them to partitions.

        Args:
            rows: The `Rows`.
            encoding: The `Encoding`.

        Yields:
            For each partition that gets rows, the split and the partition by
            number, and the rows, of type `keyed_dtype`.
        """
        keyed = np.empty(len(rows.labels), keyed_dtype(self.row))
        keyed["key"] = random_bits(rows.first_row, len(keyed), SHUFFLE_SEED)
        keyed["row"] = encode_rows(rows, encoding)
        numbers = np.array(self.numbers, np.uint64)[rows.splits]
        # The key as a fraction of 2^64, times the number of partitions.
        partition = ((keyed["key"] >> np.uint64(32)) * numbers) >> np.uint64(32)
        starts = np.concatenate([[0], np.cumsum(self.numbers)])
        flat = starts[rows.splits] + partition.astype(np.int64)
        keyed = keyed[np.argsort(flat, kind="stable")]
        ends = np.cumsum(np.bincount(flat, minlength=starts[-1]))
        for split, count in enumerate(self.numbers):
            for number in range(count):
                position = starts[split] + number
                part = keyed[ends[position - 1] if position else 0 : ends[position]]
                if len(part):
                    yield split, number, part


@dataclasses.dataclass(frozen=True)
class Partition:
    """A partition's file: called, it yields the row blocks of one file of the prepared set.

    Args:
        path: File of the partition's rows.
        row: The type of an encoded row.
        widths: The columns of each multivalued field. Defaults to none.
    """

    path: epath.Path
    row: np.dtype
    widths: tuple[int, ...] = ()

    def __call__(self) -> Iterator[tuple[int, dict[str, np.ndarray]]]:
        """Yields the number of a block's first row within the file, and the block."""
        rows = np.frombuffer(self.path.read_bytes(), keyed_dtype(self.row))
        rows = rows["row"][np.argsort(rows["key"])]
        names = rows.dtype.names or ()
        for start in range(0, len(rows), BLOCK_ROWS):
            block = rows[start : start + BLOCK_ROWS]
            columns = {name: np.ascontiguousarray(block[name]) for name in names}
            if self.widths:
                columns |= _without_padding(columns[MULTIVALUED], self.widths)
            yield start, columns


def _without_padding(lists: np.ndarray, widths: tuple[int, ...]) -> dict[str, np.ndarray]:
    """Returns all values, (n,), row by row and in a row field by field, and the `LENGTHS`."""
    present = lists != PADDING  # (rows, L)
    starts = np.cumsum((0, *widths[:-1]))
    lengths = np.add.reduceat(present, starts, axis=1, dtype=np.int32)  # (rows, V)
    return {MULTIVALUED: lists[present], LENGTHS: lengths}


def keyed_dtype(row: np.dtype) -> np.dtype:
    """Returns the type of an encoded row with the key that it is sorted by."""
    return np.dtype([("key", np.uint64), ("row", row)])
