"""Logistic regression."""

from collections.abc import Mapping
from typing import Any

import keras

from interhat_tf.models.click_model import ClickModel
from interhat_tf.ops import Tensor
from interhat_tf.schema import Batch, Schema


@keras.saving.register_keras_serializable("interhat_tf")
class LR(ClickModel):
    """Logistic regression on the values of all fields.

        logit = w_0 + sum_i w_i x_i

    There are as many weights as values and numerical fields, and w_0.

    Args:
        schema: The record's `Schema`, or what its `to_dict` returned.
        embedding_l2: L2 penalty l of the weights but w_0, `l * sum(w**2)`.
            Defaults to 0.
        **kwargs: Arguments of `ClickModel`, such as `pooling` and `numerical_embedding`.

    Example:

    >>> from interhat_tf import Field, Schema
    >>> model = LR(Schema([Field("user", "categorical", 9), Field("price", "numerical")]))
    >>> model({"categorical": keras.ops.array([[4]]), "numerical": keras.ops.array([[0.3]])}).shape
    TensorShape([1, 1])
    """

    def __init__(
        self,
        schema: Schema | Mapping[str, Any],
        *,
        embedding_l2: float = 0.0,
        **kwargs: Any,
    ):
        super().__init__(schema, **kwargs)
        self.linear = self._make_linear(embedding_l2, use_bias=True)
        self.build()

    def call(self, inputs: Batch) -> Tensor:
        """Returns logits, (B, 1)."""
        return self.linear(inputs)  # (B, 1)

    def field_vectors(self, inputs: Batch) -> Tensor:
        """Returns each field's term of the sum, (B, m, 1)."""
        return self.linear.embedding(inputs)
