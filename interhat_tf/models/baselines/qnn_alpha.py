"""QNN-alpha."""

from collections.abc import Mapping
from typing import Any

import keras

from interhat_tf.layers import QuadraticLayer
from interhat_tf.layers.dropout import Dropout
from interhat_tf.models.baselines.embedding_model import EmbeddingModel
from interhat_tf.models.click_model import l2
from interhat_tf.ops import Tensor
from interhat_tf.schema import Batch, Schema


@keras.saving.register_keras_serializable("interhat_tf")
class QNNAlpha(EmbeddingModel):
    """QNN-alpha: a quadratic neural network without an MLP (Li et al. 2025, arXiv 2505.17999).

        x_{l+1} = dropout(QuadraticLayer(x_l))   for l = 0 ... L - 1
        logit = w^T x_L + b

    x_0 is the embeddings of all fields, end to end. The authors train it with two
    passes, each with its own dropout, that are pulled to their mean. For x_0 of width n = m d
    and R maps the layers have R (n^2 + n) L weights.

    Args:
        schema: The record's `Schema`, or what its `to_dict` returned.
        num_layers: Number of layers L. Defaults to 2, the authors' on Frappe,
            where the embedding size is 16.
        num_maps: Number of maps R of each layer. Defaults to 13, the authors' on
            Frappe; 5 on Criteo.
        dropout: Rate at which the maps' units and the layers' outputs are dropped
            in training. Defaults to 0.
        batch_norm: Whether the maps have batch normalisation. Defaults to
            `False`.
        dense_l2: L2 penalty of all weights but the embeddings. Defaults to 0.
        **kwargs: Arguments of `EmbeddingModel`.

    Example:

    >>> from interhat_tf import Field, Schema
    >>> schema = Schema([Field("user", "categorical", 9), Field("price", "numerical")])
    >>> QNNAlpha(schema, embedding_dim=4, num_layers=2, num_maps=3).count_params()
    481
    """

    def __init__(
        self,
        schema: Schema | Mapping[str, Any],
        *,
        num_layers: int = 2,
        num_maps: int = 13,
        dropout: float = 0.0,
        batch_norm: bool = False,
        dense_l2: float = 0.0,
        **kwargs: Any,
    ):
        super().__init__(schema, **kwargs)
        self.quadratics = [
            QuadraticLayer(
                num_maps,
                dropout=dropout,
                batch_norm=batch_norm,
                kernel_regularizer=l2(dense_l2),
                dtype=self.dtype_policy,
                name=f"quadratic_{i}",
            )
            for i in range(1, num_layers + 1)
        ]
        self.dropout = Dropout(dropout, dtype=self.dtype_policy, name="dropout")
        self.logit = self._make_logit(dense_l2)
        self.build()

    def forward(self, fields: Tensor, inputs: Batch, training: bool = False) -> Tensor:
        """Returns logits, (B, 1), of embedded fields, (B, m, d)."""
        outputs = self._flatten(fields)  # (B, m * d)
        for quadratic in self.quadratics:
            outputs = self.dropout(quadratic(outputs, training=training), training=training)
        return self.logit(outputs)  # (B, 1)
