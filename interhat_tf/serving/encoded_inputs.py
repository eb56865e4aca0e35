"""What a model takes that was trained on no prepared set: ids and numbers, field by field."""

from collections.abc import Mapping

import tensorflow as tf

from interhat_tf.schema import CATEGORICAL, NUMERICAL, OUT_OF_VOCABULARY, Schema

IDS, SCALED = "id", "scaled number"
"""What a field's values are given as: int32 ids, or float32 as the model was trained on them."""


class EncodedInputs:
    """The fields of a record as a model's inputs.

    Args:
        schema: The model's `Schema`.

    Attributes:
        kinds: `IDS` or `SCALED` of each field.
        ids: The ids of texts, of no field.
    """

    def __init__(self, schema: Schema):
        self._schema = schema
        self.kinds = {f.name: IDS for f in schema.categorical}
        self.kinds |= {f.name: SCALED for f in schema.numerical}
        self.ids: dict[str, dict[str, int]] = {}

    def encode(self, values: Mapping[str, tf.Tensor]) -> dict[str, tf.Tensor]:
        """Returns a model's inputs.

        Args:
            values: (B,) of each field; an id that is out of range is out of vocabulary.
        """
        inputs = {}
        if self._schema.categorical:
            ids = [values[field.name] for field in self._schema.categorical]
            inputs[CATEGORICAL] = known_ids(self._schema, tf.stack(ids, axis=1))
        if self._schema.numerical:
            numbers = [values[field.name] for field in self._schema.numerical]
            inputs[NUMERICAL] = tf.stack(numbers, axis=1)
        return inputs

    def refused(self, values: Mapping[str, tf.Tensor]) -> dict[str, tf.Tensor]:
        """Returns which numbers are infinite, (B,) booleans by field."""
        numbers = [field.name for field in self._schema.numerical]
        return {name: tf.math.is_inf(values[name]) for name in numbers}


def known_ids(schema: Schema, ids: tf.Tensor) -> tf.Tensor:
    """Returns ids, (B, C), 0 in place of those that are out of their field's range."""
    sizes = tf.constant([field.vocabulary_size for field in schema.categorical], ids.dtype)
    return tf.where((ids >= 0) & (ids < sizes), ids, OUT_OF_VOCABULARY)
