"""A prepared data set: what its records are, and their batches for training and evaluation."""

import contextlib
import copy
import functools
from collections.abc import Iterable, Iterator, Sequence

import numpy as np
import tensorflow as tf
import tensorflow_datasets as tfds

from interhat_tf.crosses import Cross
from interhat_tf.input_pipeline.block_checks import check_blocks, sum_unknown, sum_weights
from interhat_tf.input_pipeline.blocks import (
    Block,
    as_batch,
    decode_blocks,
    find_blocks,
    pipeline_options,
)
from interhat_tf.input_pipeline.crosses import Combinations, count_combinations, fit_crosses
from interhat_tf.input_pipeline.prepared_records import PreparedRecords
from interhat_tf.input_pipeline.raw_values import names_with_ids
from interhat_tf.input_pipeline.set_files import naming_damaged_records
from interhat_tf.input_pipeline.shuffled_batches import (
    Shard,
    distribute_blocks,
    num_batches,
    shuffled_batches,
)
from interhat_tf.input_pipeline.unknown_values import UnknownValues
from interhat_tf.preprocessing.fields import Categorical
from interhat_tf.preprocessing.shuffle import BLOCK_ROWS
from interhat_tf.schema import MULTIVALUED
from interhat_tf.utils.limits import check_limits

EVALUATION_BATCH_SIZE = BLOCK_ROWS
"""Rows of a batch where nothing but memory and speed depends on it: those of a stored block."""


