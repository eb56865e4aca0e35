"""Raw click logs to row blocks: two passes over the log, then the shuffled blocks.

A log is read twice, in pieces, by as many threads as there are cores. The first
pass counts values (`counting.py`), the second encodes rows (`encoding.py`) and
deals them out to buckets on disk, each of which is sorted into its final order
and written as one file of the prepared set. Memory is bounded however long the
log is. `ClickLogBuilder` is the tfds builder that does this; given a Beam
runner, it leaves both passes to a cluster (`beam_preparation.py`).
"""

import abc
import collections
import concurrent.futures
import dataclasses
import os
import sys

import numpy as np
import tensorflow as tf
import tensorflow_datasets as tfds
from etils import epath
from tqdm import tqdm

from interhat_tf.preprocessing.encoding import (
    SPLITS,
    Encoding,
    encode_chunk,
    random_bits,
    row_dtype,
)
from interhat_tf.preprocessing.vocabulary import CountStore, count_chunk, statistics
from interhat_tf.utils.files import naming_errors

BLOCK_ROWS = 8192
"""Rows of one example of the prepared set; a file's last block may have fewer."""

BUCKET_ROWS = 64 * BLOCK_ROWS
"""Rows of one file of the prepared set, on average; as many are sorted in memory at once."""

SHUFFLE_SEED = 1


