"""AutoInt."""

from collections.abc import Mapping, Sequence
from typing import Any

import keras

from interhat_tf.layers import InteractingLayer
from interhat_tf.models.baselines.embedding_model import EmbeddingModel
from interhat_tf.models.click_model import l2
from interhat_tf.ops import Tensor
from interhat_tf.schema import Batch, Schema


@keras.saving.register_keras_serializable("interhat_tf")
class AutoInt(EmbeddingModel):
    """AutoInt: layers of self-attention over the fields (Song et al., CIKM 2019).

        e^{l+1} = InteractingLayer(e^l)      (Equations 5 to 8)
        logit = w^T [e_1; ...; e_m] + b      (Equation 9)

    With `mlp_units` it is the paper's AutoInt+, which adds the logit of an MLP
    on the embeddings. A layer of inputs of size d has 4 d H d' weights.

    Args:
        schema: The record's `Schema`, or what its `to_dict` returned.
        num_layers: Number of interacting layers. Defaults to 3, the paper's.
        num_heads: Number of heads H. Defaults to 2, the paper's.
        key_dim: Width d' of each head. Defaults to 32, the paper's.
        mlp_units: Widths of the hidden layers of AutoInt+'s MLP. Defaults to `()`,
            no MLP.
        dropout: Rate at which attention weights and the MLP's hidden units are
            dropped in training. Defaults to 0.
        batch_norm: Whether the MLP's layers have batch normalisation. Defaults to
            `False`.
        dense_l2: L2 penalty of all other weights. Defaults to 0.
        **kwargs: Arguments of `EmbeddingModel`.

    Example:

    >>> from interhat_tf import Field, Schema
    >>> model = AutoInt(Schema([Field("user", "categorical", 9), Field("price", "numerical")]))
    >>> model({"categorical": keras.ops.array([[4]]), "numerical": keras.ops.array([[0.3]])}).shape
    TensorShape([1, 1])
    """

    def __init__(
        self,
        schema: Schema | Mapping[str, Any],
        *,
        num_layers: int = 3,
        num_heads: int = 2,
        key_dim: int = 32,
        mlp_units: Sequence[int] = (),
        dropout: float = 0.0,
        batch_norm: bool = False,
        dense_l2: float = 0.0,
        **kwargs: Any,
    ):
        super().__init__(schema, **kwargs)
        self.interactions = [
            InteractingLayer(
                num_heads,
                key_dim,
                dropout=dropout,
                kernel_regularizer=l2(dense_l2),
                dtype=self.dtype_policy,
                name=f"interaction_{i}",
            )
            for i in range(1, num_layers + 1)
        ]
        self.logit = self._make_logit(dense_l2)
        self.mlp = None
        if mlp_units:
            self.mlp = self._make_mlp(mlp_units, dropout, batch_norm, dense_l2)
            self.mlp_logit = self._make_logit(dense_l2, use_bias=False, name="mlp_logit")
        self.build()

    def forward(self, fields: Tensor, inputs: Batch, training: bool = False) -> Tensor:
        """Returns logits, (B, 1), of embedded fields, (B, m, d)."""
        interacting = fields
        for interaction in self.interactions:
            interacting = interaction(interacting, training=training)  # (B, m, H * d')
        logit = self.logit(self._flatten(interacting))  # (B, 1)
        if self.mlp:
            hidden = self.mlp(self._flatten(fields), training=training)
            logit += self.mlp_logit(hidden)  # (B, 1)
        return logit