class PreparedDataset(PreparedRecords):
    """A prepared data set: what its records are, and their batches.

    A batch is a pair of the inputs, a dictionary of `categorical` (B, C) int32,
    `numerical` (B, N) float32 and `multivalued` (B, L) int32 in which a kind without
    fields is left out,
    and the labels, (B,) float32. Of a set with weights it is a triple, whose last part
    are these, (B,) float32, as Keras' `fit` and `evaluate` take it.

    Args:
        builder: The tfds builder of a prepared set that a `ClickLogBuilder` wrote.
    """

    def __init__(self, builder: tfds.core.DatasetBuilder):
        super().__init__(builder)
        self._unknown_shares: dict[str, dict[str, float]] = {}
        # A pipeline of a split is traced once, not at every evaluation.
        self._pipelines: dict[str | tuple[str, int], tf.data.Dataset] = {}

    def with_crosses(self, crosses: Iterable[Cross | Sequence[str]]) -> "PreparedDataset":
        """Returns the same set with crosses in its schema, for the models that are built from it.

        A cross is a field whose values are the combinations of two or three
        categorical fields' values, so that a model may remember what is true of
        one user and one app together. Records do not hold it: a model makes it of
        their fields, also when it is saved and served. Which combinations have
        an id follows from the training rows, which are read once.

        `Cross(("user", "app"), click_counts=True)` is a field that says how many training
        rows of the user and the app had a click and how many had none, in powers of
        two, so that what is known of two combinations that fared alike is learnt together.
        Training rows then have an entry `fold`, by which they see the counts of
        other rows alone; see `interhat_tf.click_counts`.

        Args:
            crosses: The crosses, each a `Cross` or the names of its fields.

        Raises:
            ValueError: If a field is unknown or numerical, or a cross is given
                twice, or is not of two or three different fields.

        Example:

        >>> data = data.with_crosses([("user", "app")])  # doctest: +SKIP
        >>> data.schema.field_names  # doctest: +SKIP
        ('user', 'app', 'user x app', 'price')
        """
        crossed = copy.copy(self)
        crossed._pipelines = {}
        fitted = fit_crosses(self._read("train"), self.schema, crosses)
        crossed.schema = self.schema.with_crosses(fitted)
        return crossed

    def count_combinations(self, of_fields: Sequence[Sequence[str]]) -> list[Combinations]:
        """Counts the training rows of each combination of some fields' values, in one pass.

        Args:
            of_fields: For each count, the names of categorical fields.
        """
        return count_combinations(self._read("train"), self.schema, of_fields)

    def training_batches(
        self,
        batch_size: int,
        seed: int,
        first_epoch: int = 0,
        skip_batches: int = 0,
        shards: int = 1,
        of_shards: Sequence[int] | None = None,
        unknown_share: float = 0.0,
    ) -> tf.data.Dataset:
        """Returns the training rows in a random order, one epoch after the other, without end.

        The order of an epoch follows from `seed` and the epoch's number alone,
        so that an interrupted training goes on with the very batches it would
        have seen. An epoch has every row once and ends with batches of the rows
        left over; see `num_batches`. Blocks come in random order, and rows are
        permuted within a window of 16 blocks; which rows share a block was drawn
        at random when the set was prepared.

        Several workers each read a share: the set's files are distributed to
        the shards, or its blocks, if it has fewer files than that, and every
        batch is made of equal parts, one of each shard. One worker that reads
        all shards sees the same batches as several that share them.

        Args:
            batch_size: Rows of a batch.
            seed: Seed of the order.
            first_epoch: Number of the first epoch. Defaults to 0.
            skip_batches: Number of batches of the first epoch to leave out.
                Defaults to 0.
            shards: Number of shards. Defaults to 1.
            of_shards: Numbers of the shards whose parts of the batches are
                returned. Defaults to all.
            unknown_share: Share of the values, drawn by the seed, that are taken for
                unknown: id 0, or NaN of numerical fields that may be missing but are
                not in training rows; see `unknown_values`. In the first 131,072 rows of
                the first epoch there are none. Defaults to 0.

        Returns:
            A `tf.data.Dataset` of batches.

        Raises:
            SettingError: If the shards are more than the blocks, or do not divide
                the batch, or a number is out of its limits.
        """
        given = {"batch_size": batch_size, "unknown_share": unknown_share}
        check_limits(given, {"batch_size": int, "unknown_share": float})
        return shuffled_batches(
            self._shards(shards),
            self.schema,
            batch_size,
            seed,
            first_epoch=first_epoch,
            skip_batches=skip_batches,
            of_shards=of_shards,
            weighted=self.weighted,
            unknown=self._unknown_values(unknown_share) if unknown_share else None,
        )

    def num_batches(self, batch_size: int, shards: int = 1) -> int:
        """Returns the number of batches of an epoch of `training_batches`."""
        return num_batches(self._shards(shards), batch_size)

    def evaluation_batches(
        self, split: str, batch_size: int = EVALUATION_BATCH_SIZE
    ) -> tf.data.Dataset:
        """Returns the rows of a split once, in the order in which they are stored.

        Args:
            split: `"train"`, `"validation"` or `"test"`.
            batch_size: Rows of a batch; the last one may have fewer. Defaults to 8192.

        Returns:
            A `tf.data.Dataset` of batches.

        Raises:
            SettingError: If a batch has no rows.
        """
        check_limits({"batch_size": batch_size}, {"batch_size": int})
        if (split, batch_size) not in self._pipelines:
            batches = self._blocks(split).rebatch(batch_size).map(as_batch).prefetch(8)
            self._pipelines[split, batch_size] = batches.with_options(pipeline_options())
        return self._pipelines[split, batch_size]

    def check(self, split: str) -> None:
        """Reads a split once and raises an error if a row does not follow the schema.

        Args:
            split: `"train"`, `"validation"` or `"test"`.

        Raises:
            ValueError: If an id is outside its field's vocabulary, a number is
                not finite, a label is neither 0 nor 1, a weight is negative or not
                finite, all weights are 0, or rows are missing. The message names the data
                set, the split, the field and the row.
        """
        blocks, where = self._read(split), f"{self.name}, {split}"
        check_blocks(blocks, self.schema, self.num_rows(split), where)

    def label_weights(self, split: str) -> tuple[float, float]:
        """Returns the weight of a split's rows without a click, and of those with one.

        The split is read once. Rows of a set without weights weigh 1.

        Args:
            split: `"train"`, `"validation"` or `"test"`.
        """
        return sum_weights(self._read(split))

    def unknown_shares_of(self, split: str) -> dict[str, float]:
        """Returns the share of a split's values that training rows lack, by field with ids.

        The split is read once.

        Args:
            split: `"validation"` or `"test"`.
        """
        if split not in self._unknown_shares:
            counts = sum_unknown(self._read(split), self.schema)
            shares = (counts / self.num_rows(split)).tolist()
            names = names_with_ids(self.schema)
            self._unknown_shares[split] = dict(zip(names, shares, strict=True))
        return self._unknown_shares[split]

    def naming_damage(self, split: str) -> contextlib.AbstractContextManager[None]:
        """Makes an error of reading a split's batches one that names the damaged file.

        Args:
            split: `"train"`, `"validation"` or `"test"`.

        Example:

        >>> with data.naming_damage("test"):  # doctest: +SKIP
        ...     clicks = sum(labels.sum() for _, labels in data.evaluation_batches("test"))
        """
        return naming_damaged_records(self.files(split))

    def _read(self, split: str) -> Iterator[dict[str, np.ndarray]]:
        """Yields the blocks of a split."""
        with self.naming_damage(split):
            yield from self._blocks(split).as_numpy_iterator()

    def _blocks(self, split: str) -> tf.data.Dataset:
        if split not in self._pipelines:
            records = tf.data.TFRecordDataset(self.files(split))
            folds = split == "train" and self.schema.click_counts
            blocks = decode_blocks(records, self.schema, self.weighted, folds)
            self._pipelines[split] = blocks.with_options(pipeline_options())
        return self._pipelines[split]

    @property
    def may_be_unknown(self) -> np.ndarray:
        """Whether later records may have new values of each categorical field, (C,) booleans."""
        fields = self._info.metadata["encoding"]["fields"]
        texts = [field["name"] for field in fields if field["kind"] == Categorical.__name__]
        return np.array([field.name in texts for field in self.schema.categorical], bool)

    def _unknown_values(self, share: float) -> UnknownValues:
        missing = self.statistics.get("missing", {})
        return UnknownValues(
            share,
            self.may_be_unknown,
            np.array([missing.get(field.name) == 0 for field in self.schema.numerical], bool),
            np.ones(len(self.schema.columns.get(MULTIVALUED, ())), bool),
        )

    def _shards(self, shards: int) -> list[Shard]:
        check_limits({"shards": shards}, {"shards": int})
        return distribute_blocks(self._training_blocks, shards, where=f"{self.name}, train")

    @functools.cached_property
    def _training_blocks(self) -> list[list[Block]]:
        with self.naming_damage("train"):
            return find_blocks(self.files("train"), self.schema)
