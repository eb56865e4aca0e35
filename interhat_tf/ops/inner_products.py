"""Inner products of all pairs of fields."""

import numpy as np
from keras import ops

from interhat_tf.ops.dispatch import Tensor, kernel_serves


def inner_products(fields: Tensor, weights: Tensor | None = None, training: bool = False) -> Tensor:
    """Returns the inner product of each pair of fields, p_jl = <x_j, x_l> for j < l.

    With weights, p_jl = (alpha_j + alpha_l) <x_j, x_l>.

    Args:
        fields: X, (B, m, d).
        weights: alpha, (B, m), or (1, m) for all records alike. Defaults to `None`.
        training: Whether the model is being trained. Defaults to `False`.

    Returns:
        p_12, p_13, ..., p_1m, p_23, ..., (B, m (m - 1) / 2).
    """
    of_records = weights is None or weights.shape[0] != 1
    if of_records and kernel_serves(fields, training):
        from interhat_tf import kernels

        return kernels.inner_products(fields, weights)
    # keras_rs' DotInteraction does the same, but takes a list of m tensors and gathers row
    # by row: four times slower, gradient included, for 36 fields of size 12.
    products = of_pairs(ops.matmul(fields, ops.transpose(fields, (0, 2, 1))))
    if weights is None:
        return products
    first, second = pair_columns(fields.shape[1])
    both = ops.take(weights, first, axis=1) + ops.take(weights, second, axis=1)
    return both * products


def of_pairs(matrices: Tensor) -> Tensor:
    """Returns what matrices, (B, m, m), have above their diagonal, (B, m (m - 1) / 2)."""
    count = matrices.shape[1]
    flat = ops.reshape(matrices, (-1, count * count))  # (B, m * m)
    first, second = pair_columns(count)
    return ops.take(flat, first * count + second, axis=1)


def pair_columns(count: int) -> tuple[np.ndarray, np.ndarray]:
    """Returns the first and the second column of each pair of `count`, (count (count - 1) / 2,).

    >>> [columns.tolist() for columns in pair_columns(3)]
    [[0, 0, 1], [1, 2, 2]]
    """
    first, second = np.triu_indices(count, k=1)
    return first.astype("int32"), second.astype("int32")
