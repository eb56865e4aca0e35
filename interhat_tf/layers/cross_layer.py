"""The cross-product transformation that raises the order of the features (Section 3.3)."""

import keras
from keras import ops

from interhat_tf.ops import Shape, Tensor


@keras.saving.register_keras_serializable("interhat_tf")
class CrossLayer(keras.layers.Layer):
    """Makes the features of order i + 1 from those of order i (Equation 3).

        x_{i+1}^(j) = u_i * x_1^(j) + x_i^(j)

    The product is taken element by element; the layer has no weights.

    Call arguments:
        aggregation: u_i, the aggregation of order i, (B, d).
        first_order: X_1, (B, m, d).
        current_order: X_i, (B, m, d).

    Returns:
        X_{i+1}, (B, m, d).

    Example:

    >>> ones = keras.ops.ones((4, 3, 8))
    >>> CrossLayer()(ones[:, 0], ones, ones).shape
    TensorShape([4, 3, 8])
    """

    def build(
        self, aggregation_shape: Shape, first_order_shape: Shape, current_order_shape: Shape
    ) -> None:
        """Creates nothing; Keras hands `compute_output_shape` the shapes that `build` takes."""
        self.built = True

    def call(self, aggregation: Tensor, first_order: Tensor, current_order: Tensor) -> Tensor:
        """Returns X_{i+1}, (B, m, d)."""
        return ops.expand_dims(aggregation, 1) * first_order + current_order  # (B, m, d)

    def compute_output_shape(
        self, aggregation_shape: Shape, first_order_shape: Shape, current_order_shape: Shape
    ) -> Shape:
        """Returns (B, m, d)."""
        return current_order_shape
