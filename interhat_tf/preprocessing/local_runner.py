"""Counting and encoding a log on this machine, with a thread for each core."""

import collections
import concurrent.futures
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import TypeVar

import numpy as np
from etils import epath
from tqdm import tqdm

from interhat_tf.errors import DataError
from interhat_tf.preprocessing.encoding import Encoding
from interhat_tf.preprocessing.fields import RawField
from interhat_tf.preprocessing.rows import Chunk, Rows
from interhat_tf.preprocessing.shuffle import Partitions
from interhat_tf.preprocessing.vocabulary import Counts, CountStore, ValueCounts, count_rows
from interhat_tf.utils.files import naming_errors
from interhat_tf.utils.threads import available_cores

Result = TypeVar("Result")


class LocalRunner:
    """Reads a log twice on this machine: to count its values and to encode its rows."""

    def for_each(
        self, chunks: Iterable[Chunk], function: Callable[[Chunk], None], description: str
    ) -> None:
        """Calls a function for each chunk of a log.

        Args:
            chunks: The chunks.
            function: The function; it does something that lasts, say writes a file.
            description: What a bar calls it.
        """
        for _ in read_chunks(chunks, function, description):
            pass

    def count(
        self,
        chunks: Iterable[Chunk],
        read: Callable[[Chunk], Rows],
        fields: Sequence[RawField],
        folder: epath.Path,
    ) -> tuple[Counts, Mapping[str, ValueCounts]]:
        """Counts the values of a log.

        Args:
            chunks: The chunks of the log.
            read: Function that returns a chunk's `Rows`.
            fields: The log's fields.
            folder: Folder for values that do not fit into memory.

        Returns:
            The totals (`Counts` without values), and for each field that
            becomes a category its `ValueCounts`.

        Raises:
            ValueError: If the log has no rows.
        """
        store = CountStore(fields, folder)

        def count(chunk: Chunk) -> Counts:
            return count_rows(read(chunk), fields)

        for counts in read_chunks(chunks, count, "Counting values"):
            store.add(counts)
        if store.totals is None:
            raise DataError("the log has no rows")
        return store.totals, store.value_counts()

    def encode(
        self,
        chunks: Iterable[Chunk],
        read: Callable[[Chunk], Rows],
        encoding: Encoding,
        partitions: Partitions,
    ) -> None:
        """Encodes the rows of a log and writes them to shuffle partitions.

        Args:
            chunks: The chunks of the log.
            read: Function that returns a chunk's `Rows`.
            encoding: The `Encoding`.
            partitions: The `Partitions`.
        """
        partitions.folder.mkdir()

        def distribute(chunk: Chunk) -> list[tuple[int, int, np.ndarray]]:
            return list(partitions.distribute(read(chunk), encoding))

        for parts in read_chunks(chunks, distribute, "Encoding"):
            for split, number, rows in parts:
                path = partitions.path(split, number)
                with naming_errors(path), open(path, "ab") as file:
                    file.write(rows.data)


def read_chunks(
    chunks: Iterable[Chunk], function: Callable[[Chunk], Result], description: str
) -> Iterator[Result]:
    """Yields a function's result for each chunk, in order, some made ahead by threads.

    A bar shows the rows, on a terminal only; the time left as well where the
    chunks are a list or have their number of `rows`.

    Args:
        chunks: The chunks.
        function: What is done with each of them.
        description: What the bar calls it.
    """
    if isinstance(chunks, list):
        total = sum(chunk.rows for chunk in chunks)
    else:
        total = getattr(chunks, "rows", None)
    workers = available_cores()
    waiting = collections.deque()
    with (
        tqdm(
            desc=description, total=total, unit=" rows", unit_scale=True, leave=False, disable=None
        ) as bar,
        concurrent.futures.ThreadPoolExecutor(workers) as pool,
    ):

        def first_result():
            rows, future = waiting.popleft()
            result = future.result()
            bar.update(rows)
            return result

        try:
            for chunk in chunks:
                waiting.append((chunk.rows, pool.submit(function, chunk)))
                if len(waiting) > workers:
                    yield first_result()
            while waiting:
                yield first_result()
        finally:
            pool.shutdown(cancel_futures=True)
