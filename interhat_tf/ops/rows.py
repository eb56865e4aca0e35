"""The rows of a table."""

import keras
from keras import ops

from interhat_tf.ops.dispatch import Tensor


def take_rows(table: keras.Variable, ids: Tensor) -> Tensor:
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
    return ops.take(table, ids, axis=0)
