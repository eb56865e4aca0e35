"""A multi-layer perceptron on embeddings."""

from collections.abc import Mapping, Sequence
from typing import Any

import keras

from interhat_tf.models.click_model import ClickModel
from interhat_tf.schema import Batch, Schema
from interhat_tf.utils.config import Initializer


@keras.saving.register_keras_serializable("interhat_tf")
class DNN(ClickModel):
    """A multi-layer perceptron on the embeddings of all fields.

        logit = w^T MLP([x_1; ...; x_m]) + b

    It is the deep part of Wide & Deep (Cheng et al. 2016) and of most models
    after it.

    Args:
        schema: The record's `Schema`, or what its `to_dict` returned.
        embedding_dim: Embedding size d. Defaults to 10, BARS'.
        embeddings_initializer: Initializer of the embeddings. Defaults to
            `"glorot_uniform"`.
        mlp_units: Widths of the MLP's hidden layers. Defaults to
            `(400, 400, 400)`, DeepFM's and BARS'.
        dropout: Rate at which the MLP's hidden units are dropped in training.
            Defaults to 0.
        batch_norm: Whether the MLP's layers have batch normalisation, as most
            models of BARS have on Frappe. Defaults to `False`.
        embedding_l2: L2 penalty l of the embeddings, `l * sum(w**2)`.
            Defaults to 0.
        dense_l2: L2 penalty of all other weights. Defaults to 0.
        **kwargs: Arguments of `keras.Model`.

    Example:

    >>> from interhat_tf import Field, Schema
    >>> model = DNN(Schema([Field("user", "categorical", 9), Field("price", "numerical")]))
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
        self.embedding = self._make_embedding(embedding_dim, embeddings_initializer, embedding_l2)
        self.mlp = self._make_mlp(mlp_units, dropout, batch_norm, dense_l2)
        self.logit = self._make_logit(dense_l2)
        self.build()

    def call(self, inputs: Batch, training: bool = False) -> keras.KerasTensor:
        """Returns logits, (B, 1)."""
        fields = self.embedding(inputs)  # (B, m, d)
        flat = self._flatten(fields)  # (B, m * d)
        return self.logit(self.mlp(flat, training=training))  # (B, 1)
