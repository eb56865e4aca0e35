"""The factorization machine."""

from collections.abc import Mapping
from typing import Any

import keras

from interhat_tf.layers import FactorizationMachine
from interhat_tf.models.baselines.embedding_model import EmbeddingModel
from interhat_tf.ops import Tensor
from interhat_tf.schema import Batch, Schema


@keras.saving.register_keras_serializable("interhat_tf")
class FM(EmbeddingModel):
    """The factorization machine of order 2 (Rendle, ICDM 2010, Equation 1).

        logit = w_0 + sum_i w_i x_i + sum_{i<j} <v_i, v_j> x_i x_j

    With n values and numerical fields there are 1 + n + n d weights.

    Args:
        schema: The record's `Schema`, or what its `to_dict` returned.
        **kwargs: Arguments of `EmbeddingModel`.

    Example:

    >>> from interhat_tf import Field, Schema
    >>> schema = Schema([Field("user", "categorical", 9), Field("price", "numerical")])
    >>> FM(schema, embedding_dim=4).count_params()
    51
    """

    first_order = True

    def __init__(self, schema: Schema | Mapping[str, Any], **kwargs: Any):
        super().__init__(schema, **kwargs)
        self.interaction = FactorizationMachine(dtype=self.logit_dtype, name="interaction")
        self.build()

    def forward(self, fields: Tensor, inputs: Batch, training: bool = False) -> Tensor:
        """Returns logits, (B, 1), of embedded fields, (B, m, d)."""
        return self.linear(inputs) + self.interaction(fields)  # (B, 1)
