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
