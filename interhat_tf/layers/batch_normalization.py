"""Batch normalisation as the public benchmark BARS has it, for batches that may be empty."""

from typing import Any

import keras
from keras import ops

from interhat_tf.ops import Tensor


class BatchNormalization(keras.layers.BatchNormalization):
    """Keras' batch normalisation with PyTorch's momentum and epsilon.

    Of several replicas one may get no record of an epoch's last batch. A mean over
    none is not a number: the moving statistics stand in for it. So they do where a mask
    leaves no input.

    Args:
        momentum: Share of the moving statistics that a step keeps. Defaults to 0.9.
        epsilon: What is added to variances. Defaults to 1e-5.
        **kwargs: Arguments of `keras.layers.BatchNormalization`.

    Example:

    >>> layer = BatchNormalization()
    >>> layer(keras.ops.ones((0, 3)), training=True).shape
    TensorShape([0, 3])
    >>> layer.moving_mean.numpy().tolist()
    [0.0, 0.0, 0.0]
    """

    def __init__(self, momentum: float = 0.9, epsilon: float = 1e-5, **kwargs: Any):
        super().__init__(momentum=momentum, epsilon=epsilon, **kwargs)

    def observe(self, inputs: Tensor, present: Tensor) -> tuple[Tensor, Tensor]:
        """Moves the moving statistics towards a batch's, and returns the batch's.

        For a layer that normalises by itself, with a gradient of its own.

        Args:
            inputs: The units, (..., n).
            present: Which of them count, booleans of shape (...).

        Returns:
            Mean and variance, (n,) each, without a gradient.
        """
        mean, variance = map(ops.stop_gradient, self._moments(inputs, present))
        self.move_towards(mean, variance)
        return mean, variance

    def move_towards(self, mean: Tensor, variance: Tensor) -> None:
        """Moves the moving statistics towards a batch's mean and variance, (n,) each."""
        for moving, of_batch in ((self.moving_mean, mean), (self.moving_variance, variance)):
            moving.assign(self.momentum * moving + (1 - self.momentum) * of_batch)

    def _moments(self, inputs: Tensor, mask: Any) -> tuple[Tensor, Tensor]:
        if mask is None:
            mean, variance = super()._moments(inputs, mask)
            found = ops.shape(inputs)[0] > 0
        else:
            mean, variance = _moments_of_present(inputs, mask)
            found = ops.any(mask)
        return (
            ops.where(found, mean, ops.cast(self.moving_mean, mean.dtype)),
            ops.where(found, variance, ops.cast(self.moving_variance, variance.dtype)),
        )


def _moments_of_present(inputs: Tensor, present: Tensor) -> tuple[Tensor, Tensor]:
    """Returns mean and variance, (n,) each, of those inputs (..., n) that are present."""
    rows = ops.reshape(inputs, (-1, inputs.shape[-1]))  # (N, n)
    shares = shares_of_present(present, inputs.dtype)  # (1, N)
    # Products of a vector and a matrix read the rows once, and keep no copy of them.
    mean = ops.matmul(shares, rows)  # (1, n)
    variance = ops.matmul(shares, ops.square(rows - mean))  # (1, n)
    return mean[0], variance[0]


def shares_of_present(present: Tensor, dtype: str) -> Tensor:
    """Returns what each input counts in a mean of those that are present, (1, N), 0 where none is.

    Args:
        present: Which are present, booleans of any shape.
        dtype: The shares' dtype.
    """
    present = ops.reshape(ops.cast(present, dtype), (1, -1))  # (1, N)
    return present / ops.maximum(ops.sum(present), 1)
