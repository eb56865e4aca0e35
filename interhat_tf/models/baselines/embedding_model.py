"""What the baselines that embed their fields have in common."""

from abc import abstractmethod
from collections.abc import Mapping
from typing import Any, ClassVar

from keras import ops

from interhat_tf.models.click_model import ClickModel
from interhat_tf.models.effects_model import Description
from interhat_tf.ops import Tensor
from interhat_tf.schema import Batch, Schema
from interhat_tf.utils.config import Initializer


class EmbeddingModel(ClickModel):
    """A `ClickModel` on embeddings of the fields, `self.embedding`.

    A subclass says in `forward` what it makes of embedded fields. It may have a first-order part as
    well, `self.linear`: it says so by `first_order`. The bias is either there or in the subclass's
    own logit.

    Args:
        schema: The record's `Schema`, or what its `to_dict` returned.
        embedding_dim: Embedding size d. Defaults to 10, BARS'.
        embeddings_initializer: Initializer of the embeddings. Defaults to
            `"glorot_uniform"`.
        embedding_l2: L2 penalty l of the embeddings and the first-order weights,
            `l * sum(w**2)`. Defaults to 0.
        **kwargs: Arguments of `ClickModel`, such as `pooling` and `numerical_embedding`.
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

    @abstractmethod
    def forward(self, fields: Tensor, inputs: Batch, training: bool = False) -> Tensor:
        """Returns the logits, (B, 1), of records whose fields are embedded already.

        Args:
            fields: The embeddings, (B, m, d).
            inputs: The records, for what reads more of them than its embeddings.
            training: Whether the model learns.
        """

    def call(self, inputs: Batch, training: bool = False) -> Tensor:
        """Returns logits, (B, 1)."""
        return self.forward(self.embedding(inputs, training=training), inputs, training)

    def describe(self, inputs: Batch) -> Description:
        """Returns the logits of records, and what an effect head reads of them.

        Embeddings are looked up once for both.
        """
        fields = self.embedding(inputs)  # (B, m, d)
        logits = self.forward(fields, inputs)  # (B, 1)
        return Description(logits, self._with_first_order(fields, inputs), logits)

    def field_vectors(self, inputs: Batch) -> Tensor:
        """Returns the embeddings, (B, m, d), and behind them the first-order terms, if any."""
        return self._with_first_order(self.embedding(inputs), inputs)

    def _with_first_order(self, fields: Tensor, inputs: Batch) -> Tensor:
        if not self.first_order:
            return fields
        terms = self.linear.embedding(inputs)  # (B, m, 1)
        return ops.concatenate([ops.cast(fields, terms.dtype), terms], axis=-1)  # (B, m, d + 1)

    def _embedding_width(self, embedding_dim: int) -> int:
        """Returns how many numbers a field has."""
        return embedding_dim
