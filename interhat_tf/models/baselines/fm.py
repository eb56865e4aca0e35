"""The factorization machine."""

from collections.abc import Mapping
from typing import Any

import keras

from interhat_tf.layers import FactorizationMachine
from interhat_tf.models.click_model import ClickModel
from interhat_tf.schema import Batch, Schema
from interhat_tf.utils.config import Initializer


@keras.saving.register_keras_serializable("interhat_tf")
class FM(ClickModel):
    """The factorization machine of order 2 (Rendle, ICDM 2010, Equation 1).

        logit = w_0 + sum_i w_i x_i + sum_{i<j} <v_i, v_j> x_i x_j

    With n values and numerical fields there are 1 + n + n d weights.

    Args:
        schema: The record's `Schema`, or what its `to_dict` returned.
        embedding_dim: Embedding size d. Defaults to 10, BARS'.
        embeddings_initializer: Initializer of the embeddings. Defaults to
            `"glorot_uniform"`.
        embedding_l2: L2 penalty l of the embeddings and the first-order weights, `l * sum(w**2)`.
            Defaults to 0.
        **kwargs: Arguments of `keras.Model`.

    Example:

    >>> from interhat_tf import Field, Schema
    >>> model = FM(Schema([Field("user", "categorical", 9), Field("price", "numerical")]))
    >>> model({"categorical": keras.ops.array([[4]]), "numerical": keras.ops.array([[0.3]])}).shape
    TensorShape([1, 1])
    """

    def __init__(
        self,
        schema: Schema | Mapping[str, Any],
        *,
        embedding_dim: int = 10,
        embeddings_initializer: Initializer = "glorot_uniform",
        embedding_l2: float = 0.0,
        **kwargs: Any,
    ):
        super().__init__(schema, **kwargs)
        self.linear = self._make_linear(embedding_l2, use_bias=True)
        self.embedding = self._make_embedding(embedding_dim, embeddings_initializer, embedding_l2)
        self.interaction = FactorizationMachine(dtype=self.logit_dtype, name="interaction")
        self.build()

    def call(self, inputs: Batch) -> keras.KerasTensor:
        """Returns logits, (B, 1)."""
        fields = self.embedding(inputs)  # (B, m, d)
        return self.linear(inputs) + self.interaction(fields)  # (B, 1)
