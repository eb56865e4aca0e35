"""Dice, the activation of DIN, with the statistics of a batch."""

from collections.abc import Callable

from keras import ops

from interhat_tf.ops.dispatch import Tensor, kernel_serves
from interhat_tf.ops.moments import moments_of_present, shares_of_present


def dice(
    units: Tensor,
    alpha: Tensor,
    present: Tensor,
    moving: tuple[Tensor, Tensor],
    epsilon: float,
) -> tuple[Tensor, Tensor, Tensor]:
    """Returns f(s) in training, with the gradient through mean and variance; see `Dice`.

    Args:
        units: The units s, (N, n).
        alpha: (n,).
        present: Which rows count in mean and variance, (N,) booleans.
        moving: The moving mean and variance, (n,) each, which serve where no row counts.
        epsilon: Term added to the variance.

    Returns:
        f(s), (N, n), and the mean and the variance that it has, (n,) each, without a gradient.
    """
    moving_mean, moving_variance = map(ops.convert_to_tensor, moving)
    if kernel_serves(units, training=True):
        from interhat_tf import kernels

        return kernels.dice(units, alpha, present, moving_mean, moving_variance, epsilon)
    moments = moments_of_present(units, present, (moving_mean, moving_variance))
    mean, variance = map(ops.stop_gradient, moments)
    shares = shares_of_present(present, units.dtype)  # (1, N)
    return _of_batch(units, alpha, shares, mean, ops.rsqrt(variance + epsilon)), mean, variance


def _of_batch(units: Tensor, alpha: Tensor, shares: Tensor, mean: Tensor, scale: Tensor) -> Tensor:
    """Returns f(s) of a batch whose statistics these are, with the gradient through them.

    It is written out: with p = sigmoid((s - mean) scale), g the gradient of f(s) and
    d = g s (1 - alpha) p (1 - p), that of s_i is

        g_i (alpha + (1 - alpha) p_i)
            + scale (d_i - share_i (sum_j d_j + (s_i - mean) scale^2 sum_j d_j (s_j - mean)))

    Derived step by step it takes half as long again, since each step reads and writes all units.

    Args:
        units: The units s, (N, n).
        alpha: (n,).
        shares: What each row counts in the statistics, (1, N).
        mean: The units' mean, (n,).
        scale: 1 over their standard deviation, (n,).

    Returns:
        f(s), (N, n).
    """

    @ops.custom_gradient
    def of_units(units: Tensor, alpha: Tensor) -> tuple[Tensor, Callable]:
        centred = units - mean  # (N, n)
        p = ops.sigmoid(centred * scale)  # (N, n)
        kept = alpha + (1 - alpha) * p  # (N, n)

        def gradient(*arguments: Tensor, upstream: Tensor | None = None) -> tuple[Tensor, Tensor]:
            g = arguments[0] if upstream is None else upstream  # (N, n)
            passed = g * units * (1 - p)  # (N, n)
            d = passed * p  # (N, n), but for 1 - alpha
            # Products of a vector and a matrix sum over rows faster than `sum`.
            ones = ops.ones_like(shares)  # (1, N)
            sums = ops.matmul(ones, d)  # (1, n)
            of_scale = ops.matmul(ones, d * centred) * ops.square(scale)  # (1, n)
            through = d - ops.transpose(shares) * (sums + centred * of_scale)  # (N, n)
            return g * kept + ((1 - alpha) * scale) * through, ops.matmul(ones, passed)[0]

        return units * kept, gradient

    return of_units(units, alpha)
