"""Batch normalisation as the public benchmark BARS has it, for batches that may be empty."""

from typing import Any

import keras
from keras import ops

from interhat_tf.ops import Tensor, batch_norm, moments_of_present


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

    def call(self, inputs: Tensor, training: bool | None = None, mask: Any = None) -> Tensor:
        """Returns the inputs normalised, (..., n)."""
        if mask is not None or not (training and self.trainable):
            return super().call(inputs, training=training, mask=mask)
        # As Keras' layer does, in single precision at least.
        units = ops.cast(inputs, keras.backend.result_type(inputs.dtype, "float32"))  # (..., n)
        gamma = self.gamma if self.scale else ops.ones_like(self.moving_mean)
        beta = self.beta if self.center else ops.zeros_like(self.moving_mean)
        outputs, mean, variance = batch_norm(
            ops.reshape(units, (-1, units.shape[-1])),  # (N, n)
            ops.cast(gamma, units.dtype),
            ops.cast(beta, units.dtype),
            tuple(ops.cast(m, units.dtype) for m in (self.moving_mean, self.moving_variance)),
            self.epsilon,
        )
        self.move_towards(mean, variance)
        return ops.cast(ops.reshape(outputs, ops.shape(inputs)), self.compute_dtype)  # (..., n)

    def move_towards(self, mean: Tensor, variance: Tensor) -> None:
        """Moves the moving statistics towards a batch's mean and variance, (n,) each."""
        for moving, of_batch in ((self.moving_mean, mean), (self.moving_variance, variance)):
            of_batch = ops.cast(of_batch, moving.dtype)
            moving.assign(self.momentum * moving + (1 - self.momentum) * of_batch)

    def _moments(self, inputs: Tensor, mask: Any) -> tuple[Tensor, Tensor]:
        """Returns the mean and the variance of what a mask leaves; without one, `call` does."""
        return moments_of_present(inputs, mask, (self.moving_mean, self.moving_variance))
