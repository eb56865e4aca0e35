"""FinalNet."""

from collections.abc import Mapping, Sequence
from typing import Any

import keras
from keras import ops

from interhat_tf.layers import FactorizedInteractionBlock, FieldGate
from interhat_tf.models.baselines.deep_model import DeepModel
from interhat_tf.ops import Tensor
from interhat_tf.schema import Batch, Schema


@keras.saving.register_keras_serializable("interhat_tf")
class FinalNet(DeepModel):
    """FinalNet: two blocks of factorized interactions (Zhu et al., SIGIR 2023).

        logit = (w_1^T block_1(FieldGate(X)) + b_1 + w_2^T block_2(X) + b_2) / 2

    X is the embeddings of all fields, end to end, and a block a
    `FactorizedInteractionBlock`. This is the paper's 2B; without a second block
    it is its 1B, logit = w_1^T block_1(FieldGate(X)) + b_1. The authors also pull
    each block's prediction to that of both: `TrainingSettings(self_distillation=1.0)`.

    Args:
        schema: The record's `Schema`, or what its `to_dict` returned.
        second_mlp_units: Widths of the second block; those of the first one are
            `mlp_units`. Defaults to `(400,)`, BARS' on Frappe, where the first
            has `(400, 400)`; `()` leaves the second block out.
        field_gate: Whether the first block's input has gated fields as well.
            Defaults to `True`.
        **kwargs: Arguments of `DeepModel`.

    Example:

    >>> from interhat_tf import Field, Schema
    >>> schema = Schema([Field("user", "categorical", 9), Field("price", "numerical")])
    >>> FinalNet(schema, embedding_dim=4, mlp_units=(6,), second_mlp_units=(2,)).count_params()
    176
    """

    mlp_layer = FactorizedInteractionBlock

    def __init__(
        self,
        schema: Schema | Mapping[str, Any],
        *,
        second_mlp_units: Sequence[int] = (400,),
        field_gate: bool = True,
        **kwargs: Any,
    ):
        super().__init__(schema, **kwargs)
        self.gate = None
        if field_gate:
            self.gate = FieldGate(
                kernel_regularizer=self.penalty, dtype=self.dtype_policy, name="gate"
            )
        self.second_mlp = None
        if second_mlp_units:
            self.second_mlp = self._make_own_mlp(second_mlp_units, name="second_mlp")
            self.second_logit = self._make_logit(self.dense_l2, name="second_logit")
        self._finish()

    @property
    def num_blocks(self) -> int:
        """The number of blocks."""
        return 2 if self.second_mlp else 1

    def forward(self, fields: Tensor, inputs: Batch, training: bool = False) -> Tensor:
        """Returns logits, (B, 1), of embedded fields, (B, m, d)."""
        return ops.mean(self._block_logits(fields, training), axis=1, keepdims=True)  # (B, 1)

    def block_logits(self, inputs: Batch, training: bool = False) -> Tensor:
        """Returns each block's own logits, (B, number of blocks); the model's are their mean."""
        return self._block_logits(self.embedding(inputs), training)

    def _block_logits(self, fields: Tensor, training: bool) -> Tensor:
        gated = self.gate(fields) if self.gate else fields  # (B, 2 m or m, d)
        width = gated.shape[1] * gated.shape[2]
        flat = ops.reshape(gated, (-1, width))  # (B, 2 * m * d or m * d)
        logits = self.logit(self.mlp(flat, training=training))  # (B, 1)
        if not self.second_mlp:
            return logits
        hidden = self.second_mlp(self._flatten(fields), training=training)
        return ops.concatenate([logits, self.second_logit(hidden)], axis=1)  # (B, 2)
