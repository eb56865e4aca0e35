"""The tfds builder of a raw click log: a log is read twice, then its rows are written in blocks.

A log is read in chunks, on this machine (`local_runner.py`) or, given a Beam
runner, on a cluster (`beam_runner.py`). The first time its values are counted
(`vocabulary.py`); the second time its rows are encoded (`encoding.py`) and
distributed to shuffle partitions on disk (`shuffle.py`), each of which is sorted
into its final order and written as one file of the prepared set. Memory is
bounded however long the log is.
"""

import abc
import dataclasses
import os
import sys
import warnings
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import tensorflow as tf
import tensorflow_datasets as tfds
from etils import epath

from interhat_tf.errors import DataError, FullDiskError
from interhat_tf.preprocessing.encoding import Encoding, row_dtype
from interhat_tf.preprocessing.fields import (
    Multivalued,
    RawField,
    Sequential,
    check_shares,
)
from interhat_tf.preprocessing.local_runner import LocalRunner
from interhat_tf.preprocessing.log_files import manual_folder
from interhat_tf.preprocessing.log_parts import (
    Part,
    check_unwritten,
    describing_parts,
    have_changed,
)
from interhat_tf.preprocessing.rows import SPLITS, Chunk, Rows
from interhat_tf.preprocessing.shuffle import LENGTHS, Partitions
from interhat_tf.preprocessing.vocabulary import Counts, ValueCounts, statistics
from interhat_tf.schema import MULTIVALUED
from interhat_tf.utils.formats import FORMAT


