"""The field-aware factorization machine."""

from collections.abc import Mapping
from typing import Any

import keras

from interhat_tf.layers import FieldAwareFactorizationMachine
from interhat_tf.models.baselines.embedding_model import EmbeddingModel
from interhat_tf.ops import Tensor
from interhat_tf.schema import Batch, Schema


@keras.saving.register_keras_serializable("interhat_tf")
class FFM(EmbeddingModel):
    """The field-aware factorization machine (Juan et al., RecSys 2016, Equation 4).

        logit = w_0 + sum_i w_i x_i + sum_{i<j} <v_{i,j}, v_{j,i}> x_i x_j

    v_{i,j} is the vector that field i's value has for meeting field j: m vectors
    a value. The first-order terms, which the paper leaves out of its equation,
    are those of the FM. With n values and numerical fields there are 1 + n +
    n m d weights, the paper's n m d for the interactions.

    Args:
        schema: The record's `Schema`, or what its `to_dict` returned.
        **kwargs: Arguments of `EmbeddingModel`.

    Example:

    >>> from interhat_tf import Field, Schema
    >>> model = FFM(Schema([Field("user", "categorical", 9), Field("price", "numerical")]))
    >>> model({"categorical": keras.ops.array([[4]]), "numerical": keras.ops.array([[0.3]])}).shape
    TensorShape([1, 1])
    """

    first_order = True

    def __init__(self, schema: Schema | Mapping[str, Any], **kwargs: Any):
        super().__init__(schema, **kwargs)
        self.interaction = FieldAwareFactorizationMachine(
            dtype=self.logit_dtype, name="interaction"
        )
        self.build()

    def _embedding_width(self, embedding_dim: int) -> int:
        return self.num_fields * embedding_dim

    def forward(self, fields: Tensor, inputs: Batch, training: bool = False) -> Tensor:
        """Returns logits, (B, 1), of embedded fields, (B, m, m * d)."""
        return self.linear(inputs) + self.interaction(fields)  # (B, 1)
