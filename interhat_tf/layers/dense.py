"""The projections of layers: a Dense layer of the owner's type, under its penalty."""

from typing import Any

import keras

from interhat_tf.ops import Shape


def built_dense(
    owner: keras.layers.Layer, name: str, units: int, input_shape: Shape, **arguments: Any
) -> keras.layers.Dense:
    """Returns a Dense layer of its owner's type, its kernel and bias under the owner's penalty.

    Args:
        owner: The layer that it is a part of, which has a `kernel_regularizer`.
        name: Its name.
        units: Number of its outputs.
        input_shape: Shape of its inputs, by which it is built.
        **arguments: Arguments of `keras.layers.Dense`, such as `activation` and `use_bias`.
    """
    dense = keras.layers.Dense(
        units,
        kernel_regularizer=owner.kernel_regularizer,
        bias_regularizer=owner.kernel_regularizer,
        dtype=owner.dtype_policy,
        name=name,
        **arguments,
    )
    dense.build(input_shape)
    return dense
