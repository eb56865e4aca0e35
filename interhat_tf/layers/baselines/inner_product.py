"""The inner product layer of PNN."""

import keras

from interhat_tf.ops import Shape, Tensor, inner_products


@keras.saving.register_keras_serializable("interhat_tf")
class InnerProduct(keras.layers.Layer):
    """Takes the inner product of each pair of fields (Qu et al. 2016, Section III.B).

        p_ij = <x_i, x_j>  for i < j

    Each pair once, without the products of a field with itself, and not folded
    into the next layer's weights by the paper's decomposition W_p = theta
    theta^T: this is the form of the authors' code. The layer has no weights.

    Call arguments:
        inputs: X, (B, m, d).
        training: Whether the model is being trained. Defaults to `False`.

    Returns:
        p, (B, m (m - 1) / 2): p_12, p_13, ..., p_1m, p_23, ...

    Example:

    >>> InnerProduct()(keras.ops.ones((4, 3, 8))).shape
    TensorShape([4, 3])
    """

    def call(self, inputs: Tensor, training: bool = False) -> Tensor:
        """Returns p, (B, m (m - 1) / 2)."""
        return inner_products(inputs, training=training)

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        """Returns (B, m (m - 1) / 2)."""
        batch, fields, _ = input_shape
        return (batch, fields * (fields - 1) // 2)
