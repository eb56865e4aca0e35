"""The deep & cross network."""

from collections.abc import Mapping
from typing import Any

import keras
from keras import ops

from interhat_tf.layers import CrossNetwork
from interhat_tf.models.baselines.deep_model import DeepModel
from interhat_tf.ops import Tensor
from interhat_tf.schema import Batch, Schema


@keras.saving.register_keras_serializable("interhat_tf")
class DCN(DeepModel):
    """The deep & cross network: crosses and an MLP side by side (Wang et al., ADKDD 2017).

        x_{l+1} = x_0 x_l^T w_l + b_l + x_l   for l = 0 ... L - 1
        logit = w^T [x_L; MLP(x_0)] + b

    x_0 is the embeddings of all fields, end to end. The paper puts numbers into
    x_0 as they are; here a numerical field has an embedding, as in InterHAt.
    For x_0 of width n = m d the crosses have 2 n L weights. The paper's MLP on Criteo
    has widths of 1024 and 1024.

    Args:
        schema: The record's `Schema`, or what its `to_dict` returned.
        num_cross_layers: Number of crosses L. Defaults to 6, the paper's on Criteo.
        **kwargs: Arguments of `DeepModel`.

    Example:

    >>> from interhat_tf import Field, Schema
    >>> model = DCN(Schema([Field("user", "categorical", 9), Field("price", "numerical")]))
    >>> model({"categorical": keras.ops.array([[4]]), "numerical": keras.ops.array([[0.3]])}).shape
    TensorShape([1, 1])
    """

    def __init__(
        self,
        schema: Schema | Mapping[str, Any],
        *,
        num_cross_layers: int = 6,
        **kwargs: Any,
    ):
        super().__init__(schema, **kwargs)
        self.cross = CrossNetwork(
            num_cross_layers,
            kernel_regularizer=self.penalty,
            dtype=self.dtype_policy,
            name="cross",
        )
        self._finish()

    def forward(self, fields: Tensor, inputs: Batch, training: bool = False) -> Tensor:
        """Returns logits, (B, 1), of embedded fields, (B, m, d)."""
        flat = self._flatten(fields)  # (B, m * d)
        crossed = self.cross(flat)  # (B, m * d)
        deep = self.mlp(flat, training=training)  # (B, last of mlp_units)
        return self.logit(ops.concatenate([crossed, deep], axis=-1))  # (B, 1)
