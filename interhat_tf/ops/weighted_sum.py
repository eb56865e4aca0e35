"""Sums of tensors, each times a weight of every record."""

from collections.abc import Sequence

from keras import ops

from interhat_tf.ops.dispatch import Tensor, kernel_serves


def weighted_sum(weights: Tensor, terms: Sequence[Tensor], training: bool = False) -> Tensor:
    """Returns sum over i of w_i x_i, (B, ...).

    Args:
        weights: w, (B, k), or (1, k) for all records alike.
        terms: x_1 to x_k, (B, ...) each.
        training: Whether the model is being trained. Defaults to `False`.
    """
    of_records = weights.shape[0] != 1
    if of_records and kernel_serves(terms[0], training):
        from interhat_tf import kernels

        return kernels.weighted_sum(weights, terms)
    of_terms = ops.split(weights, len(terms), axis=1)  # (B, 1) each
    column = (-1, *[1] * (len(terms[0].shape) - 1))  # (B, 1, ...)
    parts = zip(of_terms, terms, strict=True)
    return sum(ops.reshape(weight, column) * term for weight, term in parts)
