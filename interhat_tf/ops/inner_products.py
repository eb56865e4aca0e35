"""Inner products of all pairs of fields."""

import numpy as np
from keras import ops

from interhat_tf.ops.dispatch import Tensor


def inner_products(fields: Tensor) -> Tensor:
    """Returns the inner product of each pair of fields, p_jl = <x_j, x_l> for j < l.

    Args:
        fields: X, (B, m, d).

    Returns:
        p_12, p_13, ..., p_1m, p_23, ..., (B, m (m - 1) / 2).
    """
    # keras_rs' DotInteraction does the same, but takes a list of m tensors and gathers row
    # by row: four times slower, gradient included, for 36 fields of size 12.
    return of_pairs(ops.matmul(fields, ops.transpose(fields, (0, 2, 1))))


def of_pairs(matrices: Tensor) -> Tensor:
    """Returns what matrices, (B, m, m), have above their diagonal, (B, m (m - 1) / 2)."""
    count = matrices.shape[1]
    flat = ops.reshape(matrices, (-1, count * count))  # (B, m * m)
    first, second = np.triu_indices(count, k=1)
    return ops.take(flat, (first * count + second).astype("int32"), axis=1)
