"""Dropout."""

import keras

from interhat_tf.ops.dispatch import Shape, Tensor, kernel_serves


def dropout(
    inputs: Tensor,
    rate: float,
    seed_generator: keras.random.SeedGenerator,
    noise_shape: Shape | None = None,
) -> Tensor:
    """Returns what `keras.random.dropout` does, the same numbers whatever computes it.

    Args:
        inputs: Numbers, of any shape.
        rate: Share of them that become 0, more than 0.
        seed_generator: What gives the seed of this call.
        noise_shape: The shape of what is drawn. Defaults to that of the inputs.
    """
    if noise_shape or rate >= 1 or not kernel_serves(inputs, training=True):
        return keras.random.dropout(inputs, rate, noise_shape, seed=seed_generator)
    import tensorflow as tf

    from interhat_tf import kernels

    seed = seed_generator.next()
    if seed.dtype != tf.int32:  # as Keras makes one of it
        seed = tf.cast(tf.math.floormod(seed, tf.int32.max - 1), "int32")
    return kernels.dropout(inputs, rate, seed)
