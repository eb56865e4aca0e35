"""The deep & cross network, version 2."""

from collections.abc import Mapping
from typing import Any

import keras
from keras import ops
from keras_rs.layers import FeatureCross

from interhat_tf.models.baselines.deep_model import DeepModel
from interhat_tf.ops import Tensor
from interhat_tf.schema import Batch, Schema
from interhat_tf.utils.limits import check_choice


@keras.saving.register_keras_serializable("interhat_tf")
class DCNv2(DeepModel):
    """The deep & cross network V2: crosses with a matrix (Wang et al., WWW 2021).

        x_{l+1} = x_0 * (W_l x_l + b_l) + x_l   for l = 0 ... L - 1
        logit = w^T [x_L; MLP(x_0)] + b   (parallel)
        logit = w^T MLP(x_L) + b          (stacked)

    x_0 is the embeddings of all fields, end to end. W has full rank. For x_0 of
    width n = m d the crosses have (n^2 + n) L weights.

    Args:
        schema: The record's `Schema`, or what its `to_dict` returned.
        num_cross_layers: Number of crosses L. Defaults to 4, BARS' on
            Frappe.
        structure: `"parallel"` or `"stacked"`. Defaults to `"parallel"`.
        **kwargs: Arguments of `DeepModel`.

    Raises:
        ValueError: If `structure` is neither of its two values.

    Example:

    >>> from interhat_tf import Field, Schema
    >>> model = DCNv2(Schema([Field("user", "categorical", 9), Field("price", "numerical")]))
    >>> model({"categorical": keras.ops.array([[4]]), "numerical": keras.ops.array([[0.3]])}).shape
    TensorShape([1, 1])
    """

    def __init__(
        self,
        schema: Schema | Mapping[str, Any],
        *,
        num_cross_layers: int = 4,
        structure: str = "parallel",
        **kwargs: Any,
    ):
        super().__init__(schema, **kwargs)
        check_choice("structure", structure, ("parallel", "stacked"))
        self.structure = structure
        self.crosses = [
            FeatureCross(
                kernel_regularizer=self.penalty,
                bias_regularizer=self.penalty,
                dtype=self.dtype_policy,
                name=f"cross_{i}",
            )
            for i in range(1, num_cross_layers + 1)
        ]
        self._finish()

    def forward(self, fields: Tensor, inputs: Batch, training: bool = False) -> Tensor:
        """Returns logits, (B, 1), of embedded fields, (B, m, d)."""
        flat = self._flatten(fields)  # (B, m * d)
        crossed = flat
        for cross in self.crosses:
            crossed = cross(flat, crossed)  # (B, m * d)
        if self.structure == "stacked":
            return self.logit(self.mlp(crossed, training=training))  # (B, 1)
        deep = self.mlp(flat, training=training)  # (B, last of mlp_units)
        return self.logit(ops.concatenate([crossed, deep], axis=-1))  # (B, 1)
