"""The cross network of DCN V2."""

import keras


@keras.saving.register_keras_serializable("interhat_tf")
class CrossNetworkV2(keras.layers.Layer):
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

    def __init__(self, num_layers, *, kernel_regularizer=None, **kwargs):
        super().__init__(**kwargs)
        self.num_layers = int(num_layers)
        self.kernel_regularizer = keras.regularizers.get(kernel_regularizer)

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

    def compute_output_shape(self, input_shape):
        """Returns (B, n)."""
        return input_shape

    def get_config(self):
        """Returns the arguments of the layer."""
        return {
            **super().get_config(),
            "num_layers": self.num_layers,
            "kernel_regularizer": keras.regularizers.serialize(self.kernel_regularizer),
        }