class ClickLogBuilder(tfds.core.ShardBasedBuilder, skip_registration=True):  # type: ignore[call-arg]
    """A tfds builder of a click log: a subclass names the fields and reads the raw format.

    One example of the prepared set is a row block of up to `BLOCK_ROWS` rows.
    The rows of a split are in a random order that depends on their position in
    the log alone. The metadata holds `schema` (`Schema.to_dict`), `encoding`
    (`Encoding.to_dict`) and `statistics`.
    """

    def __init_subclass__(cls, **kwargs):
        super().__init_subclass__(**kwargs)
        # tfds reads README.md and CITATIONS.bib there. Left to itself it goes
        # by the module's name, which is not where a source checkout has it.
        # A builder that is written in a notebook has no file.
        file = getattr(sys.modules[cls.__module__], "__file__", None)
        cls.pkg_dir_path = epath.Path(file or "notebook").parent

    @property
    @abc.abstractmethod
    def fields(self):
        """The log's `Categorical`, `Numerical` and `Bucketed` fields, in order."""

    @abc.abstractmethod
    def _pieces(self, dl_manager):
        """Returns the pieces of the log in order, an iterable that can be gone through twice.

        A piece is anything that can be pickled, that `_chunk` can read on its
        own, and that has its number of `rows`.
        """

    @abc.abstractmethod
    def _chunk(self, piece):
        """Returns a piece of the log as a `Chunk`; called by several threads at once."""

    def _info(self):
        row = row_dtype(self.fields)
        features = {
            name: tfds.features.Tensor(
                shape=(None, *row[name].shape), dtype=row[name].base, encoding="bytes"
            )
            for name in row.names
        }
        return self.dataset_info_from_configs(
            features=tfds.features.FeaturesDict(features), metadata=tfds.core.MetadataDict()
        )

    def _download_and_prepare(self, dl_manager, download_config=None):
        self._beam = None
        if download_config and (download_config.beam_runner or download_config.beam_options):
            from interhat_tf.preprocessing.beam_runner import BeamPasses

            self._beam = BeamPasses(download_config.beam_runner, download_config.beam_options)
            download_config = dataclasses.replace(download_config, beam_runner=self._beam.runner)
        try:
            super()._download_and_prepare(dl_manager, download_config)
        except tf.errors.OpError as error:  # TensorFlow writes the files
            raise OSError(f"{self.data_path}: {error.message}") from error
        for folder in (self._folder("counts"), self._folder("buckets")):
            if folder.exists():
                folder.rmtree()

    def _shard_iterators_per_split(self, dl_manager):
        passes = self._beam or LocalPasses()
        pieces = self._pieces(dl_manager)
        counts, values = passes.count(pieces, self._chunk, self.fields, self._folder("counts"))
        for split, rows in zip(SPLITS, counts.rows, strict=True):
            if rows == 0:
                raise ValueError(f"{self.info.full_name}: the {split} split has no rows")
        encoding = Encoding.fit(self.fields, values, counts.ranges)
        self.info.metadata.update(
            schema=encoding.schema().to_dict(),
            encoding=encoding.to_dict(),
            statistics=statistics(counts, values, self.fields),
        )
        del values
        buckets = Buckets(self._folder("buckets"), tuple(-(-counts.rows // BUCKET_ROWS)))
        passes.encode(pieces, self._chunk, encoding, buckets)
        return {
            split: [
                Bucket(buckets.path(number, bucket), self.fields)
                for bucket in range(buckets.numbers[number])
            ]
            for number, split in enumerate(SPLITS)
        }

    def _example_writer(self):
        return _InOneOrder(super()._example_writer())

    def _folder(self, name):
        return epath.Path(self.data_path) / f"{name}.tmp"


class _InOneOrder:
    """Writes examples with their features in one order.

    Protocol buffers put them in an order of each process's own, with which the
    files of a set would differ from one preparation to the next.

    Args:
        writer: The `ExampleWriter` that writes the files.
    """

    def __init__(self, writer):
        self.writer = writer

    def write(self, path, examples):
        def in_order():
            for key, data in examples:
                example = tf.train.Example.FromString(data)
                yield key, example.SerializeToString(deterministic=True)

        return self.writer.write(path, in_order())


class LocalPasses:
    """Both passes on this machine, by a thread for each core."""

    def count(self, pieces, read, fields, folder):
        """First pass.

        Args:
            pieces: The pieces of the log.
            read: Function that returns a piece's `Chunk`.
            fields: The log's fields.
            folder: Folder for values that do not fit into memory.

        Returns:
            The totals (`Counts` without values), and for each field that
            becomes a category its `ValueCounts`.
        """
        store = CountStore(fields, folder)

        def count(piece):
            return count_chunk(read(piece), fields)

        for counts in read_pieces(pieces, count, "Counting values"):
            store.add(counts)
        if store.totals is None:
            raise ValueError("the log has no pieces")
        return store.totals, store.value_counts()

    def encode(self, pieces, read, encoding, buckets):
        """Second pass: writes the encoded rows to the buckets.

        Args:
            pieces: The pieces of the log.
            read: Function that returns a piece's `Chunk`.
            encoding: The `Encoding`.
            buckets: The `Buckets`.
        """
        buckets.folder.mkdir()

        def deal(piece):
            return list(buckets.deal(read(piece), encoding))

        for parts in read_pieces(pieces, deal, "Encoding"):
            for split, bucket, rows in parts:
                path = buckets.path(split, bucket)
                with naming_errors(path), open(path, "ab") as file:
                    file.write(memoryview(rows))


@dataclasses.dataclass(frozen=True)
class Buckets:
    """Where the encoded rows go: every row has a random key, and a bucket has a range of keys.

    With the rows of each bucket sorted by key, all orders of a split's rows
    are equally likely.

    Args:
        folder: Folder of the buckets' files.
        numbers: Number of buckets of each split.
    """

    folder: epath.Path
    numbers: tuple

    def path(self, split, bucket):
        """Returns the file of a bucket of a split, both by number."""
        return self.folder / f"{SPLITS[split]}-{bucket}"

    def deal(self, chunk, encoding):
        """Encodes a chunk and yields the split, the bucket and the rows of each bucket it meets."""
        rows = np.empty(len(chunk.labels), keyed_dtype(encoding.fields))
        rows["key"] = random_bits(chunk.first_row, len(rows), SHUFFLE_SEED)
        rows["row"] = encode_chunk(chunk, encoding)
        numbers = np.array(self.numbers, np.uint64)[chunk.splits]
        # The key as a fraction of 2^64, times the number of buckets.
        bucket = ((rows["key"] >> np.uint64(32)) * numbers) >> np.uint64(32)
        starts = np.concatenate([[0], np.cumsum(self.numbers)])
        flat = starts[chunk.splits] + bucket.astype(np.int64)
        rows = rows[np.argsort(flat, kind="stable")]
        ends = np.cumsum(np.bincount(flat, minlength=starts[-1]))
        for split, number in enumerate(self.numbers):
            for bucket in range(number):
                flat = starts[split] + bucket
                part = rows[ends[flat - 1] if flat else 0 : ends[flat]]
                if len(part):
                    yield split, bucket, part


@dataclasses.dataclass(frozen=True)
class Bucket:
    """One file of the prepared set: called, it yields its row blocks.

    Args:
        path: File of the bucket's rows.
        fields: The log's fields.
    """

    path: epath.Path
    fields: tuple

    def __call__(self):
        """Yields the number of a block's first row within the file, and the block."""
        rows = np.frombuffer(self.path.read_bytes(), keyed_dtype(self.fields))
        rows = rows["row"][np.argsort(rows["key"])]
        for start in range(0, len(rows), BLOCK_ROWS):
            block = rows[start : start + BLOCK_ROWS]
            yield start, {name: np.ascontiguousarray(block[name]) for name in block.dtype.names}


def keyed_dtype(fields):
    """Returns the type of an encoded row with the key that it is sorted by."""
    return np.dtype([("key", np.uint64), ("row", row_dtype(fields))])


def read_pieces(pieces, function, description):
    """Yields a function's result for each piece, in order, some made ahead by threads.

    A bar shows the rows, on a terminal only; the time left as well where the
    pieces are a list or have their number of `rows`.
    """
    if isinstance(pieces, list):
        total = sum(piece.rows for piece in pieces)
    else:
        total = getattr(pieces, "rows", None)
    workers = os.cpu_count() or 1
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
            for piece in pieces:
                waiting.append((piece.rows, pool.submit(function, piece)))
                if len(waiting) > workers:
                    yield first_result()
            while waiting:
                yield first_result()
        finally:
            pool.shutdown(cancel_futures=True)
