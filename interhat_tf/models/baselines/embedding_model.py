"""What the baselines that embed their fields have in common."""

from collections.abc import Mapping
from typing import Any, ClassVar

from keras import ops

from interhat_tf.models.click_model import ClickModel
from interhat_tf.ops import Tensor
from interhat_tf.schema import Batch, Schema
from interhat_tf.utils.config import Initializer


class EmbeddingModel(ClickModel):
    """A `ClickModel` on embeddings of the fields, `self.embedding`.

    A subclass may have a first-order part as well, `self.linear`: it says so by
    `first_order`. The bias is either there or in the subclass's own logit.

    Args:
        schema: The record's `Schema`, or what its `to_dict` returned.
        embedding_dim: Embedding size d. Defaults to 10, BARS'.
        embeddings_initializer: Initializer of the embeddings. Defaults to
            `"glorot_uniform"`.
        embedding_l2: L2 penalty l of the embeddings and the first-order weights,
            `l * sum(w**2)`. Defaults to 0.
        **kwargs: Arguments of `keras.Model`.
    """

    first_order: ClassVar[bool] = False
    first_order_bias: ClassVar[bool] = True

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
        if self.first_order:
            self.linear = self._make_linear(embedding_l2, self.first_order_bias)
        width = self._embedding_width(embedding_dim)
        self.embedding = self._make_embedding(width, embeddings_initializer, embedding_l2)

    def field_vectors(self, inputs: Batch) -> Tensor:
        """Returns the embeddings, (B, m, d), and behind them the first-order terms, if any."""
        vectors = self.embedding(inputs)  # (B, m, d)
        if not self.first_order:
            return vectors
        terms = self.linear.embedding(inputs)  # (B, m, 1)
        return ops.concatenate([ops.cast(vectors, terms.dtype), terms], axis=-1)  # (B, m, d + 1)

    def _embedding_width(self, embedding_dim: int) -> int:
        """Returns how many numbers a field has."""
        return embedding_dim
