"""The interacting layer of AutoInt."""

from typing import Any

import keras
from keras import ops

from interhat_tf.layers.dense import built_dense
from interhat_tf.layers.dropout import Dropout
from interhat_tf.ops import Shape, Tensor, multi_head_self_attention
from interhat_tf.utils.config import ConfigFromSignature, Regularizer


@keras.saving.register_keras_serializable("interhat_tf")
class InteractingLayer(ConfigFromSignature):
    """Lets every field attend to every field, as AutoInt does (Song et al. 2019, Section 4.4).

        alpha_h = softmax(W_Q e (W_K e)^T),  e'_h = alpha_h W_V e   (Equations 5 and 6)
        output = ReLU([e'_1; ...; e'_H] + W_Res e)                   (Equations 7 and 8)

    It is not `MultiHeadSelfAttention`: the scores are not divided by the root
    of d', nothing projects the concatenated heads, and the residual path has a
    matrix. The layer has 4 d H d' weights for inputs of size d, and no biases.

    Args:
        num_heads: Number of heads H.
        key_dim: Width d' of each head.
        dropout: Rate at which attention weights are dropped in training.
            Defaults to 0.
        kernel_regularizer: Regularizer of the four matrices. Defaults to `None`.
        **kwargs: Arguments of `keras.layers.Layer`.

    Call arguments:
        inputs: e, (B, m, d).
        training: Whether attention weights are dropped.

    Returns:
        (B, m, H * d').

    Example:

    >>> InteractingLayer(num_heads=2, key_dim=5)(keras.ops.ones((4, 3, 8))).shape
    TensorShape([4, 3, 10])
    """

    def __init__(
        self,
        num_heads: int,
        key_dim: int,
        *,
        dropout: float = 0.0,
        kernel_regularizer: Regularizer = None,
        **kwargs: Any,
    ):
        super().__init__(**kwargs)
        self.num_heads = int(num_heads)
        self.key_dim = int(key_dim)
        self.dropout = dropout
        self.kernel_regularizer = keras.regularizers.get(kernel_regularizer)

    def build(self, input_shape: Shape) -> None:
        """Creates the matrices for inputs of shape (B, m, d)."""
        width = self.num_heads * self.key_dim
        self.query, self.key, self.value, self.residual = (
            built_dense(self, name, width, input_shape, use_bias=False)
            for name in ("query", "key", "value", "residual")
        )
        self.attention_dropout = Dropout(self.dropout, dtype=self.dtype_policy)
        self.built = True

    def call(self, inputs: Tensor, training: bool = False) -> Tensor:
        """Returns the fields after the interaction, (B, m, H * d')."""
        heads, _ = multi_head_self_attention(
            inputs,
            self.query,
            self.key,
            self.value,
            num_heads=self.num_heads,
            temperature=1.0,
            dropout=self.attention_dropout,
            training=training,
        )  # (B, m, H * d')
        return ops.relu(heads + self.residual(inputs))  # (B, m, H * d')

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        """Returns (B, m, H * d')."""
        return (*input_shape[:2], self.num_heads * self.key_dim)