class ClickLogBuilder(tfds.core.ShardBasedBuilder, skip_registration=True):  # type: ignore[call-arg]
    """A tfds builder of a click log: a subclass names the fields and reads the raw format.

    One example of the prepared set is a row block of up to `shuffle.BLOCK_ROWS`
    rows. The rows of a split are in a random order that depends on their
    position in the log alone. The metadata holds `schema` (`Schema.to_dict`),
    `encoding` (`Encoding.to_dict`), `statistics`, and `parts`, the log's files.

    Attributes:
        parts: The `log_parts.Part`s of the log's files, once they were read.
    """

    parts: Sequence[Part] = ()

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        # tfds reads README.md and CITATIONS.bib there. By default it goes by
        # the module's name, which is not where a source checkout has them.
        # A builder that is written in a notebook has no file.
        file = getattr(sys.modules[cls.__module__], "__file__", None)
        cls.pkg_dir_path = epath.Path(file or "notebook").parent

    @property
    @abc.abstractmethod
    def fields(self) -> Sequence[RawField]:
        """The log's `Categorical`, `Numerical` and `Bucketed` fields, in order."""

    @property
    def weighted(self) -> bool:
        """Whether the rows have weights; by default they have none."""
        return False

    def _files(self, folder: epath.Path) -> Sequence[str]:
        """Returns the log's files; a log that has none, or downloads them, returns nothing.

        Args:
            folder: The folder of the original files, or the one that was given.

        Raises:
            FileNotFoundError: If one is missing.
        """
        return ()

    def is_of(self, raw_dir: str | os.PathLike, metadata: Mapping[str, Any]) -> bool:
        """Returns whether the files in a folder are what a prepared set was made from.

        Without the files there is nothing to compare, and a set of an earlier
        version does not say; either counts as the same.

        Args:
            raw_dir: The folder of the original files.
            metadata: The set's metadata.
        """
        try:
            files = self._files(epath.Path(raw_dir))
        except FileNotFoundError:
            return True
        just_read = bool(self.parts)
        return just_read or not have_changed(files, metadata.get("parts", ()))

    @abc.abstractmethod
    def _chunks(self, dl_manager: tfds.download.DownloadManager) -> Iterable[Chunk]:
        """Returns the chunks of the log in order, to be iterated over twice.

        A chunk is anything that can be pickled, that `_read_chunk` can read
        without the others, and that has its number of `rows`.
        """

    @abc.abstractmethod
    def _read_chunk(self, chunk: Any) -> Rows:
        """Returns the rows of a chunk; called by several threads at once."""

    def _info(self):
        row = row_dtype(self.fields, self.weighted)
        columns = {name: (row[name].base, row[name].shape) for name in row.names or ()}
        if multivalued := sum(isinstance(field, Multivalued) for field in self.fields):
            columns |= {MULTIVALUED: (np.int32, ()), LENGTHS: (np.int32, (multivalued,))}
        features = {
            name: tfds.features.Tensor(shape=(None, *shape), dtype=dtype, encoding="bytes")
            for name, (dtype, shape) in columns.items()
        }
        return self.dataset_info_from_configs(
            features=tfds.features.FeaturesDict(features), metadata=tfds.core.MetadataDict()
        )

    def _download_and_prepare(self, dl_manager, download_config=None):
        self._runner = LocalRunner()
        if download_config and (download_config.beam_runner or download_config.beam_options):
            from interhat_tf.preprocessing.beam_runner import BeamRunner

            self._runner = BeamRunner(download_config.beam_runner, download_config.beam_options)
            download_config = dataclasses.replace(download_config, beam_runner=self._runner.runner)
        try:
            super()._download_and_prepare(dl_manager, download_config)
        except tf.errors.OpError as error:  # TensorFlow writes the files
            full = isinstance(error, tf.errors.ResourceExhaustedError)
            kind = FullDiskError if full else OSError
            raise kind(f"{self.data_path}: {error.message}") from error
        for folder in (self._folder("counts"), self._folder("partitions")):
            if folder.exists():
                folder.rmtree()

    def _shard_iterators_per_split(self, dl_manager):
        runner, fields, read = self._runner, self.fields, self._read_chunk
        check_shares(fields)
        with describing_parts(self._files(manual_folder(dl_manager))) as parts:
            chunks = self._chunks(dl_manager)
            counts, values = runner.count(chunks, read, fields, self._folder("counts"))
            self.parts = parts()
        for split, rows in zip(SPLITS, counts.rows, strict=True):
            if rows == 0:
                raise DataError(
                    f"{self.info.full_name}: the {split} split has no rows; "
                    f"the log has {counts.rows.sum():,}: add rows, or split them in another way"
                )
        encoding = self._fit(values, counts)
        _warn_of_long_lists(encoding, counts.longest)
        self.info.metadata.update(
            format=FORMAT,
            schema=encoding.schema().to_dict(),
            encoding=encoding.to_dict(),
            statistics=statistics(counts, values, fields),
            parts=[dataclasses.asdict(part) for part in self.parts],
        )
        del values
        row = row_dtype(fields, self.weighted, encoding.lengths)
        widths = tuple(encoding.lengths.values())
        partitions = Partitions.of_rows(self._folder("partitions"), counts.rows, row, widths)
        runner.encode(chunks, read, encoding, partitions)
        check_unwritten(self.parts)
        return partitions.files()

    def _fit(self, values: Mapping[str, ValueCounts], counts: Counts) -> Encoding:
        """Returns the encoding that follows from counts; see `Encoding.fit`."""
        return Encoding.fit(self.fields, values, counts.ranges, counts.samples, counts.longest)

    def _example_writer(self):
        return _FixedOrderWriter(super()._example_writer())

    def _folder(self, name):
        return epath.Path(self.data_path) / f"{name}.tmp"


def _warn_of_long_lists(encoding: Encoding, longest: Mapping[str, int]) -> None:
    ordered = {field.name for field in encoding.fields if isinstance(field, Sequential)}
    for name, length in encoding.lengths.items():
        if longest[name] > length:
            kept = "latest" if name in ordered else "first"
            warnings.warn(
                f"{name}: a row has {longest[name]:,} values, of which the {kept} {length:,} are "
                f"kept; max_values= keeps more",
                stacklevel=2,
            )


class _FixedOrderWriter:
    """Writes examples with their features in a fixed order.

    Protocol buffers order them differently in each process, so that the files
    of a set would differ from one preparation to the next.

    Args:
        writer: The `ExampleWriter` that writes the files.
    """

    def __init__(self, writer: Any) -> None:
        self.writer = writer

    def write(self, path: epath.Path, examples: Iterable[tuple[Any, bytes]]) -> Any:
        """Writes a file; see `ExampleWriter.write`."""

        def in_order() -> Iterator[tuple[Any, bytes]]:
            for key, data in examples:
                example = tf.train.Example.FromString(data)
                yield key, example.SerializeToString(deterministic=True)

        return self.writer.write(path, in_order())
