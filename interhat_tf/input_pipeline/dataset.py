"""A prepared data set: what its records are, and their batches for training and evaluation."""

import copy
import functools
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import tensorflow as tf
import tensorflow_datasets as tfds

from interhat_tf.crosses import Cross
from interhat_tf.growth import Growth
from interhat_tf.input_pipeline.block_checks import check_blocks, sum_weights
from interhat_tf.input_pipeline.blocks import (
    Block,
    as_batch,
    decode_blocks,
    find_blocks,
    find_records,
    pipeline_options,
)
from interhat_tf.input_pipeline.crosses import Combinations, count_combinations, fit_crosses
from interhat_tf.input_pipeline.raw_values import (
    Records,
    decode_inputs,
    encode_records,
    unknown_shares,
    warn_of_unknown,
)
from interhat_tf.input_pipeline.shuffled_batches import (
    Shard,
    distribute_blocks,
    num_batches,
    shuffled_batches,
)
from interhat_tf.input_pipeline.unknown_values import UnknownValues
from interhat_tf.preprocessing.column_forms import Reading
from interhat_tf.preprocessing.encoding import Encoding
from interhat_tf.preprocessing.fields import Categorical
from interhat_tf.schema import Schema
from interhat_tf.utils.digests import content_digest


class PreparedDataset:
    """A prepared data set: what its records are, and their batches.

    A batch is a pair of the inputs, a dictionary of `categorical` (B, C) int32
    and `numerical` (B, N) float32 in which a kind without fields is left out,
    and the labels, (B,) float32. Of a set with weights it is a triple, whose last part
    are these, (B,) float32, as Keras' `fit` and `evaluate` take it.

    Args:
        builder: The tfds builder of a prepared set that a `ClickLogBuilder` wrote.

    Attributes:
        name: The set's name, configuration and version.
        schema: The `Schema` of the inputs, with the crosses that `with_crosses` made.
        vocabularies: For each categorical field, the raw values of ids 1, 2, …;
            of a `Bucketed` field, the ranges of numbers.
        statistics: The figures of the paper's Table 1, and each split's size.
        weighted: Whether the records have weights, as with `prepare_click_log(weight=)`.
        negative_sampling_rate: The share of the records without a click that the log
            holds; the weights have been divided by it.
    """

    def __init__(self, builder: tfds.core.DatasetBuilder):
        metadata = builder.info.metadata
        self.name: str = builder.info.full_name
        self.schema = Schema.from_dict(metadata["schema"])
        self.vocabularies: dict[str, list[str]] = metadata["encoding"]["vocabularies"]
        self.statistics: dict[str, Any] = metadata["statistics"]
        self.weighted: bool = "weight" in builder.info.features
        weights = metadata.get("made_from", {}).get("weights") or {}
        self.negative_sampling_rate: float = weights.get("negative_sampling_rate", 1.0)
        self._info = builder.info

    def with_crosses(self, crosses: Iterable[Cross | Sequence[str]]) -> "PreparedDataset":
        """Returns the same set with crosses in its schema, for the models that are built from it.

        A cross is a field whose values are the combinations of two or three
        categorical fields' values, so that a model may remember what is true of
        one user and one app together. Records do not hold it: a model makes it of
        their fields, also when it is saved and served. Which combinations have
        an id follows from the training rows, which are read once.

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
        training_rows = self._blocks("train").as_numpy_iterator()
        crossed.schema = self.schema.with_crosses(fit_crosses(training_rows, self.schema, crosses))
        return crossed

    def count_combinations(self, of_fields: Sequence[Sequence[str]]) -> list[Combinations]:
        """Counts the training rows of each combination of some fields' values, in one pass.

        Args:
            of_fields: For each count, the names of categorical fields.
        """
        training_rows = self._blocks("train").as_numpy_iterator()
        return count_combinations(training_rows, self.schema, of_fields)

    @functools.cached_property
    def encoding(self) -> Encoding:
        """The `Encoding` that turned raw values into ids and numbers."""
        return Encoding.from_dict(self._info.metadata["encoding"])

    @functools.cached_property
    def reading(self) -> Reading:
        """The `Reading` of the log's columns: what the set's values meant in it."""
        if config := self._info.metadata.get("reading"):
            return Reading.from_dict(config)
        return Reading.plain(self.encoding.fields)

    @functools.cached_property
    def growth(self) -> Growth | None:
        """How the set's vocabularies grew from another set's, if they did."""
        config = self._info.metadata.get("growth")
        return config and Growth.from_dict(config)

    @property
    def metadata(self) -> Mapping[str, Any]:
        """What preparation noted of the set, as plain data."""
        return self._info.metadata

    @functools.cached_property
    def digests(self) -> dict[str, str]:
        """What the set is, whatever its name: digests of what it holds, as plain data.

        `vocabulary` is that of what ids stand for, `numbers` of how numbers were scaled,
        and `records` of the rows of all splits, of which the files' checksums are read.
        """
        encoding = {k: v for k, v in self._info.metadata["encoding"].items() if v}
        encoding.pop("fields")
        checksums = [
            [split, *([length, checksum.hex()] for _, length, checksum in find_records(path))]
            for split in sorted(self._info.splits)
            for path in self.files(split)
        ]
        return {
            "vocabulary": content_digest(encoding.pop("vocabularies", {})),
            "numbers": content_digest(encoding),
            "records": content_digest(checksums),
        }

    def check_model(self, model: Any) -> None:
        """Raises an error if a model reads other records than the set's.

        Args:
            model: A model with `schema`; its `trained_on`, if it has one, says which set's
                ids and numbers it learnt.

        Raises:
            ValueError: If its fields are others, or its ids stand for other values. The
                message names the first field that differs, and what to do.
        """
        if difference := model.schema.difference(self.schema):  # the model makes the crosses
            advice = (
                "grow_model(model, data) grows it"
                if self.growth
                else "build the model from data.schema; or, to train a model on with new values, "
                "prepare these with grow= the set that it was trained on, and train "
                "grow_model(model, data)"
            )
            raise ValueError(
                f"the model's schema is not that of the data set {self.name}, the other: "
                f"{difference}; {advice}"
            )
        trained_on = getattr(model, "trained_on", {})
        for part, what in (("vocabulary", "ids stand"), ("numbers", "scaled numbers stand")):
            if trained_on and trained_on[part] != self.digests[part]:
                raise ValueError(
                    f"the model was trained on another set than {self.name}: its {what} for "
                    f"other values there; give the set {trained_on['name']} that it was trained on"
                )

    def encode(self, records: Records, *, max_unknown: float = 0.5) -> dict[str, np.ndarray]:
        """Turns raw records into a model's inputs, as preparation did.

        Warns of a field of which many values are out of vocabulary: a sign that they
        are not written as in the log. `unknown_shares` gives all shares.

        Args:
            records: A dictionary of lists, or a pandas, polars or Arrow table, with
                the log's columns, which are read as the log's were; `None` where a value
                is missing. A number may be text, and a categorical value a
                number that is written as in the log.
            max_unknown: Share of a field's values that may be out of vocabulary
                without a warning. Defaults to 0.5; 1.0 never warns.

        Returns:
            The inputs, a dictionary of `categorical` (B, C) int32 and
            `numerical` (B, N) float32; a kind without fields is left out.

        Raises:
            ValueError: If a field is missing, or a value is not of its kind, or
                an id is a float of 2^53 or more, whose last digits are lost.
                The message names the field.
        """
        inputs = encode_records(records, self.encoding, self.reading)
        warn_of_unknown(self.unknown_shares(inputs), max_unknown)
        return inputs

    def unknown_shares(self, inputs: Mapping[str, Any]) -> dict[str, float]:
        """Returns the share of a model's inputs that is out of vocabulary, by categorical field.

        Args:
            inputs: What `encode` returned, or a batch's inputs.
        """
        return unknown_shares(inputs, self.schema)

    def decode(self, inputs: Mapping[str, Any]) -> np.ndarray:
        """Returns the readable values of a model's inputs, the inverse of `encode`.

        Args:
            inputs: Dictionary of `categorical`, (B, C), and `numerical`, (B, N).

        Returns:
            (B, C + N) texts in the order of `schema.record_fields`: a categorical
            field's raw value, `(other)` for one out of vocabulary and
            `(missing)` for the empty text; a number in the log's own units,
            clipped to the training rows' range.
        """
        return decode_inputs(inputs, self.schema, self.vocabularies, self.encoding)

    @property
    def unknown_share(self) -> float:
        """The `unknown_share` that training takes if its settings say nothing of it."""
        return self._info.metadata.get("unknown_share", 0.0)

    def num_rows(self, split: str) -> int:
        """Returns the number of rows of a split."""
        return self.statistics["splits"][split]["rows"]

    def id_of(self, field: str, value: str) -> int:
        """Returns the id of a raw value of a categorical field.

        Raises:
            ValueError: If there is no such field, or its vocabulary does not
                hold the value.
        """
        if field not in self.vocabularies:
            raise ValueError(
                f"{self.name} has no categorical field {field!r}; "
                f"it has {', '.join(self.vocabularies)}"
            )
        if value not in self.vocabularies[field]:
            raise ValueError(f"field {field!r} of {self.name} never is {value!r} in training")
        return self.vocabularies[field].index(value) + 1

    def files(self, split: str) -> list[str]:
        """Returns the paths of a split's files."""
        if split not in self._info.splits:
            raise ValueError(
                f"{self.name} has no split {split!r}; it has {', '.join(self._info.splits)}"
            )
        return [str(path) for path in self._info.splits[split].filepaths]

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
            ValueError: If the shards are more than the blocks, or do not divide
                the batch.
        """
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

    def evaluation_batches(self, split: str, batch_size: int) -> tf.data.Dataset:
        """Returns the rows of a split once, in the order in which they are stored.

        Args:
            split: `"train"`, `"validation"` or `"test"`.
            batch_size: Rows of a batch; the last one may have fewer.

        Returns:
            A `tf.data.Dataset` of batches.
        """
        batches = self._blocks(split).rebatch(batch_size).map(as_batch)
        return batches.prefetch(8).with_options(pipeline_options())

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
        blocks = self._blocks(split).with_options(pipeline_options()).as_numpy_iterator()
        check_blocks(blocks, self.schema, self.num_rows(split), f"{self.name}, {split}")

    def label_weights(self, split: str) -> tuple[float, float]:
        """Returns the weight of a split's rows without a click, and of those with one.

        The split is read once. Rows of a set without weights weigh 1.

        Args:
            split: `"train"`, `"validation"` or `"test"`.
        """
        return sum_weights(self._blocks(split).as_numpy_iterator())

    def _blocks(self, split: str) -> tf.data.Dataset:
        records = tf.data.TFRecordDataset(self.files(split))
        return decode_blocks(records, self.schema, self.weighted)

    def _unknown_values(self, share: float) -> UnknownValues:
        fields = self._info.metadata["encoding"]["fields"]
        texts = [field["name"] for field in fields if field["kind"] == Categorical.__name__]
        missing = self.statistics.get("missing", {})
        return UnknownValues(
            share,
            np.array([field.name in texts for field in self.schema.categorical], bool),
            np.array([missing.get(field.name) == 0 for field in self.schema.numerical], bool),
        )

    def _shards(self, shards: int) -> list[Shard]:
        return distribute_blocks(self._training_blocks, shards, where=f"{self.name}, train")

    @functools.cached_property
    def _training_blocks(self) -> list[list[Block]]:
        return find_blocks(self.files("train"), self.schema)
