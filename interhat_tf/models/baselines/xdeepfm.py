"""xDeepFM."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import keras

from interhat_tf.layers import CompressedInteractionNetwork
from interhat_tf.models.click_model import ClickModel, l2
from interhat_tf.schema import Batch, Schema
from interhat_tf.utils.config import Initializer


@keras.saving.register_keras_serializable("interhat_tf")
class XDeepFM(ClickModel):
    """xDeepFM: a linear model, a CIN and an MLP (Lian et al., KDD 2018, Equation 9).

        logit = w_linear^T x + w_dnn^T MLP([x_1; ...; x_m]) + w_cin^T p+ + b

    p+ is the pooled feature maps of `CompressedInteractionNetwork`, which with
    w_cin has sum_k H_k (1 + H_{k-1} m) weights.

    Args:
        schema: The record's `Schema`, or what its `to_dict` returned.
        embedding_dim: Embedding size d. Defaults to 10, BARS'.
        embeddings_initializer: Initializer of the embeddings. Defaults to
            `"glorot_uniform"`.
        cin_units: Number of feature maps H_k of each layer of the CIN. Defaults to
            `(200, 200, 200)`, the paper's on Criteo; BARS has `(64,)` on Frappe.
        cin_activation: Activation of the CIN. Defaults to `None`, the paper's best.
        mlp_units: Widths of the MLP's hidden layers. Defaults to
            `(400, 400, 400)`, the paper's
            width.
        dropout: Rate at which the MLP's hidden units are dropped in training.
            Defaults to 0.
        batch_norm: Whether the MLP's layers have batch normalisation, as most
            models of BARS have on Frappe. Defaults to `False`.
        embedding_l2: L2 penalty l of the embeddings and the first-order weights, `l * sum(w**2)`.
            Defaults to 0.
        dense_l2: L2 penalty of all other weights. Defaults to 0.
        **kwargs: Arguments of `keras.Model`.

    Example:

    >>> from interhat_tf import Field, Schema
    >>> model = XDeepFM(Schema([Field("user", "categorical", 9), Field("price", "numerical")]))
    >>> model({"categorical": keras.ops.array([[4]]), "numerical": keras.ops.array([[0.3]])}).shape
    TensorShape([1, 1])
    """

    def __init__(
        self,
        schema: Schema | Mapping[str, Any],
        *,
        embedding_dim: int = 10,
        embeddings_initializer: Initializer = "glorot_uniform",
        cin_units: Sequence[int] = (200, 200, 200),
        cin_activation: str | Callable | None = None,
        mlp_units: Sequence[int] = (400, 400, 400),
        dropout: float = 0.0,
        batch_norm: bool = False,
        embedding_l2: float = 0.0,
        dense_l2: float = 0.0,
        **kwargs: Any,
    ):
        super().__init__(schema, **kwargs)
        self.linear = self._make_linear(embedding_l2, use_bias=False)
        self.embedding = self._make_embedding(embedding_dim, embeddings_initializer, embedding_l2)
        self.cin = CompressedInteractionNetwork(
            cin_units,
            activation=cin_activation,
            kernel_regularizer=l2(dense_l2),
            dtype=self.dtype_policy,
            name="cin",
        )
        self.cin_logit = self._make_logit(dense_l2, use_bias=False, name="cin_logit")
        self.mlp = self._make_mlp(mlp_units, dropout, batch_norm, dense_l2)
        self.logit = self._make_logit(dense_l2)
        self.build()

    def call(self, inputs: Batch, training: bool = False) -> keras.KerasTensor:
        """Returns logits, (B, 1)."""
        fields = self.embedding(inputs)  # (B, m, d)
        explicit = self.cin_logit(self.cin(fields))  # (B, 1)
        flat = self._flatten(fields)  # (B, m * d)
        implicit = self.logit(self.mlp(flat, training=training))  # (B, 1)
        return self.linear(inputs) + explicit + implicit  # (B, 1)
