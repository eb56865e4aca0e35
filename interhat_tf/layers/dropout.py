"""Keras' dropout, with its random numbers drawn by a CPU kernel."""

import keras

from interhat_tf.ops import Tensor, kernel_serves


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
        serves = training and 0 < self.rate < 1 and self.noise_shape is None
        if not (serves and kernel_serves(inputs, training=True)):
            return super().call(inputs, training=training)
        import tensorflow as tf

        from interhat_tf import kernels

        seed = self.seed_generator.next()
        if seed.dtype != tf.int32:  # as Keras makes one of it
            seed = tf.cast(tf.math.floormod(seed, tf.int32.max - 1), "int32")
        return kernels.dropout(inputs, self.rate, seed)
