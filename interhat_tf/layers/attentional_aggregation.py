"""Attentional aggregation, the pooling of InterHAt's hierarchy (Section 3.3)."""

from typing import Any

import keras
from keras import ops

from interhat_tf.ops import Shape, Tensor
from interhat_tf.utils.config import Activation, ConfigFromSignature, Regularizer


@keras.saving.register_keras_serializable("interhat_tf")
class AttentionalAggregation(ConfigFromSignature):
    """Pools a set of vectors by attention (Equations 1 and 2; 4 and 5 over orders).

        alpha_j = softmax_j(c^T act(W x_j + b)),  u = sum_j alpha_j x_j

    The vectors are the fields of one order in Equations 1 and 2, and the
    aggregations of the k orders in Equations 4 and 5.

    Args:
        attention_size: Width s of the attention space.
        activation: Activation act. Defaults to `"relu"`, the paper's.
        use_bias: Whether b is there. Defaults to `False`; the released code
            has it.
        kernel_regularizer: Regularizer of W and b. Defaults to `None`.
        context_regularizer: Regularizer of c. Defaults to `None`.
        **kwargs: Arguments of `keras.layers.Layer`.

    Call arguments:
        inputs: The vectors x_j, (B, m, d).

    Returns:
        The aggregation u, (B, d), and its weights alpha, (B, m), which sum to 1.

    Example:

    >>> u, alpha = AttentionalAggregation(attention_size=5)(keras.ops.ones((4, 3, 8)))
    >>> u.shape, alpha.shape
    (TensorShape([4, 8]), TensorShape([4, 3]))
    """

    def __init__(
        self,
        attention_size: int,
        *,
        activation: Activation = "relu",
        use_bias: bool = False,
        kernel_regularizer: Regularizer = None,
        context_regularizer: Regularizer = None,
        **kwargs: Any,
    ):
        super().__init__(**kwargs)
        self.attention_size = int(attention_size)
        self.activation = keras.activations.get(activation)
        self.use_bias = use_bias
        self.kernel_regularizer = keras.regularizers.get(kernel_regularizer)
        self.context_regularizer = keras.regularizers.get(context_regularizer)

    def build(self, input_shape: Shape) -> None:
        """Creates W, b and c for inputs of shape (B, m, d)."""
        self.projection = keras.layers.Dense(
            self.attention_size,
            activation=self.activation,
            use_bias=self.use_bias,
            kernel_regularizer=self.kernel_regularizer,
            bias_regularizer=self.kernel_regularizer,
            dtype=self.dtype_policy,
            name="projection",
        )
        self.projection.build(input_shape)
        self.context = self.add_weight(
            name="context",
            shape=(self.attention_size, 1),
            initializer="glorot_uniform",
            regularizer=self.context_regularizer,
        )
        self.built = True

    def call(self, inputs: Tensor) -> tuple[Tensor, Tensor]:
        """Returns the aggregation and its weights."""
        projected = self.projection(inputs)  # (B, m, s)
        scores = ops.squeeze(ops.matmul(projected, self.context), -1)  # (B, m)
        # Keras warns of a softmax over one element, as an order of 1 would have it.
        weights = ops.softmax(scores) if inputs.shape[1] > 1 else ops.ones_like(scores)  # (B, m)
        aggregation = ops.matmul(ops.expand_dims(weights, 1), inputs)  # (B, 1, d)
        aggregation = ops.squeeze(aggregation, 1)  # (B, d)
        return aggregation, weights

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        """Returns the shapes of the aggregation and of its weights."""
        batch, count, dim = input_shape
        return (batch, dim), (batch, count)
