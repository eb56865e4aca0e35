"""The ids of crossed fields, from the ids of their fields."""

from collections.abc import Mapping
from typing import Any

import keras
import numpy as np
from keras import ops

from interhat_tf.click_counts import FOLDS
from interhat_tf.crosses import CrossedField
from interhat_tf.ops import Shape, Tensor
from interhat_tf.schema import OUT_OF_VOCABULARY, Schema
from interhat_tf.utils.config import ConfigFromSignature

# Odd, and without a pattern in common (Teschner et al., VMV 2003, Section 3).
HASH_FACTORS = (73856093, 19349663, 83492791)


@keras.saving.register_keras_serializable("interhat_tf")
class CrossedFields(ConfigFromSignature):
    """Puts the ids of a schema's crosses behind the ids of its categorical fields.

    A combination that the cross knows has the number of its place among them,
    counted from 1; it is found by bisection, field after field. With a hash it is

        1 + (sum_j id_j p_j  mod 2^32)  mod hash_size

    with an odd p_j for each field. Every other combination, and one with a value
    out of vocabulary, has id 0. Where the cross has click counts, the id is that of the
    combination's counts: those of all training records, or of the folds that a training
    record is not of. There are no weights.

    Args:
        schema: The record's `Schema`, or what its `to_dict` returned.
        **kwargs: Arguments of `keras.layers.Layer`.

    Call arguments:
        ids: Ids of the categorical fields, (B, C) integers.
        folds: Of training records, each one's fold, (B,) integers; see `click_counts`.
            Defaults to `None`: they are no training records.

    Returns:
        (B, C + X) int32, with an id for each of the X crosses.

    Example:

    >>> from interhat_tf import CrossedField, Field, Schema
    >>> fields = [Field("user", "categorical", 9), Field("app", "categorical", 5)]
    >>> cross = CrossedField(("user", "app"), combinations=[[2, 3], [4, 1]])
    >>> CrossedFields(Schema(fields, [cross]))(np.array([[4, 1], [4, 3], [2, 3]])).numpy()
    array([[4, 1, 2],
           [4, 3, 0],
           [2, 3, 1]], dtype=int32)
    """

    def __init__(self, schema: Schema | Mapping[str, Any], **kwargs: Any):
        super().__init__(**kwargs)
        self.schema = schema if isinstance(schema, Schema) else Schema.from_dict(schema)
        names = [field.name for field in self.schema.categorical]
        sizes = self.schema.vocabulary_sizes
        self.columns = [[names.index(name) for name in c.fields] for c in self.schema.crosses]
        self.indexes = [
            None if cross.combinations is None else _index(cross.combinations, sizes[columns[0]])
            for cross, columns in zip(self.schema.crosses, self.columns, strict=True)
        ]
        self.count_ids = [
            None
            if cross.counts is None or cross.combinations is None
            else _count_table(cross.combinations, cross.count_ids(), sizes[columns[0]])
            for cross, columns in zip(self.schema.crosses, self.columns, strict=True)
        ]

    def call(self, ids: Tensor, folds: Tensor | None = None) -> Tensor:
        """Returns the ids of all fields, (B, C + X)."""
        ids = ops.cast(ids, "int32")  # (B, C)
        crossed = []
        for cross, columns, index, count_ids in zip(
            self.schema.crosses, self.columns, self.indexes, self.count_ids, strict=True
        ):
            values = [ids[:, column] for column in columns]  # (B,) each
            number = _hashed(values, cross) if index is None else _found(values, index)
            crossed.append(number if count_ids is None else _counted(number, count_ids, folds))
        return ops.concatenate([ids, ops.stack(crossed, axis=1)], axis=1)  # (B, C + X)

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        """Returns (B, C + X)."""
        return (input_shape[0], input_shape[1] + len(self.schema.crosses))

    def get_config(self) -> dict[str, Any]:
        """Returns the arguments of the layer."""
        return {**super().get_config(), "schema": self.schema.to_dict()}


def _index(combinations: np.ndarray, size: int) -> list[tuple[np.ndarray, np.ndarray]]:
    """Returns, for each field from the second on, where its ids lie behind those before it.

    A known start of a combination has a number, first the id of its first field.
    `starts[number]` is where the ids lie that go on from it, in order, in `ids`;
    the place of the one that does is, counted from 1, the number of the longer start.
    """
    levels = []
    numbers = combinations[:, 0].astype("int64")  # (n,)
    for column in combinations.T[1:].astype("int64"):
        span = int(column.max(initial=0)) + 1
        known, places = np.unique(numbers * span + column, return_inverse=True)
        starts = np.searchsorted(known // span, np.arange(size + 1)).astype("int32")
        # A last id that no record has, so that the place behind all others can be read.
        ids = np.append(known % span, np.iinfo("int32").max).astype("int32")
        levels.append((starts, ids))
        numbers, size = places + 1, len(known) + 1
    return levels


def _count_table(combinations: np.ndarray, count_ids: np.ndarray, size: int) -> np.ndarray:
    """Returns the ids of click counts, by the number that `_found` gives: of one field, its id."""
    known, width = combinations.shape
    table = np.zeros((size if width == 1 else known + 1, FOLDS + 1), "int32")
    table[combinations[:, 0] if width == 1 else np.arange(1, known + 1)] = count_ids
    return table


def _found(columns: list[Tensor], index: list[tuple[np.ndarray, np.ndarray]]) -> Tensor:
    """Returns the ids of combinations, (B,), 0 where they are not known."""
    number = columns[0]  # (B,)
    for column, (starts, ids) in zip(columns[1:], index, strict=True):
        starts, steps = ops.convert_to_tensor(starts), int(np.diff(starts).max()).bit_length()
        ids = ops.convert_to_tensor(ids)  # once: each conversion is a constant in the graph
        low, end = ops.take(starts, number), ops.take(starts, number + 1)  # (B,)
        high = end
        for _ in range(steps):
            middle = (low + high) // 2  # (B,)
            smaller = ops.logical_and(low < high, ops.take(ids, middle) < column)  # (B,)
            low, high = ops.where(smaller, middle + 1, low), ops.where(smaller, high, middle)
        known = ops.logical_and(low < end, ops.take(ids, low) == column)  # (B,)
        number = ops.where(known, low + 1, OUT_OF_VOCABULARY)  # (B,)
    return number


def _counted(number: Tensor, count_ids: np.ndarray, folds: Tensor | None) -> Tensor:
    """Returns the ids of combinations' click counts, (B,), as records of the folds see them."""
    if folds is None:
        return ops.take(ops.convert_to_tensor(count_ids[:, -1]), number)
    places = number * count_ids.shape[1] + ops.cast(folds, "int32")  # (B,)
    return ops.take(ops.convert_to_tensor(count_ids.ravel()), places)


def _hashed(columns: list[Tensor], cross: CrossedField) -> Tensor:
    """Returns the ids that a hash gives to combinations, (B,), 0 where a value has id 0."""
    products = [column * p for column, p in zip(columns, HASH_FACTORS, strict=False)]
    number = 1 + ops.mod(sum(products), cross.hash_size)  # (B,)
    known = ops.all(ops.stack(columns, axis=1) != OUT_OF_VOCABULARY, axis=1)  # (B,)
    return ops.where(known, number, OUT_OF_VOCABULARY)
