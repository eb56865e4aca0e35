"""xDeepFM."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import keras

from interhat_tf.layers import CompressedInteractionNetwork
from interhat_tf.models.baselines.deep_model import DeepModel
from interhat_tf.ops import Tensor
from interhat_tf.schema import Batch, Schema


@keras.saving.register_keras_serializable("interhat_tf")
class XDeepFM(DeepModel):
    """xDeepFM: a linear model, a CIN and an MLP (Lian et al., KDD 2018, Equation 9).

        logit = w_linear^T x + w_dnn^T MLP([x_1; ...; x_m]) + w_cin^T p+ + b

    p+ is the pooled feature maps of `CompressedInteractionNetwork`, which with
    w_cin has sum_k H_k (1 + H_{k-1} m) weights.

    Args:
        schema: The record's `Schema`, or what its `to_dict` returned.
        cin_units: Number of feature maps H_k of each layer of the CIN. Defaults to
            `(200, 200, 200)`, the paper's on Criteo; BARS has `(64,)` on Frappe.
        cin_activation: Activation of the CIN. Defaults to `None`, the paper's best.
        **kwargs: Arguments of `DeepModel`.

    Example:

    >>> from interhat_tf import Field, Schema
    >>> model = XDeepFM(Schema([Field("user", "categorical", 9), Field("price", "numerical")]))
    >>> model({"categorical": keras.ops.array([[4]]), "numerical": keras.ops.array([[0.3]])}).shape
    TensorShape([1, 1])
    """

    first_order = True

    def __init__(
        self,
        schema: Schema | Mapping[str, Any],
        *,
        cin_units: Sequence[int] = (200, 200, 200),
        cin_activation: str | Callable | None = None,
        **kwargs: Any,
    ):
        super().__init__(schema, **kwargs)
        self.cin = CompressedInteractionNetwork(
            cin_units,
            activation=cin_activation,
            kernel_regularizer=self.penalty,
            dtype=self.dtype_policy,
            name="cin",
        )
        self.cin_logit = self._make_logit(self.dense_l2, use_bias=False, name="cin_logit")
        self._finish()

    def forward(self, fields: Tensor, inputs: Batch, training: bool = False) -> Tensor:
        """Returns logits, (B, 1), of embedded fields, (B, m, d)."""
        explicit = self.cin_logit(self.cin(fields))  # (B, 1)
        flat = self._flatten(fields)  # (B, m * d)
        implicit = self.logit(self.mlp(flat, training=training))  # (B, 1)
        return self.linear(inputs) + explicit + implicit  # (B, 1)
