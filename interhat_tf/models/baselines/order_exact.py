"""A model whose logit is a sum over orders of interaction, exactly."""

import math
from collections.abc import Mapping
from typing import Any

import keras
from keras import ops

from interhat_tf.layers import Centering, SymmetricPolynomial
from interhat_tf.models.baselines.embedding_model import EmbeddingModel
from interhat_tf.ops import Tensor
from interhat_tf.schema import Batch, Schema


@keras.saving.register_keras_serializable("interhat_tf")
class OrderExact(EmbeddingModel):
    """A sum of one logit for each order of interaction, and of a bias.

        logit = b + sum_{i=1}^k z_i,  z_i = w_i . e_i(c_i1, ..., c_im) / sqrt(m over i)

    e_i is the sum of the element-wise products of all groups of i fields
    (`SymmetricPolynomial`), and c_ij = E_ij[x_j] less its mean over the training
    records (`Centering`): each order has embeddings of its own. Where fields are
    independent, the mean of a product of centred factors over the values of any of
    its fields is 0: z_i is the interaction of order i alone, as in a functional
    analysis of variance. The root keeps the orders on one scale: it is the deviation
    of a sum of that many uncorrelated products.

    It is a baseline for what orders weigh, not for accuracy. With n values and
    numerical fields there are n k d + k d + 1 trained weights.

    Args:
        schema: The record's `Schema`, or what its `to_dict` returned.
        order: Highest order k of interaction, at least 1; of m fields there are
            m orders at most. Defaults to 3.
        embedding_dim: Embedding size d of each order. Defaults to 10.
        dense_l2: L2 penalty of w_1 ... w_k and b. Defaults to 0.
        **kwargs: Arguments of `EmbeddingModel`.

    Raises:
        ValueError: If `order` is less than 1.

    Example:

    >>> from interhat_tf import Field, Schema
    >>> schema = Schema([Field("user", "categorical", 9), Field("app", "categorical", 5)])
    >>> model = OrderExact(schema, order=2, embedding_dim=4)
    >>> records = {"categorical": ops.array([[4, 1], [2, 3]])}
    >>> model(records).shape, model.order_logits(records).shape
    (TensorShape([2, 1]), TensorShape([2, 2]))
    """

    def __init__(
        self,
        schema: Schema | Mapping[str, Any],
        *,
        order: int = 3,
        embedding_dim: int = 10,
        dense_l2: float = 0.0,
        **kwargs: Any,
    ):
        schema = schema if isinstance(schema, Schema) else Schema.from_dict(schema)
        order = min(order, len(schema.fields))
        super().__init__(schema, embedding_dim=order * embedding_dim, **kwargs)
        self.order = order
        self.centering = Centering(dtype=self.logit_dtype, name="centering")
        self.polynomials = [
            SymmetricPolynomial(i, dtype=self.logit_dtype, name=f"polynomial_{i}")
            for i in range(1, self.order + 1)
        ]
        self.logit = self._make_logit(dense_l2)
        self.build()

    def forward(self, fields: Tensor, inputs: Batch, training: bool = False) -> Tensor:
        """Returns logits, (B, 1), of embedded fields, (B, m, k * d)."""
        return self.logit(self._products(fields, training))

    def order_logits(self, inputs: Batch) -> Tensor:
        """Returns z_1 ... z_k, (B, k), which with the bias of `self.logit` add up to the logit."""
        products = self._products(self.embedding(inputs), training=False)  # (B, k * d)
        terms = products * self.logit.kernel[:, 0]  # (B, k * d)
        return ops.sum(ops.reshape(terms, (-1, self.order, terms.shape[-1] // self.order)), axis=-1)

    def _products(self, fields: Tensor, training: bool) -> Tensor:
        """Returns e_1 ... e_k end to end, each divided by its root, (B, k * d)."""
        centred = self.centering(fields, training=training)  # (B, m, k * d)
        of_orders = ops.split(centred, self.order, axis=2)  # k times (B, m, d)
        pairs = zip(self.polynomials, of_orders, strict=True)
        return ops.concatenate(
            [p(c) / math.comb(self.num_fields, p.degree) ** 0.5 for p, c in pairs], axis=-1
        )
