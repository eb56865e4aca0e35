"""Attentional aggregation, the pooling of InterHAt's hierarchy (Section 3.3)."""

from typing import Any

import keras
import numpy as np
from keras import ops

from interhat_tf.layers.batch_normalization import BatchNormalization
from interhat_tf.layers.dense import built_dense
from interhat_tf.ops import Shape, Tensor
from interhat_tf.utils.config import Activation, ConfigFromSignature, Regularizer

NO_SCORE = -3e4
"""Below all scores, also in half precision: its exponential is 0."""


@keras.saving.register_keras_serializable("interhat_tf")
class AttentionalAggregation(ConfigFromSignature):
    """Pools a set of vectors by attention (Equations 1 and 2; 4 and 5 over orders).

        alpha_j = softmax_j(c^T act(W x_j + b)),  u = sum_j alpha_j x_j

    The vectors are the fields of one order in Equations 1 and 2, and the
    aggregations of the k orders in Equations 4 and 5.

    The paper leaves room for other attention, such as a gated one. With `gated`,
    as in Ilse, Tomczak and Welling (ICML 2018), Equation 9, whose act is tanh,

        alpha_j = softmax_j(c^T (act(W x_j + b) * sigmoid(G x_j + b_G)))

    With `batch_norm`, the scores are of BN(x_j) in place of x_j, where each number
    of each x_j has its own mean and variance. Vectors that a penalty keeps small
    could not move the weights otherwise. Where an x_j is nearly always the same, all other
    values of it are many standard deviations away: see `scale_scores`.

    Args:
        attention_size: Width s of the attention space.
        activation: Activation act. Defaults to `"relu"`, the paper's.
        use_bias: Whether b is there, and b_G. Defaults to `False`; the released
            code has b.
        gated: Whether there is a gate. Defaults to `False`.
        batch_norm: Whether scores are of normalised vectors. Defaults to `False`.
        kernel_regularizer: Regularizer of W, b, G and b_G. Defaults to `None`.
        context_regularizer: Regularizer of c. Defaults to `None`.
        **kwargs: Arguments of `keras.layers.Layer`.

    Call arguments:
        inputs: The vectors x_j, (B, m, d).
        weights: Weights to pool with in place of alpha, (B, m) or (1, m).
            Defaults to `None`.
        present: Which vectors there are, (B, m) booleans; the others have no weight, and
            where there is none, u is 0. Defaults to `None`: all.
        training: Whether batch statistics are used.

    Returns:
        The aggregation u, (B, d), and its weights alpha, which sum to 1, (B, m).

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
        gated: bool = False,
        batch_norm: bool = False,
        kernel_regularizer: Regularizer = None,
        context_regularizer: Regularizer = None,
        **kwargs: Any,
    ):
        super().__init__(**kwargs)
        self.attention_size = int(attention_size)
        self.activation = keras.activations.get(activation)
        self.use_bias = use_bias
        self.gated = gated
        self.batch_norm = batch_norm
        self.kernel_regularizer = keras.regularizers.get(kernel_regularizer)
        self.context_regularizer = keras.regularizers.get(context_regularizer)

    def build(self, inputs_shape: Shape) -> None:
        """Creates the weights for inputs of shape (B, m, d)."""
        _, count, dim = inputs_shape
        if self.batch_norm:
            self.normalization = BatchNormalization(dtype=self.dtype_policy, name="normalization")
            self.normalization.build((None, count * dim))
        size, use_bias = self.attention_size, self.use_bias
        self.projection = built_dense(
            self, "projection", size, inputs_shape, activation=self.activation, use_bias=use_bias
        )
        if self.gated:
            self.gate = built_dense(
                self, "gate", size, inputs_shape, activation="sigmoid", use_bias=use_bias
            )
        self.context = self.add_weight(
            name="context",
            shape=(self.attention_size, 1),
            initializer="glorot_uniform",
            regularizer=self.context_regularizer,
        )
        self.built = True

    def call(
        self,
        inputs: Tensor,
        weights: Tensor | None = None,
        present: Tensor | None = None,
        training: bool = False,
    ) -> tuple[Tensor, Tensor]:
        """Returns the aggregation and its weights."""
        if inputs.shape[1] == 1 and present is None:  # a single vector: nothing to choose from
            return ops.squeeze(inputs, 1), ops.ones_like(inputs[:, :, 0])  # (B, d), (B, 1)
        if weights is None:
            weights = softmax_of_present(self._scores(inputs, training), present)  # (B, m)
        aggregation = ops.matmul(ops.expand_dims(weights, 1), inputs)  # (B, 1, d)
        return ops.squeeze(aggregation, 1), weights  # (B, d), (B, m)

    def _scores(self, inputs: Tensor, training: bool) -> Tensor:
        if self.batch_norm:
            count, dim = inputs.shape[1:]
            flat = ops.reshape(inputs, (-1, count * dim))  # (B, m * d)
            normalized = self.normalization(flat, training=training)  # (B, m * d)
            inputs = ops.reshape(normalized, (-1, count, dim))  # (B, m, d)
        projected = self.projection(inputs)  # (B, m, s)
        if self.gated:
            projected = projected * self.gate(inputs)  # (B, m, s)
        return ops.squeeze(ops.matmul(projected, self.context), -1)  # (B, m)

    def scale_scores(self, scales: np.ndarray) -> None:
        """Lets the normalised vectors be of other sizes than 1, from which training goes on.

        The scale of batch normalisation, gamma, is 1 otherwise. Layers without it, those
        that are frozen and those of which gamma is not 1 any more stay as they are.

        Args:
            scales: The scale of each vector, (m,).
        """
        if not self.batch_norm or not self.normalization.trainable:
            return
        gamma = self.normalization.gamma  # (m * d,)
        if (ops.convert_to_numpy(gamma) == 1).all():
            gamma.assign(np.repeat(scales, gamma.shape[0] // len(scales)))

    def compute_output_shape(self, inputs_shape: Shape) -> Shape:
        """Returns the shapes of the aggregation and of its weights."""
        batch, count, dim = inputs_shape
        return (batch, dim), (batch, count)


def softmax_of_present(scores: Tensor, present: Tensor | None) -> Tensor:
    """Returns weights, (B, m), that sum to 1 over those that are present, if any is."""
    if present is None:
        return ops.softmax(scores)
    weights = ops.softmax(ops.where(present, scores, NO_SCORE))
    return weights * ops.cast(present, weights.dtype)
