"""Product-based neural networks."""

from collections.abc import Mapping
from typing import Any

import keras
from keras import ops

from interhat_tf.layers import InnerProduct, OuterProduct
from interhat_tf.models.baselines.deep_model import DeepModel
from interhat_tf.ops import Tensor
from interhat_tf.schema import Batch, Schema
from interhat_tf.utils.limits import check_choice

_PRODUCTS: dict[str, tuple[type[keras.layers.Layer], ...]] = {
    "inner": (InnerProduct,),
    "outer": (OuterProduct,),
    "both": (InnerProduct, OuterProduct),
}


@keras.saving.register_keras_serializable("interhat_tf")
class PNN(DeepModel):
    """Product-based neural networks: IPNN, OPNN and PNN* (Qu et al., ICDM 2016).

        l_1 = ReLU(W_z z + W_p p + b_1)   (Equation 2)
        logit = w^T MLP(l_1) + b

    z is the embeddings of all fields, end to end, and p their products: inner
    products of all pairs (`InnerProduct`), the outer product of the fields' sum
    (`OuterProduct`), or both. The first layer of the MLP is l_1: for N = m (m -
    1) / 2 inner and d^2 outer products and a width of D_1 it has D_1 (m d + N +
    d^2 + 1) weights.

    Args:
        schema: The record's `Schema`, or what its `to_dict` returned.
        product: `"inner"`, `"outer"` or `"both"`: IPNN, OPNN or PNN*. Defaults to
            `"both"`; BARS' PNN is `"inner"`.
        **kwargs: Arguments of `DeepModel`.

    Raises:
        ValueError: If there is no such product.

    Example:

    >>> from interhat_tf import Field, Schema
    >>> model = PNN(Schema([Field("user", "categorical", 9), Field("price", "numerical")]))
    >>> model({"categorical": keras.ops.array([[4]]), "numerical": keras.ops.array([[0.3]])}).shape
    TensorShape([1, 1])
    """

    def __init__(
        self,
        schema: Schema | Mapping[str, Any],
        *,
        product: str = "both",
        **kwargs: Any,
    ):
        super().__init__(schema, **kwargs)
        check_choice("product", product, _PRODUCTS)
        self.products = [
            layer(dtype=self.dtype_policy, name=layer.__name__) for layer in _PRODUCTS[product]
        ]
        self._finish()

    def forward(self, fields: Tensor, inputs: Batch, training: bool = False) -> Tensor:
        """Returns logits, (B, 1), of embedded fields, (B, m, d)."""
        z = self._flatten(fields)  # (B, m * d)
        signals = [z, *(product(fields) for product in self.products)]
        outputs = ops.concatenate(signals, axis=-1)  # (B, m * d + N + d * d)
        return self.logit(self.mlp(outputs, training=training))  # (B, 1)
