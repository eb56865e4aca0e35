"""What the records of a prepared data set are: their fields, and their values raw and encoded."""

import functools
from collections.abc import Mapping
from typing import Any

import numpy as np
import pyarrow as pa
import tensorflow_datasets as tfds

from interhat_tf.errors import DamagedFileError, DataError, SettingError
from interhat_tf.growth import Growth
from interhat_tf.input_pipeline.blocks import find_records
from interhat_tf.input_pipeline.raw_values import (
    MAX_UNKNOWN,
    Records,
    decode_inputs,
    encode_records,
    read_text,
    unknown_shares,
    warn_of_unknown,
)
from interhat_tf.input_pipeline.set_files import METADATA, naming_damaged_json
from interhat_tf.preprocessing.column_forms import BOOLEAN, ELEMENTS, WHOLE, Reading, read_form
from interhat_tf.preprocessing.encoding import Encoding
from interhat_tf.preprocessing.fields import Categorical, as_categories
from interhat_tf.schema import MISSING, Schema
from interhat_tf.utils.digests import content_digest
from interhat_tf.utils.formats import check_format


class PreparedRecords:
    """What the records of a prepared data set are, and what their values mean.

    Args:
        builder: The tfds builder of a prepared set that a `ClickLogBuilder` wrote.

    Raises:
        DamagedFileError: If the set's metadata is damaged.

    Attributes:
        name: The set's name, configuration and version.
        schema: The `Schema` of the inputs, with the crosses that `with_crosses` made.
        vocabularies: For each field with ids, the raw values of ids 1, 2, …, of a field that
            shares those of the other one; of a `Bucketed` field, the ranges of numbers.
        statistics: The figures of the paper's Table 1, and each split's size.
        weighted: Whether the records have weights, as with `prepare_click_log(weight=)`.
        negative_sampling_rate: The share of the records without a click that the log
            holds; the weights have been divided by it.
    """

    def __init__(self, builder: tfds.core.DatasetBuilder):
        self.name: str = builder.info.full_name
        self._folder = builder.data_path
        with naming_damaged_json(self._folder):
            metadata = builder.info.metadata
        check_format(self._folder / METADATA, metadata.get("format"))
        with naming_damaged_json(self._folder):
            self.schema = Schema.from_dict(metadata["schema"])
            self.vocabularies = _vocabularies(metadata["encoding"], self.schema)
            self.statistics: dict[str, Any] = metadata["statistics"]
        self.weighted: bool = "weight" in builder.info.features
        weights = metadata.get("made_from", {}).get("weights") or {}
        self.negative_sampling_rate: float = weights.get("negative_sampling_rate", 1.0)
        self._info = builder.info

    @functools.cached_property
    def encoding(self) -> Encoding:
        """The `Encoding` that turned raw values into ids and numbers."""
        with naming_damaged_json(self._folder):
            return Encoding.from_dict(self._info.metadata["encoding"])

    @functools.cached_property
    def reading(self) -> Reading:
        """The `Reading` of the log's columns: what the set's values meant in it."""
        if config := self._info.metadata.get("reading"):
            with naming_damaged_json(self._folder):
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
            raise DataError(
                f"the model's schema is not that of the data set {self.name}, the other: "
                f"{difference}; {advice}"
            )
        trained_on = getattr(model, "trained_on", {})
        for part, what in (("vocabulary", "ids stand"), ("numbers", "scaled numbers stand")):
            if trained_on and trained_on[part] != self.digests[part]:
                raise DataError(
                    f"the model was trained on another set than {self.name}: its {what} for "
                    f"other values there; give the set {trained_on['name']} that it was trained on"
                )

    def encode(
        self, records: Records, *, max_unknown: float = MAX_UNKNOWN
    ) -> dict[str, np.ndarray]:
        """Turns raw records into a model's inputs, as preparation did.

        Warns of a field of which many values are out of vocabulary: a sign that they
        are not written as in the log. `unknown_shares` gives all shares.

        Args:
            records: A dictionary of lists, or a pandas, polars or Arrow table, with
                the log's columns, which are read as the log's were; `None` or
                `pandas.NA` where a value is missing. A number may be text, and a categorical
                value a number that is written as in the log. Several values are a list, or a
                text with what stands between them in the log; of a list that is longer than
                all of the training rows' the first are kept, of a sequence the latest.
            max_unknown: Share of a field's values that may be out of vocabulary
                without a warning. Defaults to 0.5; 1.0 never warns.

        Returns:
            The inputs, a dictionary of `categorical` (B, C) int32,
            `numerical` (B, N) float32 and `multivalued` (B, L) int32; a kind without
            fields is left out.

        Raises:
            ValueError: If a field is missing, or a value is not of its kind, or
                an id is a float of 2^53 or more, whose last digits are lost.
                The message names the field.
        """
        inputs = encode_records(records, self.encoding, self.reading)
        warn_of_unknown(self.unknown_shares(inputs), max_unknown)
        return inputs

    def unknown_shares(self, inputs: Mapping[str, Any]) -> dict[str, float]:
        """Returns the share of a model's inputs that is out of vocabulary, by field with ids.

        Args:
            inputs: What `encode` returned, or a batch's inputs.
        """
        return unknown_shares(inputs, self.schema)

    def decode(self, inputs: Mapping[str, Any], records: Records | None = None) -> np.ndarray:
        """Returns the readable values of a model's inputs, the inverse of `encode`.

        Args:
            inputs: Dictionary of `categorical`, (B, C), `numerical`, (B, N), and
                `multivalued`, (B, L).
            records: The raw records that they were encoded from, which have the values of
                hashed fields. Defaults to `None`.

        Returns:
            (B, C + N + V) texts in the order of `schema.record_fields`: a categorical
            field's raw value, `(other)` for one out of vocabulary and
            `(missing)` for the empty text; a number in the log's own units,
            clipped to the training rows' range. A hashed field has `hash 17`, the name
            of its values, or with `records` its own value. Several values are
            `ValueTexts`, `Comedy, Drama`, which has each of them in `parts`; a sequence
            without a value is `(none)`.
        """
        texts = decode_inputs(inputs, self.schema, self.vocabularies, self.encoding)
        if records is not None:
            for column, field in enumerate(self.schema.categorical):
                if field.hash_size is not None:
                    own = read_text(records, field.name, self.reading)
                    texts[:, column] = [value or MISSING for value in own]
        return texts

    @property
    def unknown_share(self) -> float:
        """The `unknown_share` that training takes if its settings say nothing of it."""
        return self._info.metadata.get("unknown_share", 0.0)

    def num_rows(self, split: str) -> int:
        """Returns the number of rows of a split."""
        return self.statistics["splits"][split]["rows"]

    def id_of(self, field: str, value: str) -> int:
        """Returns the id of a raw value of a categorical field, or of one of several values.

        It may be spelt as in the log, where `17.0` is 17 and `True` true.

        Raises:
            ValueError: If there is no such field, or its vocabulary does not
                hold the value, nor the name that a hash gives it.
        """
        if field not in self.vocabularies:
            raise SettingError(
                f"{self.name} has no categorical field {field!r}; "
                f"it has {', '.join(self.vocabularies)}"
            )
        for spelt in (value, self._as_read(field, value)):
            if (name := self._name_of(field, spelt)) in self.vocabularies[field]:
                return self.vocabularies[field].index(name) + 1
        raise SettingError(
            f"the training rows of {self.name} have no value {value!r} in field {field!r}"
        )

    def _as_read(self, field: str, value: str) -> str:
        """Returns a value as its column is read: `17.0` as 17, `True` as true."""
        form = self.reading.sources[field].form
        form = ELEMENTS.get(form, form)  # of one of several values
        if form not in (WHOLE, BOOLEAN):
            return value
        (read,), (right,) = read_form(pa.chunked_array([[value]]), form)
        return read.as_py() if right else value

    def _name_of(self, field: str, value: str) -> str:
        """Returns what the vocabulary has of a raw value: itself, or the name of its hash."""
        (raw,) = (raw for raw in self.encoding.fields if raw.name == field)
        owner = self.encoding.owner(raw)
        if not isinstance(owner, Categorical):
            return value
        return as_categories(pa.array([value]), owner)[0].as_py()

    def files(self, split: str) -> list[str]:
        """Returns the paths of a split's files."""
        if split not in self._info.splits:
            raise SettingError(
                f"{self.name} has no split {split!r}; it has {', '.join(self._info.splits)}"
            )
        return [str(path) for path in self._info.splits[split].filepaths]


def _vocabularies(encoding: Mapping[str, Any], schema: Schema) -> dict[str, list[str]]:
    """Returns the values of each field with ids; raises an error if an id but 0 has none."""
    fields = (*schema.categorical, *schema.multivalued)
    own: Mapping[str, list[str]] = encoding["vocabularies"]
    found = {field.name: own[field.shares or field.name] for field in fields}
    for field in fields:
        values = field.vocabulary_size - 1
        if len(found[field.name]) != values:
            raise DamagedFileError(
                f"{field.name} has {values} values, {len(found[field.name])} are there"
            )
    return found
