"""The exponential cross network."""

from collections.abc import Mapping
from typing import Any

import keras
from keras import ops

from interhat_tf.errors import SettingError
from interhat_tf.layers import ExponentialCrossNetwork
from interhat_tf.models.baselines.embedding_model import EmbeddingModel
from interhat_tf.models.click_model import l2
from interhat_tf.ops import Tensor
from interhat_tf.schema import Batch, Schema


@keras.saving.register_keras_serializable("interhat_tf")
class ECN(EmbeddingModel):
    """ECN: explicit crosses alone, without an MLP (Li et al. 2024, arXiv 2407.13349).

        logit = w^T ExponentialCrossNetwork(x_0) + b

    It is one half of the paper's FCN. x_0 is the first halves of all fields'
    embeddings, end to end, and then the second halves, so that both halves of an
    embedding share a factor. For x_0 of width n = m d the crosses have (n^2 / 2 +
    2 n) L weights.

    Args:
        schema: The record's `Schema`, or what its `to_dict` returned.
        num_cross_layers: Number of crosses L. Defaults to 4, the authors' on
            Criteo, where the embedding size is 16.
        dropout: Rate at which crossed units are dropped in training. Defaults
            to 0.
        batch_norm: Whether the crosses have batch normalisation. Defaults to
            `False`.
        layer_norm: Whether the crosses have layer normalisation. Defaults to
            `False`.
        dense_l2: L2 penalty of all weights but the embeddings. Defaults to 0.
        **kwargs: Arguments of `EmbeddingModel`; the embedding size is even.

    Raises:
        ValueError: If the embedding size is odd.

    Example:

    >>> from interhat_tf import Field, Schema
    >>> schema = Schema([Field("user", "categorical", 9), Field("price", "numerical")])
    >>> ECN(schema, embedding_dim=4, num_cross_layers=2).count_params()
    145
    """

    def __init__(
        self,
        schema: Schema | Mapping[str, Any],
        *,
        num_cross_layers: int = 4,
        dropout: float = 0.0,
        batch_norm: bool = False,
        layer_norm: bool = False,
        dense_l2: float = 0.0,
        **kwargs: Any,
    ):
        super().__init__(schema, **kwargs)
        if self.embedding.embedding_dim % 2:
            raise SettingError(f"embedding_dim must be even, got {self.embedding.embedding_dim}")
        self.cross = ExponentialCrossNetwork(
            num_cross_layers,
            dropout=dropout,
            batch_norm=batch_norm,
            layer_norm=layer_norm,
            kernel_regularizer=l2(dense_l2),
            dtype=self.dtype_policy,
            name="cross",
        )
        self.logit = self._make_logit(dense_l2)
        self.build()

    def forward(self, fields: Tensor, inputs: Batch, training: bool = False) -> Tensor:
        """Returns logits, (B, 1), of embedded fields, (B, m, d)."""
        halves = ops.split(fields, 2, axis=-1)  # (B, m, d / 2) each
        flat = ops.concatenate([self._flatten(half) for half in halves], axis=-1)  # (B, m * d)
        return self.logit(self.cross(flat, training=training))  # (B, 1)
