"""The pair-wise interaction layer of AFM."""

import keras
from keras import ops

from interhat_tf.ops import Shape, Tensor, pair_columns


@keras.saving.register_keras_serializable("interhat_tf")
class ElementwiseProduct(keras.layers.Layer):
    """Multiplies each pair of fields element by element (Xiao et al. 2017, Equation 2).

        p_ij = x_i * x_j  for i < j

    The layer has no weights.

    Call arguments:
        inputs: X, (B, m, d).

    Returns:
        p, (B, m (m - 1) / 2, d): p_12, p_13, ..., p_1m, p_23, ...

    Example:

    >>> ElementwiseProduct()(keras.ops.ones((4, 3, 8))).shape
    TensorShape([4, 3, 8])
    """

    def call(self, inputs: Tensor) -> Tensor:
        """Returns p, (B, m (m - 1) / 2, d)."""
        first, second = pair_columns(inputs.shape[1])
        return ops.take(inputs, first, axis=1) * ops.take(inputs, second, axis=1)

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        """Returns (B, m (m - 1) / 2, d)."""
        batch, fields, dim = input_shape
        return (batch, fields * (fields - 1) // 2, dim)
