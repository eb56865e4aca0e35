"""Multi-head self-attention over the fields of a record (Section 3.2)."""

import math

import keras
from keras import ops

from interhat_tf.ops import attend, project_and_attend


@keras.saving.register_keras_serializable("interhat_tf")
class MultiHeadSelfAttention(keras.layers.Layer):
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
        return_attention: Whether the attention maps are returned as well.

    Returns:
        (B, m, d); with `return_attention`, also the softmax maps A before
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
        num_heads,
        key_dim,
        *,
        activation=None,
        use_bias=False,
        residual=False,
        layer_norm=False,
        dropout=0.0,
        kernel_regularizer=None,
        **kwargs,
    ):
        super().__init__(**kwargs)
        if num_heads < 1 or key_dim < 1:
            raise ValueError(
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

    def build(self, input_shape):
        """Creates the projections for inputs of shape (B, m, d)."""
        dim = input_shape[-1]
        width = self.num_heads * self.key_dim
        linear = self.activation is keras.activations.linear and not self.use_bias
        # Products of linear projections, of width d, cost less than projections of width d_K.
        self.folded = linear and self.key_dim >= dim
        self.query = self._projection("query", width, (None, dim))
        self.key = self._projection("key", width, (None, dim))
        self.value = self._projection("value", width, (None, dim))
        self.output_projection = self._projection("output", dim, (None, width))
        if self.layer_norm:
            self.normalization = keras.layers.LayerNormalization(
                epsilon=1e-8, dtype=self.dtype_policy, name="normalization"
            )
            self.normalization.build((None, None, dim))
        self.attention_dropout = keras.layers.Dropout(self.dropout, dtype=self.dtype_policy)
        self.built = True

    def _projection(self, name, units, input_shape):
        projection = keras.layers.Dense(
            units,
            activation=self.activation,
            use_bias=self.use_bias,
            kernel_regularizer=self.kernel_regularizer,
            bias_regularizer=self.kernel_regularizer,
            dtype=self.dtype_policy,
            name=name,
        )
        projection.build(input_shape)
        return projection

    def call(self, inputs, training=False, return_attention=False):
        """Returns the attended fields, and the attention maps on request."""
        in_one = not (return_attention or (training and self.dropout))
        scale = 1 / math.sqrt(self.key_dim)
        outputs = attention = None
        if in_one and not self.folded:
            outputs = self._project_and_attend(inputs, scale, training)
        if outputs is None:
            query, key, value, project = self._project(inputs)
            heads = attend(query, key, value, self.num_heads, scale, training) if in_one else None
            if heads is None:
                heads, attention = self._attend(query, key, value, training)
            outputs = project(heads)  # (B, m, d)
        if self.residual:
            outputs = outputs + inputs
        if self.layer_norm:
            outputs = self.normalization(outputs)
        return (outputs, attention) if return_attention else outputs

    def _project_and_attend(self, inputs, scale, training):
        """Returns the attended fields, (B, m, d), computed in one operation, or `None`."""
        projections, last = (self.query, self.key, self.value), self.output_projection
        outputs = project_and_attend(
            inputs, projections, last.kernel, self.num_heads, scale, training
        )
        if outputs is None:
            return None
        return last.activation(outputs + last.bias if last.use_bias else outputs)

    def _project(self, inputs):
        """Returns queries, (B, m, h*width), keys, values, and the projection of what is read."""
        if self.folded:
            query, project = self._fold(inputs)
            return query, inputs, inputs, project
        query, key, value = (
            _to_rows(projection, inputs)  # (B, m, h*d_K)
            for projection in (self.query, self.key, self.value)
        )
        return query, key, value, lambda heads: _to_rows(self.output_projection, heads)

    def _fold(self, inputs):
        """Returns queries for which X itself serves as keys and values, and the projection to go.

        `Q K^T = X (W_Q W_K^T) X^T`, and `A V W_m = A X (W_V W_m)`, head by head.
        """
        dim = inputs.shape[-1]
        query, key, value = (
            ops.reshape(projection.kernel, (dim, self.num_heads, self.key_dim))
            for projection in (self.query, self.key, self.value)
        )
        query, key, value = (ops.transpose(w, (1, 0, 2)) for w in (query, key, value))
        products = ops.matmul(query, ops.swapaxes(key, -1, -2))  # (h, d, d)
        products = ops.reshape(ops.transpose(products, (1, 0, 2)), (dim, -1))  # (d, h*d)
        output = ops.reshape(self.output_projection.kernel, (self.num_heads, self.key_dim, dim))
        output = ops.reshape(ops.matmul(value, output), (-1, dim))  # (h*d, d)
        return (
            _to_rows(lambda rows: ops.matmul(rows, products), inputs),  # (B, m, h*d)
            lambda heads: _to_rows(lambda rows: ops.matmul(rows, output), heads),
        )

    def _attend(self, query, key, value, training):
        """Returns what the heads read, (B, m, h*width), and their maps, (B, h, m, m)."""
        fields, width = query.shape[1], query.shape[-1] // self.num_heads
        query = self._split_heads(query / math.sqrt(self.key_dim))  # (B, h, m, width)
        if self.folded:
            # One product per record has all heads, with h*m in place of h and m.
            query = ops.reshape(query, (-1, self.num_heads * fields, width))  # (B, h*m, d)
            key = ops.transpose(key, (0, 2, 1))  # (B, d, m)
        else:
            key = self._split_heads(key, (0, 2, 3, 1))  # (B, h, d_K, m)
            value = self._split_heads(value)  # (B, h, m, d_K)
        attention = ops.softmax(ops.matmul(query, key), axis=-1)  # (B, h, m, m)
        heads = ops.matmul(self.attention_dropout(attention, training=training), value)
        heads = ops.reshape(heads, (-1, self.num_heads, fields, width))  # (B, h, m, width)
        heads = ops.transpose(heads, (0, 2, 1, 3))  # (B, m, h, width)
        return (
            ops.reshape(heads, (-1, fields, self.num_heads * width)),  # (B, m, h*width)
            ops.reshape(attention, (-1, self.num_heads, fields, fields)),
        )

    def _split_heads(self, projected, order=(0, 2, 1, 3)):
        fields, width = projected.shape[1], projected.shape[-1] // self.num_heads
        heads = ops.reshape(projected, (-1, fields, self.num_heads, width))
        return ops.transpose(heads, order)  # (B, h, m, width), or as ordered

    def compute_output_shape(self, input_shape, return_attention=False):
        """Returns the shape of the attended fields, and of the maps on request."""
        batch, fields, _ = input_shape
        attention = (batch, self.num_heads, fields, fields)
        return (input_shape, attention) if return_attention else input_shape

    def compute_output_spec(self, inputs, training=False, return_attention=False):
        """Returns the outputs of a call without values: Keras asks for shapes by shapes alone."""
        shapes = self.compute_output_shape(inputs.shape, return_attention)
        return keras.tree.map_shape_structure(
            lambda shape: keras.KerasTensor(shape, self.compute_dtype), shapes
        )

    def get_config(self):
        """Returns the arguments of the layer."""
        return {
            **super().get_config(),
            "num_heads": self.num_heads,
            "key_dim": self.key_dim,
            "activation": keras.activations.serialize(self.activation),
            "use_bias": self.use_bias,
            "residual": self.residual,
            "layer_norm": self.layer_norm,
            "dropout": self.dropout,
            "kernel_regularizer": keras.regularizers.serialize(self.kernel_regularizer),
        }


def _to_rows(function, fields):
    """Applies a function to all records' fields as rows of one matrix, (B*m, ...), in one go."""
    rows = function(ops.reshape(fields, (-1, fields.shape[-1])))
    return ops.reshape(rows, (-1, fields.shape[1], rows.shape[-1]))  # (B, m, ...)
