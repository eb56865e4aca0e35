"""Vectors less their mean over the training records."""

import keras
from keras import ops

from interhat_tf.ops import Shape, Tensor

MOMENTUM = 0.9


@keras.saving.register_keras_serializable("interhat_tf")
class Centering(keras.layers.Layer):
    """Takes the mean over the records off each number.

        y = x - E[x]

    In training E[x] is the batch's mean, afterwards the moving mean of the batches,
    m <- 0.9 m + 0.1 E[x]: batch normalisation without a division by the deviation,
    so that a number that is small stays small. A batch without records leaves the
    moving mean as it is.

    Call arguments:
        inputs: x, (B, ...).
        training: Whether the mean is the batch's. Defaults to `False`.

    Returns:
        y, of the shape of x.

    Example:

    >>> Centering()(ops.array([[1.0, 5.0], [3.0, 5.0]]), training=True).numpy().tolist()
    [[-1.0, 0.0], [1.0, 0.0]]
    """

    def build(self, input_shape: Shape) -> None:
        """Creates the moving mean."""
        self.moving_mean = self.add_weight(
            name="moving_mean", shape=input_shape[1:], initializer="zeros", trainable=False
        )
        self.built = True

    def call(self, inputs: Tensor, training: bool = False) -> Tensor:
        """Returns y."""
        moving = ops.cast(self.moving_mean, inputs.dtype)  # (...)
        if not (training and self.trainable):  # as batch normalisation that is frozen
            return inputs - moving
        mean = ops.mean(inputs, axis=0)  # (...)
        mean = ops.where(ops.shape(inputs)[0] > 0, mean, moving)
        self.moving_mean.assign(MOMENTUM * moving + (1 - MOMENTUM) * mean)
        return inputs - mean

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        """Returns the shape of x."""
        return input_shape
