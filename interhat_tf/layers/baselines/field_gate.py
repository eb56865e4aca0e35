"""The field gate of FinalNet."""

from typing import Any

import keras
from keras import ops

from interhat_tf.ops import Shape, Tensor
from interhat_tf.utils.config import ConfigFromSignature, Regularizer


@keras.saving.register_keras_serializable("interhat_tf")
class FieldGate(ConfigFromSignature):
    """Puts beside each field the field times a gate that all fields open (Zhu et al. 2023).

        g_i = sum_j W_ij x_j + b_i
        output = [x_1; ...; x_m; g_1 * x_1; ...; g_m * x_m]

    W starts at zero and b at one, as in the public code FuxiCTR: gates are open at
    first. The layer has m^2 + m weights.

    Args:
        kernel_regularizer: Regularizer of W and b. Defaults to `None`.
        **kwargs: Arguments of `keras.layers.Layer`.

    Call arguments:
        inputs: X, (B, m, d).

    Returns:
        (B, 2 m, d).

    Example:

    >>> FieldGate()(ops.ones((4, 3, 8))).shape
    TensorShape([4, 6, 8])
    """

    def __init__(self, *, kernel_regularizer: Regularizer = None, **kwargs: Any):
        super().__init__(**kwargs)
        self.kernel_regularizer = keras.regularizers.get(kernel_regularizer)

    def build(self, input_shape: Shape) -> None:
        """Creates W and b for inputs of shape (B, m, d)."""
        fields = input_shape[1]
        self.kernel = self.add_weight(
            name="kernel",
            shape=(fields, fields),
            initializer="zeros",
            regularizer=self.kernel_regularizer,
        )
        self.bias = self.add_weight(
            name="bias", shape=(fields, 1), initializer="ones", regularizer=self.kernel_regularizer
        )
        self.built = True

    def call(self, inputs: Tensor) -> Tensor:
        """Returns the fields and the gated fields, (B, 2 m, d)."""
        gates = ops.matmul(self.kernel, inputs) + self.bias  # (B, m, d)
        return ops.concatenate([inputs, gates * inputs], axis=1)  # (B, 2 m, d)

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        """Returns (B, 2 m, d)."""
        batch, fields, dim = input_shape
        return (batch, 2 * fields, dim)
