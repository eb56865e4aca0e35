"""The cross network of DCN."""

from typing import Any

import keras
from keras import ops

from interhat_tf.ops import Shape, Tensor
from interhat_tf.utils.config import ConfigFromSignature, Regularizer


@keras.saving.register_keras_serializable("interhat_tf")
class CrossNetwork(ConfigFromSignature):
    """Crosses a record with itself, one order higher a layer (Wang et al. 2017, Equation 3).

        x_{l+1} = x_0 x_l^T w_l + b_l + x_l

    x_l^T w_l is a number, so a layer has 2 n weights for inputs of width n.

    Args:
        num_layers: Number of layers L.
        kernel_regularizer: Regularizer of w and b. Defaults to `None`.
        **kwargs: Arguments of `keras.layers.Layer`.

    Call arguments:
        inputs: x_0, (B, n).

    Returns:
        x_L, (B, n).

    Example:

    >>> CrossNetwork(3)(keras.ops.ones((4, 5))).shape
    TensorShape([4, 5])
    """

    def __init__(self, num_layers: int, *, kernel_regularizer: Regularizer = None, **kwargs: Any):
        super().__init__(**kwargs)
        self.num_layers = int(num_layers)
        self.kernel_regularizer = keras.regularizers.get(kernel_regularizer)

    def build(self, input_shape: Shape) -> None:
        """Creates each layer's w and b for inputs of shape (B, n)."""
        width = input_shape[-1]
        self.kernels = [
            self.add_weight(
                name=f"kernel_{i}",
                shape=(width, 1),
                initializer="glorot_uniform",
                regularizer=self.kernel_regularizer,
            )
            for i in range(1, self.num_layers + 1)
        ]
        self.biases = [
            self.add_weight(
                name=f"bias_{i}",
                shape=(width,),
                initializer="zeros",
                regularizer=self.kernel_regularizer,
            )
            for i in range(1, self.num_layers + 1)
        ]
        self.built = True

    def call(self, inputs: Tensor) -> Tensor:
        """Returns x_L, (B, n)."""
        crossed = inputs
        for kernel, bias in zip(self.kernels, self.biases, strict=True):
            crossed = inputs * ops.matmul(crossed, kernel) + bias + crossed  # (B, n)
        return crossed

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        """Returns (B, n)."""
        return input_shape
