"""Pools the values of a multivalued field into the one vector that the field has in a model."""

from collections.abc import Sequence
from typing import Any

import keras
from keras import ops

from interhat_tf.layers.attentional_aggregation import AttentionalAggregation
from interhat_tf.ops import Shape, Tensor
from interhat_tf.utils.config import ConfigFromSignature
from interhat_tf.utils.limits import check_choice

MEAN, SUM, MAX, ATTENTION = "mean", "sum", "max", "attention"
POOLINGS = (MEAN, SUM, MAX, ATTENTION)
TARGET = "target"
"""The pooling by a candidate, which is an `ActivationUnit`."""


@keras.saving.register_keras_serializable("interhat_tf")
class ValuePooling(ConfigFromSignature):
    """Pools the vectors of a field's values into one.

        mean        u = 1/n sum_j x_j
        sum         u = sum_j x_j
        max         u = max_j x_j, each of the d numbers by itself
        attention   u = sum_j alpha_j x_j,  alpha as in Equation 2 of the paper

    The sums are over the n values that a record has; with none, u is 0. Attention is the
    `AttentionalAggregation` that InterHAt pools its fields with: its hierarchy of orders
    and fields gains the values below them. The other ways have no weights to train.

    Args:
        pooling: `"mean"`, `"sum"`, `"max"` or `"attention"`.
        attention_size: Width s of the attention space. Defaults to 16.
        **kwargs: Arguments of `keras.layers.Layer`.

    Call arguments:
        inputs: The vectors x_j, (B, L, d).
        present: Which of the L are values; the others change nothing, (B, L) booleans.

    Returns:
        The field's vector u, (B, d), and how much each value has in it, (B, L), which sums
        to 1 unless there is none: alpha, or 1/n, or of `max` the share of the d numbers
        that are the value's.

    Raises:
        ValueError: If there is no such pooling.

    Example:

    >>> vectors = ops.array([[[1.0, 4.0], [3.0, 2.0], [9.0, 9.0]]])
    >>> present = ops.array([[True, True, False]])
    >>> for pooling in ("mean", "max"):
    ...     print([part.numpy().tolist() for part in ValuePooling(pooling)(vectors, present)])
    [[[2.0, 3.0]], [[0.5, 0.5, 0.0]]]
    [[[3.0, 4.0]], [[0.5, 0.5, 0.0]]]
    """

    def __init__(self, pooling: str, *, attention_size: int = 16, **kwargs: Any):
        super().__init__(**kwargs)
        check_choice("pooling", pooling, POOLINGS)
        self.pooling = pooling
        self.attention_size = int(attention_size)

    def build(self, inputs_shape: Shape, present_shape: Shape | None = None) -> None:
        """Creates the weights of the attention, if it is that."""
        self.attention: Any = None
        # One value is the whole field, whatever its score.
        if self.pooling == ATTENTION and inputs_shape[1] > 1:
            self.attention = AttentionalAggregation(
                self.attention_size, use_bias=True, dtype=self.dtype_policy, name="attention"
            )
            self.attention.build(inputs_shape)
        self.built = True

    def call(self, inputs: Tensor, present: Tensor) -> tuple[Tensor, Tensor]:
        """Returns u, (B, d), and the values' shares in it, (B, L)."""
        if self.attention:
            return self.attention(inputs, present=present)
        of_values = ops.cast(present, inputs.dtype)  # (B, L)
        number = ops.sum(of_values, axis=1, keepdims=True)  # (B, 1)
        shares = of_values / ops.maximum(number, 1)  # (B, L)
        if self.pooling == MAX:
            return _largest(inputs, ops.expand_dims(present, -1))
        weights = of_values if self.pooling == SUM else shares
        return ops.sum(ops.expand_dims(weights, -1) * inputs, axis=1), shares

    def compute_output_shape(
        self, inputs_shape: Shape, present_shape: Shape | None = None
    ) -> tuple[Shape, Sequence[int | None]]:
        """Returns the shapes of u and of the shares."""
        batch, length, dim = inputs_shape
        return (batch, dim), (batch, length)


def _largest(inputs: Tensor, present: Tensor) -> tuple[Tensor, Tensor]:
    """Returns the largest of each number, (B, d), and the share of them that each value has."""
    lowest = ops.min(inputs, axis=1, keepdims=True)  # (B, 1, d)
    largest = ops.max(ops.where(present, inputs, lowest), axis=1, keepdims=True)  # (B, 1, d)
    has_value = ops.any(present, axis=1, keepdims=True)  # (B, 1, 1)
    largest = ops.where(has_value, largest, ops.zeros_like(largest))  # (B, 1, d)
    hits = ops.cast(ops.logical_and(present, ops.equal(inputs, largest)), inputs.dtype)  # (B, L, d)
    shares = hits / ops.maximum(ops.sum(hits, axis=1, keepdims=True), 1)  # (B, L, d)
    return ops.squeeze(largest, 1), ops.mean(shares, axis=-1)  # (B, d), (B, L)
