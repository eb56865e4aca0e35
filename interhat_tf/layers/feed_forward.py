"""The feed-forward layer that follows self-attention (Section 3.2)."""

from typing import Any

import keras

from interhat_tf.layers.dense import built_dense
from interhat_tf.ops import Shape, Tensor
from interhat_tf.utils.config import ConfigFromSignature, Regularizer


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
            self.output_projection = built_dense(
                self, "output", dim, input_shape, activation="relu"
            )
        else:
            self.hidden_projection = built_dense(
                self, "hidden", self.hidden_dim, input_shape, activation="relu"
            )
            hidden_shape = (*input_shape[:-1], self.hidden_dim)
            self.output_projection = built_dense(self, "output", dim, hidden_shape)
            self.normalization = keras.layers.LayerNormalization(
                epsilon=1e-8, dtype=self.dtype_policy, name="normalization"
            )
            self.normalization.build((None, None, dim))
        self.built = True

    def call(self, inputs: Tensor) -> Tensor:
        """Returns the transformed fields, (B, m, d)."""
        if self.hidden_dim is None:
            return self.output_projection(inputs)  # (B, m, d)
        hidden = self.hidden_projection(inputs)  # (B, m, hidden_dim)
        return self.normalization(inputs + self.output_projection(hidden))  # (B, m, d)

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        """Returns (B, m, d)."""
        return input_shape
