"""The cross network of DCN V2."""

import keras

from interhat_tf.layers.cross_network import CrossNetwork


@keras.saving.register_keras_serializable("interhat_tf")
class CrossNetworkV2(CrossNetwork):
    """Crosses a record with itself, with a matrix a layer (Wang et al. 2021, Equation 1).

        x_{l+1} = x_0 * (W_l x_l + b_l) + x_l

    The product is taken element by element; a layer has n^2 + n weights for
    inputs of width n.

    Args:
        num_layers: Number of layers L.
        kernel_regularizer: Regularizer of W and b. Defaults to `None`.
        **kwargs: Arguments of `keras.layers.Layer`.

    Call arguments:
        inputs: x_0, (B, n).

    Returns:
        x_L, (B, n).

    Example:

    >>> CrossNetworkV2(3)(keras.ops.ones((4, 5))).shape
    TensorShape([4, 5])
    """

    def build(self, input_shape):
        """Creates each layer's W and b for inputs of shape (B, n)."""
        self.dense = [
            keras.layers.Dense(
                input_shape[-1],
                kernel_regularizer=self.kernel_regularizer,
                bias_regularizer=self.kernel_regularizer,
                dtype=self.dtype_policy,
                name=f"dense_{i}",
            )
            for i in range(1, self.num_layers + 1)
        ]
        for dense in self.dense:
            dense.build(input_shape)
        self.built = True

    def call(self, inputs):
        """Returns x_L, (B, n)."""
        crossed = inputs
        for dense in self.dense:
            crossed = inputs * dense(crossed) + crossed  # (B, n)
        return crossed
