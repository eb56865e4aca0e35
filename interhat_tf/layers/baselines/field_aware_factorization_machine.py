"""The interaction term of the field-aware factorization machine."""

import keras
import numpy as np
from keras import ops

from interhat_tf.ops import Shape, Tensor


@keras.saving.register_keras_serializable("interhat_tf")
class FieldAwareFactorizationMachine(keras.layers.Layer):
    """Adds up the inner products of field-aware vectors (Juan et al. 2016, Equation 4).

        y = sum_{i<j} <x_{i,j}, x_{j,i}>

    x_{i,j} is the vector that field i's value has for meeting field j, its number
    multiplied in. The layer has no weights; its input is what a `FieldEmbedding`
    of size m * d gives. x_{i,i} is never used: a field meets itself only in data
    whose fields have several values.

    Call arguments:
        inputs: (B, m, m * d): of each field i, x_{i,1}, ..., x_{i,m}.

    Returns:
        y, (B, 1).

    Example:

    >>> FieldAwareFactorizationMachine()(keras.ops.ones((4, 3, 3 * 8)))[0]
    <tf.Tensor: shape=(1,), dtype=float32, numpy=array([24.], dtype=float32)>
    """

    def call(self, inputs: Tensor) -> Tensor:
        """Returns y, (B, 1)."""
        fields, width = inputs.shape[1:]
        vectors = ops.reshape(inputs, (-1, fields, fields, width // fields))  # (B, m, m, d)
        products = ops.sum(vectors * ops.transpose(vectors, (0, 2, 1, 3)), axis=-1)  # (B, m, m)
        once_a_pair = np.triu(np.ones((fields, fields), "float32"), k=1)
        total = ops.sum(products * ops.cast(once_a_pair, products.dtype), axis=(1, 2))  # (B,)
        return ops.expand_dims(total, -1)  # (B, 1)

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        """Returns (B, 1)."""
        return (input_shape[0], 1)
