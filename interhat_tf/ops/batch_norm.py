"""Batch normalisation with the statistics of a batch."""

from keras import ops

from interhat_tf.ops.dispatch import Tensor, kernel_serves


def batch_norm(
    units: Tensor,
    gamma: Tensor,
    beta: Tensor,
    moving: tuple[Tensor, Tensor],
    epsilon: float,
) -> tuple[Tensor, Tensor, Tensor]:
    """Returns f(s) in training, with the gradient through mean and variance.

        f(s) = gamma (s - mean) / sqrt(variance + epsilon) + beta

    Args:
        units: The units s, (N, n).
        gamma: (n,).
        beta: (n,).
        moving: The moving mean and variance, (n,) each, which serve where there is no row.
        epsilon: Term added to the variance.

    Returns:
        f(s), (N, n), and the mean and the variance that it has, (n,) each.
    """
    gamma, beta, mean, variance = map(ops.convert_to_tensor, (gamma, beta, *moving))
    if kernel_serves(units, training=True):
        from interhat_tf import kernels

        return kernels.batch_norm(units, gamma, beta, mean, variance, epsilon)
    found = ops.shape(units)[0] > 0  # a mean over no row is not a number
    of_batch = ops.moments(units, axes=[0])
    mean, variance = ops.where(found, of_batch[0], mean), ops.where(found, of_batch[1], variance)
    outputs = ops.batch_normalization(units, mean, variance, -1, beta, gamma, epsilon)
    return outputs, mean, variance
