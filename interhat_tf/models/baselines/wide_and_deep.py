"""Wide & Deep learning."""

from collections.abc import Mapping
from typing import Any

import keras

from interhat_tf.models.baselines.deep_model import DeepModel
from interhat_tf.ops import Tensor
from interhat_tf.schema import Batch, Schema


@keras.saving.register_keras_serializable("interhat_tf")
class WideAndDeep(DeepModel):
    """Wide & Deep: a linear model and an MLP, trained together (Cheng et al. 2016, Equation 3).

        logit = w_wide^T x + w_deep^T MLP([x_1; ...; x_m]) + b

    The paper's wide part also has products of fields that an engineer chose for
    its app store (its Equation 1). A click log in general has none, so x is the
    record's values alone, as in BARS and where later papers compare with it. The
    paper's MLP has widths of 1024, 512 and 256.

    Args:
        schema: The record's `Schema`, or what its `to_dict` returned.
        **kwargs: Arguments of `DeepModel`.

    Example:

    >>> from interhat_tf import Field, Schema
    >>> model = WideAndDeep(Schema([Field("user", "categorical", 9), Field("price", "numerical")]))
    >>> model({"categorical": keras.ops.array([[4]]), "numerical": keras.ops.array([[0.3]])}).shape
    TensorShape([1, 1])
    """

    first_order = True

    def __init__(self, schema: Schema | Mapping[str, Any], **kwargs: Any):
        super().__init__(schema, **kwargs)
        self._finish()

    def forward(self, fields: Tensor, inputs: Batch, training: bool = False) -> Tensor:
        """Returns logits, (B, 1), of embedded fields, (B, m, d)."""
        flat = self._flatten(fields)  # (B, m * d)
        deep = self.logit(self.mlp(flat, training=training))  # (B, 1)
        return self.linear(inputs) + deep  # (B, 1)
