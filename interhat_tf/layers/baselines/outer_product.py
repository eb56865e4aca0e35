"""The outer product layer of PNN."""

import keras
from keras import ops

from interhat_tf.ops import Shape, Tensor


@keras.saving.register_keras_serializable("interhat_tf")
class OuterProduct(keras.layers.Layer):
    """Takes the outer product of the sum of all fields (Qu et al. 2016, Section III.C).

        p = sum_i sum_j x_i x_j^T = s s^T  with  s = sum_i x_i

    This is the paper's superposition, which takes O(d (m + d)) where one outer
    product for each pair would take O(m^2 d^2). The layer has no weights.

    Call arguments:
        inputs: X, (B, m, d).

    Returns:
        p, (B, d * d).

    Example:

    >>> OuterProduct()(keras.ops.ones((4, 3, 8))).shape
    TensorShape([4, 64])
    """

    def call(self, inputs: Tensor) -> Tensor:
        """Returns p, (B, d * d)."""
        dim = inputs.shape[-1]
        total = ops.sum(inputs, axis=1)  # (B, d)
        product = ops.expand_dims(total, 2) * ops.expand_dims(total, 1)  # (B, d, d)
        return ops.reshape(product, (-1, dim * dim))  # (B, d * d)

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        """Returns (B, d * d)."""
        return (input_shape[0], input_shape[-1] ** 2)
