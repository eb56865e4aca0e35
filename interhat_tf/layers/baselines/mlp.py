"""The hidden layers of a multi-layer perceptron: the deep part of most click models."""

from collections.abc import Sequence
from typing import Any

import keras

from interhat_tf.layers.batch_normalization import BatchNormalization
from interhat_tf.layers.dropout import Dropout
from interhat_tf.layers.sequences.dice import Dice, activate, activation_of
from interhat_tf.ops import Shape, Tensor
from interhat_tf.utils.config import Activation, ConfigFromSignature, Regularizer


@keras.saving.register_keras_serializable("interhat_tf")
class MLP(ConfigFromSignature):
    """Stacks dense layers (Cheng et al. 2016, Equation 2).

        a_{l+1} = dropout(act(W_l a_l + b_l))

    With `batch_norm`, a batch normalisation stands before the activation, as in
    the public benchmark BARS; its momentum and epsilon are PyTorch's, as there.
    There is no output layer: a model puts its own behind it.

    Args:
        units: Widths of the layers; none leaves the input as it is.
        activation: Activation act; `"dice"` is `Dice`. Defaults to `"relu"`.
        dropout: Rate at which units are dropped in training. Defaults to 0.
        batch_norm: Whether there is batch normalisation. Defaults to `False`.
        kernel_regularizer: Regularizer of kernels and biases. Defaults to `None`.
        **kwargs: Arguments of `keras.layers.Layer`.

    Call arguments:
        inputs: a_0, (B, n).
        training: Whether units are dropped and batch statistics used.

    Returns:
        (B, last of units).

    Example:

    >>> MLP((16, 5))(keras.ops.ones((4, 3))).shape
    TensorShape([4, 5])
    """

    def __init__(
        self,
        units: Sequence[int],
        *,
        activation: Activation = "relu",
        dropout: float = 0.0,
        batch_norm: bool = False,
        kernel_regularizer: Regularizer = None,
        **kwargs: Any,
    ):
        super().__init__(**kwargs)
        self.units = tuple(int(width) for width in units)
        self.dropout = dropout
        self.batch_norm = batch_norm
        self.kernel_regularizer = keras.regularizers.get(kernel_regularizer)
        self.dense = [
            keras.layers.Dense(
                width,
                kernel_regularizer=self.kernel_regularizer,
                bias_regularizer=self.kernel_regularizer,
                dtype=self.dtype_policy,
                name=f"dense_{i}",
            )
            for i, width in enumerate(self.units, start=1)
        ]
        self.normalizations = [
            BatchNormalization(dtype=self.dtype_policy, name=f"normalization_{i}")
            for i in range(1, batch_norm * len(self.units) + 1)
        ]
        self.activations = [
            activation_of(activation, kernel_regularizer, self.dtype_policy, f"activation_{i}")
            for i in range(1, len(self.units) + 1)
        ]
        self.dropout_layer = Dropout(dropout, dtype=self.dtype_policy)

    def build(self, input_shape: Shape) -> None:
        """Creates the kernels and biases for inputs of shape (B, n)."""
        for dense in self.dense:
            dense.build(input_shape)
            input_shape = (None, dense.units)
        for normalization, width in zip(self.normalizations, self.units, strict=False):
            normalization.build((None, width))
        for activation, width in zip(self.activations, self.units, strict=True):
            if isinstance(activation, Dice):
                activation.build((None, width))
        self.built = True

    def call(self, inputs: Tensor, training: bool = False) -> Tensor:
        """Returns the last layer's units."""
        outputs = inputs
        for i in range(len(self.units)):
            outputs = self._transform(i, outputs)  # (B, units[i])
            if self.batch_norm:
                outputs = self.normalizations[i](outputs, training=training)
            outputs = activate(self.activations[i], outputs, None, training)
            outputs = self.dropout_layer(outputs, training=training)
        return outputs

    def _transform(self, i: int, inputs: Tensor) -> Tensor:
        """Returns layer i's units before the activation, (B, units[i])."""
        return self.dense[i](inputs)

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        """Returns (B, last of units)."""
        return (input_shape[0], (input_shape[-1], *self.units)[-1])
