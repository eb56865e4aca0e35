"""The second-order term of the factorization machine."""

import keras
from keras import ops

from interhat_tf.ops import Shape, Tensor


@keras.saving.register_keras_serializable("interhat_tf")
class FactorizationMachine(keras.layers.Layer):
    """Adds up the inner products of all pairs of fields (Rendle 2010, Equation 1 and Lemma 3.1).

        y = sum_{i<j} <x_i, x_j> = 1/2 sum_d ((sum_i x_id)^2 - sum_i x_id^2)

    x_i is field i's embedding, its number multiplied in. The right-hand side
    takes O(m d) instead of O(m^2 d). It is the difference of two larger sums:
    a model that computes in half precision should still give this layer
    `dtype="float32"`. The layer has no weights.

    Call arguments:
        inputs: X, (B, m, d).

    Returns:
        y, (B, 1).

    Example:

    >>> FactorizationMachine()(keras.ops.ones((4, 3, 8)))[0]  # 3 pairs of 8 products
    <tf.Tensor: shape=(1,), dtype=float32, numpy=array([24.], dtype=float32)>
    """

    def call(self, inputs: Tensor) -> Tensor:
        """Returns y, (B, 1)."""
        square_of_sum = ops.square(ops.sum(inputs, axis=1))  # (B, d)
        sum_of_squares = ops.sum(ops.square(inputs), axis=1)  # (B, d)
        return 0.5 * ops.sum(square_of_sum - sum_of_squares, axis=-1, keepdims=True)  # (B, 1)

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        """Returns (B, 1)."""
        return (input_shape[0], 1)
