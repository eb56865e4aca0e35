"""Keras' dropout, with its random numbers drawn by a CPU kernel."""

import keras

from interhat_tf.ops import Tensor, dropout


class Dropout(keras.layers.Dropout):
    """Keras' dropout, which takes less time where there are CPU kernels, and drops the same.

    Args:
        rate: Share of the units that are dropped in training.
        **kwargs: Arguments of `keras.layers.Dropout`.

    Example:

    >>> ones = keras.ops.ones((2, 3))
    >>> layers = [kind(0.5, seed=1) for kind in (Dropout, keras.layers.Dropout)]
    >>> dropped, expected = [layer(ones, training=True).numpy().tolist() for layer in layers]
    >>> dropped == expected
    True
    """

    def call(self, inputs: Tensor, training: bool = False) -> Tensor:
        """Returns the units, of which some are 0 in training."""
        if training and self.rate > 0:
            return dropout(inputs, self.rate, self.seed_generator, self.noise_shape)
        return inputs
