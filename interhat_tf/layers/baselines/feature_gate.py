"""The stream-specific feature gate of FinalMLP."""

from typing import Any

import keras

from interhat_tf.layers.dense import built_dense
from interhat_tf.ops import Shape, Tensor
from interhat_tf.utils.config import ConfigFromSignature, Regularizer


@keras.saving.register_keras_serializable("interhat_tf")
class FeatureGate(ConfigFromSignature):
    """Weights each number of a record by what a context says (Mao et al. 2023, Equations 3 and 4).

        output = 2 sigmoid(W_2 ReLU(W_1 c + b_1) + b_2) * e

    Gates lie between 0 and 2. For a context of width k the layer has k t + t + t n + n
    weights.

    Args:
        units: Width t of the hidden layer.
        kernel_regularizer: Regularizer of kernels and biases. Defaults to `None`.
        **kwargs: Arguments of `keras.layers.Layer`.

    Call arguments:
        inputs: e, (B, n).
        context: c, (B, k).

    Returns:
        (B, n).

    Example:

    >>> FeatureGate(units=5)(keras.ops.ones((4, 8)), keras.ops.ones((4, 3))).shape
    TensorShape([4, 8])
    """

    def __init__(self, units: int, *, kernel_regularizer: Regularizer = None, **kwargs: Any):
        super().__init__(**kwargs)
        self.units = int(units)
        self.kernel_regularizer = keras.regularizers.get(kernel_regularizer)

    def build(self, inputs_shape: Shape, context_shape: Shape) -> None:
        """Creates the kernels and biases for inputs (B, n) and contexts (B, k)."""
        width = inputs_shape[-1]
        self.hidden = built_dense(self, "hidden", self.units, context_shape, activation="relu")
        self.gate = built_dense(self, "gate", width, (None, self.units), activation="sigmoid")
        self.built = True

    def call(self, inputs: Tensor, context: Tensor) -> Tensor:
        """Returns the weighted numbers, (B, n)."""
        return 2 * self.gate(self.hidden(context)) * inputs  # (B, n)

    def compute_output_shape(self, inputs_shape: Shape, context_shape: Shape) -> Shape:
        """Returns (B, n)."""
        return inputs_shape
