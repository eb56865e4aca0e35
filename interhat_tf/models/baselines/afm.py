"""The attentional factorization machine."""

from collections.abc import Mapping
from typing import Any

import keras

from interhat_tf.layers import AttentionalAggregation, ElementwiseProduct
from interhat_tf.layers.dropout import Dropout
from interhat_tf.models.baselines.embedding_model import EmbeddingModel
from interhat_tf.models.click_model import l2
from interhat_tf.ops import Tensor
from interhat_tf.schema import Batch, Schema


@keras.saving.register_keras_serializable("interhat_tf")
class AFM(EmbeddingModel):
    """The attentional factorization machine (Xiao et al., IJCAI 2017, Equation 6).

        logit = w_0 + sum_i w_i x_i + p^T sum_{i<j} a_ij (v_i * v_j) x_i x_j
        a_ij = softmax_ij(h^T ReLU(W (v_i * v_j) x_i x_j + b))

    The attention is the layer that InterHAt aggregates its fields with, here on
    pairs of fields. With an attention of width t it has t d + 2 t weights, and p
    has d.

    Args:
        schema: The record's `Schema`, or what its `to_dict` returned.
        attention_size: Width t of the attention space. Defaults to 128, BARS' on
            Frappe; the paper's is 256.
        dropout: Rate at which the pooled interaction is dropped in training.
            Defaults to 0.
        dense_l2: L2 penalty of all other weights but w_0. Defaults to 0.
        **kwargs: Arguments of `EmbeddingModel`.

    Example:

    >>> from interhat_tf import Field, Schema
    >>> schema = Schema([Field("user", "categorical", 9), Field("price", "numerical")])
    >>> AFM(schema, embedding_dim=4, attention_size=3).count_params()
    73
    """

    first_order = True

    def __init__(
        self,
        schema: Schema | Mapping[str, Any],
        *,
        attention_size: int = 128,
        dropout: float = 0.0,
        dense_l2: float = 0.0,
        **kwargs: Any,
    ):
        super().__init__(schema, **kwargs)
        self.pairs = ElementwiseProduct(dtype=self.dtype_policy, name="pairs")
        self.attention = AttentionalAggregation(
            attention_size,
            use_bias=True,
            kernel_regularizer=l2(dense_l2),
            context_regularizer=l2(dense_l2),
            dtype=self.dtype_policy,
            name="attention",
        )
        self.dropout = Dropout(dropout, dtype=self.dtype_policy, name="dropout")
        self.logit = self._make_logit(dense_l2, use_bias=False)
        self.build()

    def forward(self, fields: Tensor, inputs: Batch, training: bool = False) -> Tensor:
        """Returns logits, (B, 1), of embedded fields, (B, m, d)."""
        pooled, _ = self.attention(self.pairs(fields))  # (B, d), (B, m (m - 1) / 2)
        pooled = self.dropout(pooled, training=training)  # (B, d)
        return self.linear(inputs) + self.logit(pooled)  # (B, 1)
