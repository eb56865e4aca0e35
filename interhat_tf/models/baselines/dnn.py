"""A multi-layer perceptron on embeddings."""

from collections.abc import Mapping
from typing import Any

import keras

from interhat_tf.models.baselines.deep_model import DeepModel
from interhat_tf.ops import Tensor
from interhat_tf.schema import Batch, Schema


@keras.saving.register_keras_serializable("interhat_tf")
class DNN(DeepModel):
    """A multi-layer perceptron on the embeddings of all fields.

        logit = w^T MLP([x_1; ...; x_m]) + b

    It is the deep part of Wide & Deep (Cheng et al. 2016) and of most models
    after it.

    Args:
        schema: The record's `Schema`, or what its `to_dict` returned.
        **kwargs: Arguments of `DeepModel`.

    Example:

    >>> from interhat_tf import Field, Schema
    >>> schema = Schema([Field("user", "categorical", 9), Field("price", "numerical")])
    >>> DNN(schema, embedding_dim=4, mlp_units=(5,)).count_params()
    91
    """

    def __init__(self, schema: Schema | Mapping[str, Any], **kwargs: Any):
        super().__init__(schema, **kwargs)
        self._finish()

    def forward(self, fields: Tensor, inputs: Batch, training: bool = False) -> Tensor:
        """Returns logits, (B, 1), of embedded fields, (B, m, d)."""
        flat = self._flatten(fields)  # (B, m * d)
        return self.logit(self.mlp(flat, training=training))  # (B, 1)
