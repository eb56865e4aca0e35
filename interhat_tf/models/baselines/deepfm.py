"""DeepFM."""

from collections.abc import Mapping, Sequence
from typing import Any

import keras

from interhat_tf.layers import FactorizationMachine
from interhat_tf.models.click_model import ClickModel
from interhat_tf.schema import Batch, Schema
from interhat_tf.utils.config import Initializer


@keras.saving.register_keras_serializable("interhat_tf")
class DeepFM(ClickModel):
    """DeepFM: a factorization machine and an MLP on the same embeddings (Guo et al., IJCAI 2017).

        logit = y_FM + y_DNN
        y_FM = sum_i w_i x_i + sum_{i<j} <v_i, v_j> x_i x_j   (Equation 2)
        y_DNN = w^T MLP([v_1 x_1; ...; v_m x_m]) + b          (Equation 4)

    Args:
        schema: The record's `Schema`, or what its `to_dict` returned.
        embedding_dim: Embedding size d. Defaults to 10, BARS'.
        embeddings_initializer: Initializer of the embeddings. Defaults to
            `"glorot_uniform"`.
        mlp_units: Widths of the MLP's hidden layers. Defaults to
            `(400, 400, 400)`, the paper's.
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
    >>> model = DeepFM(Schema([Field("user", "categorical", 9), Field("price", "numerical")]))
    >>> model({"categorical": keras.ops.array([[4]]), "numerical": keras.ops.array([[0.3]])}).shape
    TensorShape([1, 1])
    """

    def __init__(
        self,
        schema: Schema | Mapping[str, Any],
        *,
        embedding_dim: int = 10,
        embeddings_initializer: Initializer = "glorot_uniform",
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
        self.interaction = FactorizationMachine(dtype=self.logit_dtype, name="interaction")
        self.mlp = self._make_mlp(mlp_units, dropout, batch_norm, dense_l2)
        self.logit = self._make_logit(dense_l2)
        self.build()

    def call(self, inputs: Batch, training: bool = False) -> keras.KerasTensor:
        """Returns logits, (B, 1)."""
        fields = self.embedding(inputs)  # (B, m, d)
        y_fm = self.linear(inputs) + self.interaction(fields)  # (B, 1)
        flat = self._flatten(fields)  # (B, m * d)
        y_dnn = self.logit(self.mlp(flat, training=training))  # (B, 1)
        return y_fm + y_dnn  # (B, 1)
