"""The feed-forward layer that follows self-attention (Section 3.2)."""

from typing import Any

import keras

from interhat_tf.ops import Shape, Tensor
from interhat_tf.utils.config import Activation, ConfigFromSignature, Regularizer


@keras.saving.register_keras_serializable("interhat_tf")
class FeedForward(ConfigFromSignature):
    """Transforms each field of a record separately, after self-attention (Section 3.2).

    Without `hidden_dim` this is the paper's `ReLU(X W + b)`. With it, this is
    the authors' released block, with a residual path and a layer norm:

        LayerNorm(X + ReLU(X W_1 + b_1) W_2 + b_2)

    Args:
        hidden_dim: Width of the hidden layer; the released code uses 4d.
            Defaults to `None`, the paper's single projection.
        kernel_regularizer: Regularizer of kernels and biases. Defaults to `None`.
        **kwargs: Arguments of `keras.layers.Layer`.

    Call arguments:
        inputs: X, (B, m, d).

    Returns:
        (B, m, d).

    Example:

    >>> FeedForward(hidden_dim=32)(keras.ops.ones((4, 3, 8))).shape
    TensorShape([4, 3, 8])
    """

    def __init__(
        self,
        hidden_dim: int | None = None,
        *,
        kernel_regularizer: Regularizer = None,
        **kwargs: Any,
    ):
        super().__init__(**kwargs)
        self.hidden_dim = hidden_dim
        self.kernel_regularizer = keras.regularizers.get(kernel_regularizer)

    def build(self, input_shape: Shape) -> None:
        """Creates the projections for inputs of shape (B, m, d)."""
        dim = input_shape[-1]
        if self.hidden_dim is None:
            self.output_projection = self._projection("output", dim, "relu", dim)
        else:
            self.hidden_projection = self._projection("hidden", self.hidden_dim, "relu", dim)
            self.output_projection = self._projection("output", dim, None, self.hidden_dim)
            self.normalization = keras.layers.LayerNormalization(
                epsilon=1e-8, dtype=self.dtype_policy, name="normalization"
            )
            self.normalization.build((None, None, dim))
        self.built = True

    def _projection(
        self, name: str, units: int, activation: Activation, input_dim: int
    ) -> keras.layers.Dense:
        projection = keras.layers.Dense(
            units,
            activation=activation,
            kernel_regularizer=self.kernel_regularizer,
            bias_regularizer=self.kernel_regularizer,
            dtype=self.dtype_policy,
            name=name,
        )
        projection.build((None, None, input_dim))
        return projection

    def call(self, inputs: Tensor) -> Tensor:
        """Returns the transformed fields, (B, m, d)."""
        if self.hidden_dim is None:
            return self.output_projection(inputs)  # (B, m, d)
        hidden = self.hidden_projection(inputs)  # (B, m, hidden_dim)
        return self.normalization(inputs + self.output_projection(hidden))  # (B, m, d)

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        """Returns (B, m, d)."""
        return input_shape
