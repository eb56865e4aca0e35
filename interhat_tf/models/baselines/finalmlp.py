"""FinalMLP."""

from collections.abc import Mapping, Sequence
from typing import Any

import keras
from keras import ops

from interhat_tf.errors import SettingError
from interhat_tf.layers import BilinearFusion, FeatureGate, FieldEmbedding
from interhat_tf.models.baselines.deep_model import DeepModel
from interhat_tf.ops import Tensor
from interhat_tf.schema import CATEGORICAL, Batch, Schema


@keras.saving.register_keras_serializable("interhat_tf")
class FinalMLP(DeepModel):
    """FinalMLP: two MLPs whose outputs are multiplied (Mao et al., AAAI 2023, Equations 1 to 8).

        y_1 = MLP_1(gate_1(X)),  y_2 = MLP_2(gate_2(X))
        logit = w^T [y_1; y_2] + b + sum_h y_1h^T W_h y_2h

    X is the embeddings of all fields, end to end, and the sum a
    `BilinearFusion`. A stream's gate, a `FeatureGate`, weights X by what one
    field's value says, embedded once more. A stream without such a field has no
    gate: one that says the same of all records is a constant scale, which the
    MLP's first layer has already.

    Args:
        schema: The record's `Schema`, or what its `to_dict` returned.
        second_mlp_units: Widths of the second stream; those of the first one are
            `mlp_units`. Defaults to `(100,)`, BARS' on Frappe, where the first
            has `(400,)`.
        num_heads: Number of heads of the product; it divides both streams' last
            widths. Defaults to 5, BARS' on Frappe.
        first_gate_field: Name of the categorical field that gates the first
            stream. Defaults to `None`, no gate; BARS has the user on Frappe.
        second_gate_field: The same for the second stream; BARS has the item.
        gate_units: Width of the gates' hidden layer. Defaults to 400, BARS'.
        **kwargs: Arguments of `DeepModel`.

    Raises:
        ValueError: If the schema has no such categorical field.

    Example:

    >>> from interhat_tf import Field, Schema
    >>> schema = Schema([Field("user", "categorical", 9), Field("price", "numerical")])
    >>> sizes = {"embedding_dim": 4, "mlp_units": (5,), "second_mlp_units": (3,), "num_heads": 1}
    >>> FinalMLP(schema, **sizes).count_params()
    136
    """

    def __init__(
        self,
        schema: Schema | Mapping[str, Any],
        *,
        second_mlp_units: Sequence[int] = (100,),
        num_heads: int = 5,
        first_gate_field: str | None = None,
        second_gate_field: str | None = None,
        gate_units: int = 400,
        **kwargs: Any,
    ):
        super().__init__(schema, **kwargs)
        fields = {"first": first_gate_field, "second": second_gate_field}
        self.gate_columns = {stream: self._column(f) for stream, f in fields.items() if f}
        self.contexts = {
            stream: self._make_context(stream, column)
            for stream, column in self.gate_columns.items()
        }
        self.gates = {
            stream: FeatureGate(
                gate_units,
                kernel_regularizer=self.penalty,
                dtype=self.dtype_policy,
                name=f"{stream}_gate",
            )
            for stream in self.gate_columns
        }
        self.second_mlp = self._make_own_mlp(second_mlp_units, name="second_mlp")
        self.fusion = BilinearFusion(
            num_heads, kernel_regularizer=self.penalty, dtype=self.logit_dtype, name="fusion"
        )
        self._finish()

    def _column(self, field: str) -> int:
        names = [known.name for known in self.schema.categorical]
        if field not in names:
            raise SettingError(
                f"no categorical field {field!r} to gate a stream; there are: {', '.join(names)}"
            )
        return names.index(field)

    def _make_context(self, stream: str, column: int) -> FieldEmbedding:
        return FieldEmbedding(
            self.schema.vocabulary_sizes[column : column + 1],
            embedding_dim=self.embedding.embedding_dim,
            embeddings_initializer=self.embedding.embeddings_initializer,
            embeddings_regularizer=self.embedding.embeddings_regularizer,
            dtype=self.dtype_policy,
            name=f"{stream}_context",
        )

    def columns_of(self, layer: FieldEmbedding) -> Sequence[int]:
        """Returns which categorical fields and crosses a table has rows for: a gate's is of one."""
        of_gates = [c for s, c in self.gate_columns.items() if self.contexts[s] is layer]
        return of_gates or super().columns_of(layer)

    def forward(self, fields: Tensor, inputs: Batch, training: bool = False) -> Tensor:
        """Returns logits, (B, 1), of embedded fields, (B, m, d)."""
        flat = self._flatten(fields)  # (B, m * d)
        first = self.mlp(self._gated("first", flat, inputs), training=training)  # (B, p)
        second = self.second_mlp(self._gated("second", flat, inputs), training=training)  # (B, q)
        linear = self.logit(ops.concatenate([first, second], axis=-1))  # (B, 1)
        return linear + self.fusion(first, second)  # (B, 1)

    def _gated(self, stream: str, flat: Tensor, inputs: Batch) -> Tensor:
        if stream not in self.gates:
            return flat
        column = self.gate_columns[stream]
        ids = inputs[CATEGORICAL][:, column : column + 1]  # (B, 1)
        values = ops.squeeze(self.contexts[stream]({CATEGORICAL: ids}), 1)  # (B, d)
        return self.gates[stream](flat, values)  # (B, m * d)
