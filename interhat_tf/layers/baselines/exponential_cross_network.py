"""The exponential cross network (ECN) of FCN."""

from typing import Any

import keras
from keras import ops

from interhat_tf.errors import SettingError
from interhat_tf.layers.batch_normalization import BatchNormalization
from interhat_tf.layers.dropout import Dropout
from interhat_tf.ops import Shape, Tensor
from interhat_tf.utils.config import ConfigFromSignature, Regularizer


@keras.saving.register_keras_serializable("interhat_tf")
class ExponentialCrossNetwork(ConfigFromSignature):
    """Crosses a record with what it has become: the order doubles with each layer (Li et al. 2024).

        c_l = W_l x_l
        x_{l+1} = dropout(x_l * ([c_l; gamma_l * c_l + beta_l] + b_l) + x_l)

    W_l has n rows for x of width n, but half as many columns: the second half of
    the factors is the first, scaled and shifted, as in the public code, whose
    gamma_l, beta_l and b_l start at 1, at 0 and between 0 and 1. With `layer_norm` it
    is the layer normalisation of the first, and with `batch_norm` all factors are
    normalised by the mean and the variance that they share. (Earlier versions of
    the paper have c_l * ReLU(LayerNorm(c_l)) there.) A layer has n^2 / 2 + 2 n
    weights, and 2 more with batch normalisation.

    Args:
        num_layers: Number of layers L.
        dropout: Rate at which units are dropped in training. Defaults to 0.
        batch_norm: Whether there is batch normalisation. Defaults to `False`.
        layer_norm: Whether there is layer normalisation. Defaults to `False`.
        kernel_regularizer: Regularizer of W, gamma, beta and b. Defaults to `None`.
        **kwargs: Arguments of `keras.layers.Layer`.

    Call arguments:
        inputs: x_0, (B, n).
        training: Whether units are dropped and batch statistics used.

    Returns:
        x_L, (B, n).

    Raises:
        ValueError: If n is odd.

    Example:

    >>> ExponentialCrossNetwork(3)(ops.ones((4, 6))).shape
    TensorShape([4, 6])
    """

    def __init__(
        self,
        num_layers: int,
        *,
        dropout: float = 0.0,
        batch_norm: bool = False,
        layer_norm: bool = False,
        kernel_regularizer: Regularizer = None,
        **kwargs: Any,
    ):
        super().__init__(**kwargs)
        self.num_layers = int(num_layers)
        self.dropout = dropout
        self.batch_norm = batch_norm
        self.layer_norm = layer_norm
        self.kernel_regularizer = keras.regularizers.get(kernel_regularizer)
        self.normalizations = [
            BatchNormalization(dtype=self.dtype_policy, name=f"normalization_{i}")
            for i in range(1, batch_norm * self.num_layers + 1)
        ]
        self.dropout_layer = Dropout(dropout, dtype=self.dtype_policy)

    def build(self, input_shape: Shape) -> None:
        """Creates each layer's W, gamma, beta and b for inputs of shape (B, n)."""
        width = input_shape[-1]
        if width % 2:
            raise SettingError(
                f"the width must be even, half of the factors are shared; got {width}"
            )
        half = width // 2
        self.kernels = self._weights("kernel", (width, half), "glorot_uniform")
        self.scales = self._weights("gamma", (half,), "ones")
        self.shifts = self._weights("beta", (half,), "zeros")
        self.biases = self._weights("bias", (width,), keras.initializers.RandomUniform(0, 1))
        for normalization in self.normalizations:
            normalization.build((None, width, 1))
        self.built = True

    def _weights(
        self, name: str, shape: Shape, initializer: str | keras.Initializer
    ) -> list[keras.Variable]:
        return [
            self.add_weight(
                name=f"{name}_{i}",
                shape=shape,
                initializer=initializer,
                regularizer=self.kernel_regularizer,
            )
            for i in range(1, self.num_layers + 1)
        ]

    def call(self, inputs: Tensor, training: bool = False) -> Tensor:
        """Returns x_L, (B, n)."""
        crossed = inputs
        for i, bias in enumerate(self.biases):
            half = ops.matmul(crossed, self.kernels[i])  # (B, n / 2)
            other = _standardise(half) if self.layer_norm else half  # (B, n / 2)
            other = self.scales[i] * other + self.shifts[i]  # (B, n / 2)
            factors = ops.concatenate([half, other], axis=-1)  # (B, n)
            if self.batch_norm:
                factors = ops.expand_dims(factors, -1)  # (B, n, 1)
                factors = self.normalizations[i](factors, training=training)  # (B, n, 1)
                factors = ops.squeeze(factors, -1)  # (B, n)
            crossed = crossed * (factors + bias) + crossed  # (B, n)
            crossed = self.dropout_layer(crossed, training=training)
        return crossed

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        """Returns (B, n)."""
        return input_shape


def _standardise(units: Tensor) -> Tensor:
    mean, variance = ops.moments(units, axes=-1, keepdims=True)  # (B, 1)
    return (units - mean) * ops.rsqrt(variance + 1e-5)
