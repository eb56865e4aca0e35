"""Batch normalisation as the public benchmark BARS has it, for batches that may be empty."""

from typing import Any

import keras
from keras import ops

from interhat_tf.ops import Tensor, moments_of_present


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

    def move_towards(self, mean: Tensor, variance: Tensor) -> None:
        """Moves the moving statistics towards a batch's mean and variance, (n,) each."""
        for moving, of_batch in ((self.moving_mean, mean), (self.moving_variance, variance)):
            moving.assign(self.momentum * moving + (1 - self.momentum) * of_batch)

    def _moments(self, inputs: Tensor, mask: Any) -> tuple[Tensor, Tensor]:
        moving = self.moving_mean, self.moving_variance
        if mask is not None:
            return moments_of_present(inputs, mask, moving)
        of_batch = super()._moments(inputs, mask)
        found = ops.shape(inputs)[0] > 0
        mean, variance = (
            ops.where(found, value, ops.cast(otherwise, value.dtype))
            for value, otherwise in zip(of_batch, moving, strict=True)
        )
        return mean, variance
