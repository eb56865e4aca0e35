"""What differs between Keras' backends, for layers that are written in `keras.ops` alone."""

import keras


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
    if keras.backend.backend() != "tensorflow" or query.dtype != "float32":
        return None
    from interhat_tf import kernels

    if not kernels.are_usable():
        return None
    return kernels.attention(query, key, value, num_heads, scale)
