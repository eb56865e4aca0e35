"""What differs between Keras' backends, for layers that are written in `keras.ops` alone."""

import keras

VECTOR = 16
"""float32 numbers in the widest vector registers."""


def take_rows(table, ids):
    """Returns the rows of a layer's weight, in its own dtype, without reading the whole of it.

    On TensorFlow, `keras.ops.take` reads the table first. If an optimizer then
    writes some rows in place, TensorFlow copies the table in every step.

    Args:
        table: A `keras.Variable` that is not cast by itself, (rows, d).
        ids: Row numbers, of any shape, all of them within the table.

    Returns:
        The rows, the shape of `ids` and d.
    """
    if keras.backend.backend() == "tensorflow":
        import tensorflow as tf

        return tf.gather(table.value, ids)
    return keras.ops.take(table, ids, axis=0)


def attend(query, key, value, num_heads, scale):
    """Returns the fields that heads attend to, computed in one operation, or `None`.

    On TensorFlow there is an operation for it, if it was built: see
    `interhat_tf.kernels`, for arguments and result as well. It computes
    in float32 and knows no dropout.
    """
    kernels = _kernels_for(query)
    return kernels and kernels.attention(query, key, value, num_heads, scale)


def project_and_attend(inputs, projections, num_heads, scale):
    """Returns the same of fields that are not yet projected, or `None`.

    It is for many fields and wide heads; what is narrower than a vector
    register is faster with `attend`.

    Args:
        inputs: Fields X, (B, m, d).
        projections: The `keras.layers.Dense` of queries, keys and values, alike
            in all but their weights.
        num_heads: Number of heads h.
        scale: Factor of the scores, positive.
    """
    first = projections[0]
    kernels = _kernels_for(inputs)
    wide = min(inputs.shape[1], first.units // num_heads) >= VECTOR
    known = first.activation in (keras.activations.linear, keras.activations.relu)
    if not (kernels and wide and known):
        return None
    return kernels.self_attention(
        inputs,
        [keras.ops.convert_to_tensor(projection.kernel) for projection in projections],
        [keras.ops.convert_to_tensor(projection.bias) for projection in projections]
        if first.use_bias
        else None,
        num_heads,
        scale,
        relu=first.activation is keras.activations.relu,
    )


def _kernels_for(inputs):
    """Returns the module of our own operations, or `None` if they do not compute this."""
    if keras.backend.backend() != "tensorflow" or inputs.dtype != "float32":
        return None
    from interhat_tf import kernels

    return kernels if kernels.are_usable() else None
