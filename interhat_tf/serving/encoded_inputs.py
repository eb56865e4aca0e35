"""What a model takes that was trained on no prepared set: ids and numbers, field by field."""

from collections.abc import Mapping

import tensorflow as tf

from interhat_tf.schema import (
    CATEGORICAL,
    MULTIVALUED,
    NUMERICAL,
    OUT_OF_VOCABULARY,
    PADDING,
    SEQUENCE,
    Schema,
)
from interhat_tf.serving.value_lists import packed

IDS, SCALED, ID_LISTS = "id", "scaled number", "list of ids"
"""What a field's values are given as: int32 ids, float32 as the model was trained on them, or of
several values (B, n) int32 ids, of which -1 is none."""


class EncodedInputs:
    """The fields of a record as a model's inputs.

    Args:
        schema: The model's `Schema`.

    Attributes:
        kinds: `IDS`, `SCALED` or `ID_LISTS` of each field.
        ids: The ids of texts, of no field.
    """

    def __init__(self, schema: Schema):
        self._schema = schema
        self.kinds = {f.name: IDS for f in schema.categorical}
        self.kinds |= {f.name: SCALED for f in schema.numerical}
        self.kinds |= {f.name: ID_LISTS for f in schema.multivalued}
        self.ids: dict[str, dict[str, int]] = {}

    def encode(self, values: Mapping[str, tf.Tensor]) -> dict[str, tf.Tensor]:
        """Returns a model's inputs.

        Args:
            values: (B,) of each field, of several values (B, n); an id that is out of range
                is out of vocabulary.
        """
        inputs = {}
        if self._schema.categorical:
            ids = [values[field.name] for field in self._schema.categorical]
            inputs[CATEGORICAL] = known_ids(self._schema, tf.stack(ids, axis=1))
        if self._schema.multivalued:
            lists = [
                packed(values[field.name], field.max_length, PADDING, latest=field.kind == SEQUENCE)
                for field in self._schema.multivalued
            ]
            inputs[MULTIVALUED] = known_ids(self._schema, tf.concat(lists, axis=1), MULTIVALUED)
        if self._schema.numerical:
            numbers = [values[field.name] for field in self._schema.numerical]
            inputs[NUMERICAL] = tf.stack(numbers, axis=1)
        return inputs

    def refused(self, values: Mapping[str, tf.Tensor]) -> dict[str, tf.Tensor]:
        """Returns which numbers are infinite, or missing where none may be, (B,) by field."""
        wrong = {True: tf.math.is_inf, False: lambda x: ~tf.math.is_finite(x)}
        fields = self._schema.numerical
        return {field.name: wrong[field.may_be_missing](values[field.name]) for field in fields}


def known_ids(schema: Schema, ids: tf.Tensor, kind: str = CATEGORICAL) -> tf.Tensor:
    """Returns ids, (B, C) or (B, L), 0 in place of those that are out of their field's range.

    Args:
        schema: The ids' `Schema`.
        ids: The ids.
        kind: Of which fields they are. Defaults to `"categorical"`.
    """
    fields = [schema.record_fields[place] for place in schema.columns[kind]]  # of each column
    sizes = tf.constant([field.vocabulary_size for field in fields], ids.dtype)
    lowest = PADDING if kind == MULTIVALUED else 0
    return tf.where((ids >= lowest) & (ids < sizes), ids, OUT_OF_VOCABULARY)
