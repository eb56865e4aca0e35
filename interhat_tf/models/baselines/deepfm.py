"""DeepFM."""

from collections.abc import Mapping
from typing import Any

import keras

from interhat_tf.layers import FactorizationMachine
from interhat_tf.models.baselines.deep_model import DeepModel
from interhat_tf.ops import Tensor
from interhat_tf.schema import Batch, Schema


@keras.saving.register_keras_serializable("interhat_tf")
class DeepFM(DeepModel):
    """DeepFM: a factorization machine and an MLP on the same embeddings (Guo et al., IJCAI 2017).

        logit = y_FM + y_DNN
        y_FM = sum_i w_i x_i + sum_{i<j} <v_i, v_j> x_i x_j   (Equation 2)
        y_DNN = w^T MLP([v_1 x_1; ...; v_m x_m]) + b          (Equation 4)

    Args:
        schema: The record's `Schema`, or what its `to_dict` returned.
        **kwargs: Arguments of `DeepModel`.

    Example:

    >>> from interhat_tf import Field, Schema
    >>> model = DeepFM(Schema([Field("user", "categorical", 9), Field("price", "numerical")]))
    >>> model({"categorical": keras.ops.array([[4]]), "numerical": keras.ops.array([[0.3]])}).shape
    TensorShape([1, 1])
    """

    first_order = True

    def __init__(self, schema: Schema | Mapping[str, Any], **kwargs: Any):
        super().__init__(schema, **kwargs)
        self.interaction = FactorizationMachine(dtype=self.logit_dtype, name="interaction")
        self._finish()

    def forward(self, fields: Tensor, inputs: Batch, training: bool = False) -> Tensor:
        """Returns logits, (B, 1), of embedded fields, (B, m, d)."""
        y_fm = self.linear(inputs) + self.interaction(fields)  # (B, 1)
        flat = self._flatten(fields)  # (B, m * d)
        y_dnn = self.logit(self.mlp(flat, training=training))  # (B, 1)
        return y_fm + y_dnn  # (B, 1)
