"""The deep & cross network, version 2."""

from collections.abc import Mapping, Sequence
from typing import Any

import keras
from keras import ops
from keras_rs.layers import FeatureCross

from interhat_tf.models.click_model import ClickModel, l2
from interhat_tf.schema import Batch, Schema
from interhat_tf.utils.config import Initializer


@keras.saving.register_keras_serializable("interhat_tf")
class DCNv2(ClickModel):
    """The deep & cross network V2: crosses with a matrix (Wang et al., WWW 2021).

        x_{l+1} = x_0 * (W_l x_l + b_l) + x_l   for l = 0 ... L - 1
        logit = w^T [x_L; MLP(x_0)] + b   (parallel)
        logit = w^T MLP(x_L) + b          (stacked)

    x_0 is the embeddings of all fields, end to end. W has full rank. For x_0 of
    width n = m d the crosses have (n^2 + n) L weights.

    Args:
        schema: The record's `Schema`, or what its `to_dict` returned.
        embedding_dim: Embedding size d. Defaults to 10, BARS'.
        embeddings_initializer: Initializer of the embeddings. Defaults to
            `"glorot_uniform"`.
        num_cross_layers: Number of crosses L. Defaults to 4, BARS' on
            Frappe.
        structure: `"parallel"` or `"stacked"`. Defaults to `"parallel"`.
        mlp_units: Widths of the MLP's hidden layers. Defaults to
            `(400, 400, 400)`, BARS'.
        dropout: Rate at which the MLP's hidden units are dropped in training.
            Defaults to 0.
        batch_norm: Whether the MLP's layers have batch normalisation, as most
            models of BARS have on Frappe. Defaults to `False`.
        embedding_l2: L2 penalty l of the embeddings, `l * sum(w**2)`.
            Defaults to 0.
        dense_l2: L2 penalty of all other weights. Defaults to 0.
        **kwargs: Arguments of `keras.Model`.

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
        embedding_dim: int = 10,
        embeddings_initializer: Initializer = "glorot_uniform",
        num_cross_layers: int = 4,
        structure: str = "parallel",
        mlp_units: Sequence[int] = (400, 400, 400),
        dropout: float = 0.0,
        batch_norm: bool = False,
        embedding_l2: float = 0.0,
        dense_l2: float = 0.0,
        **kwargs: Any,
    ):
        super().__init__(schema, **kwargs)
        if structure not in ("parallel", "stacked"):
            raise ValueError(f"structure must be 'parallel' or 'stacked', got {structure!r}")
        self.structure = structure
        self.embedding = self._make_embedding(embedding_dim, embeddings_initializer, embedding_l2)
        self.crosses = [
            FeatureCross(
                kernel_regularizer=l2(dense_l2),
                bias_regularizer=l2(dense_l2),
                dtype=self.dtype_policy,
                name=f"cross_{i}",
            )
            for i in range(1, num_cross_layers + 1)
        ]
        self.mlp = self._make_mlp(mlp_units, dropout, batch_norm, dense_l2)
        self.logit = self._make_logit(dense_l2)
        self.build()

    def call(self, inputs: Batch, training: bool = False) -> keras.KerasTensor:
        """Returns logits, (B, 1)."""
        fields = self.embedding(inputs)  # (B, m, d)
        flat = self._flatten(fields)  # (B, m * d)
        crossed = flat
        for cross in self.crosses:
            crossed = cross(flat, crossed)  # (B, m * d)
        if self.structure == "stacked":
            return self.logit(self.mlp(crossed, training=training))  # (B, 1)
        deep = self.mlp(flat, training=training)  # (B, last of mlp_units)
        return self.logit(ops.concatenate([crossed, deep], axis=-1))  # (B, 1)
