"""Multi-head self-attention over the fields of a record (Section 3.2)."""

import math
from typing import Any

import keras

from interhat_tf.errors import SettingError
from interhat_tf.layers.dense import built_dense
from interhat_tf.layers.dropout import Dropout
from interhat_tf.ops import Shape, Tensor, multi_head_self_attention
from interhat_tf.utils.config import Activation, ConfigFromSignature, Regularizer


@keras.saving.register_keras_serializable("interhat_tf")
class MultiHeadSelfAttention(ConfigFromSignature):
    """Lets every field of a record attend to every field, in several heads (Section 3.2).

    With the fields as rows, `X` of shape (m, d), head i computes

        Q = act(X W_Q),  K = act(X W_K),  V = act(X W_V)
        A_i = softmax(Q K^T / sqrt(d_K)),  H_i = A_i V

    and the layer returns `act([H_1; ...; H_h] W_m)`, with `X` added when
    `residual` is set and normalised over d when `layer_norm` is set. The paper
    has none of activation, bias, residual and layer norm; the authors'
    released code has all four, with a ReLU.

    Every field attends to every field: no id is taken for padding.

    Args:
        num_heads: Number of heads h.
        key_dim: Width d_K of each head's queries, keys and values.
        activation: Activation act of the four projections. Defaults to `None`.
        use_bias: Whether the projections have biases. Defaults to `False`.
        residual: Whether the input is added to the output. Defaults to `False`.
        layer_norm: Whether the result is layer-normalised. Defaults to `False`.
        dropout: Rate at which attention weights are dropped in training.
            Defaults to 0.
        kernel_regularizer: Regularizer of kernels and biases. Defaults to `None`.
        **kwargs: Arguments of `keras.layers.Layer`.

    Call arguments:
        inputs: X, (B, m, d).
        training: Whether attention weights are dropped.
        return_attention: Whether the attention weights are returned as well.

    Returns:
        (B, m, d); with `return_attention`, also the attention weights A before
        dropout, (B, h, m, m), rows (queries) summing to 1.

    Raises:
        ValueError: If `num_heads` or `key_dim` is not positive.

    Example:

    >>> layer = MultiHeadSelfAttention(num_heads=2, key_dim=5)
    >>> output, attention = layer(keras.ops.ones((4, 3, 8)), return_attention=True)
    >>> output.shape, attention.shape
    (TensorShape([4, 3, 8]), TensorShape([4, 2, 3, 3]))
    """

    def __init__(
        self,
        num_heads: int,
        key_dim: int,
        *,
        activation: Activation = None,
        use_bias: bool = False,
        residual: bool = False,
        layer_norm: bool = False,
        dropout: float = 0.0,
        kernel_regularizer: Regularizer = None,
        **kwargs: Any,
    ):
        super().__init__(**kwargs)
        if num_heads < 1 or key_dim < 1:
            raise SettingError(
                f"num_heads and key_dim must be at least 1, got {num_heads} and {key_dim}"
            )
        self.num_heads = int(num_heads)
        self.key_dim = int(key_dim)
        self.activation = keras.activations.get(activation)
        self.use_bias = use_bias
        self.residual = residual
        self.layer_norm = layer_norm
        self.dropout = dropout
        self.kernel_regularizer = keras.regularizers.get(kernel_regularizer)

    def build(self, input_shape: Shape) -> None:
        """Creates the projections for inputs of shape (B, m, d)."""
        dim = input_shape[-1]
        width = self.num_heads * self.key_dim
        form = {"activation": self.activation, "use_bias": self.use_bias}
        self.query, self.key, self.value = (
            built_dense(self, name, width, input_shape, **form)
            for name in ("query", "key", "value")
        )
        attended_shape = (*input_shape[:-1], width)
        self.output_projection = built_dense(self, "output", dim, attended_shape, **form)
        if self.layer_norm:
            self.normalization = keras.layers.LayerNormalization(
                epsilon=1e-8, dtype=self.dtype_policy, name="normalization"
            )
            self.normalization.build((None, None, dim))
        self.attention_dropout = Dropout(self.dropout, dtype=self.dtype_policy)
        self.built = True

    def call(
        self, inputs: Tensor, training: bool = False, return_attention: bool = False
    ) -> Tensor | tuple[Tensor, Tensor]:
        """Returns the attended fields, and the attention weights on request."""
        outputs, attention = multi_head_self_attention(
            inputs,
            self.query,
            self.key,
            self.value,
            self.output_projection,
            num_heads=self.num_heads,
            temperature=math.sqrt(self.key_dim),
            dropout=self.attention_dropout,
            training=training,
            return_weights=return_attention,
        )  # (B, m, d), (B, h, m, m)
        if self.residual:
            outputs = outputs + inputs
        if self.layer_norm:
            outputs = self.normalization(outputs)
        return (outputs, attention) if return_attention else outputs

    def compute_output_shape(self, input_shape: Shape, return_attention: bool = False) -> Shape:
        """Returns the shape of the attended fields, and of the attention weights on request."""
        batch, fields, _ = input_shape
        attention = (batch, self.num_heads, fields, fields)
        return (input_shape, attention) if return_attention else input_shape

    def compute_output_spec(
        self, inputs: Tensor, training: bool = False, return_attention: bool = False
    ) -> Any:
        """Returns the outputs of a call without values: Keras asks for shapes by shapes alone."""
        shapes = self.compute_output_shape(inputs.shape, return_attention)
        return keras.tree.map_shape_structure(
            lambda shape: keras.KerasTensor(shape, self.compute_dtype), shapes
        )
