"""The deep & cross network."""

from collections.abc import Mapping, Sequence
from typing import Any

import keras
from keras import ops

from interhat_tf.layers import CrossNetwork
from interhat_tf.models.click_model import ClickModel, l2
from interhat_tf.schema import Batch, Schema
from interhat_tf.utils.config import Initializer


@keras.saving.register_keras_serializable("interhat_tf")
class DCN(ClickModel):
    """The deep & cross network: crosses and an MLP side by side (Wang et al., ADKDD 2017).

        x_{l+1} = x_0 x_l^T w_l + b_l + x_l   for l = 0 ... L - 1
        logit = w^T [x_L; MLP(x_0)] + b

    x_0 is the embeddings of all fields, end to end. The paper puts numbers into
    x_0 as they are; here a numerical field has an embedding, as in InterHAt.
    For x_0 of width n = m d the crosses have 2 n L weights.

    Args:
        schema: The record's `Schema`, or what its `to_dict` returned.
        embedding_dim: Embedding size d. Defaults to 10, BARS'.
        embeddings_initializer: Initializer of the embeddings. Defaults to
            `"glorot_uniform"`.
        num_cross_layers: Number of crosses L. Defaults to 6, the paper's on Criteo.
        mlp_units: Widths of the MLP's hidden layers. Defaults to
            `(400, 400, 400)`, BARS' (the paper's on
            Criteo are 1024, 1024).
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
    >>> model = DCN(Schema([Field("user", "categorical", 9), Field("price", "numerical")]))
    >>> model({"categorical": keras.ops.array([[4]]), "numerical": keras.ops.array([[0.3]])}).shape
    TensorShape([1, 1])
    """

    def __init__(
        self,
        schema: Schema | Mapping[str, Any],
        *,
        embedding_dim: int = 10,
        embeddings_initializer: Initializer = "glorot_uniform",
        num_cross_layers: int = 6,
        mlp_units: Sequence[int] = (400, 400, 400),
        dropout: float = 0.0,
        batch_norm: bool = False,
        embedding_l2: float = 0.0,
        dense_l2: float = 0.0,
        **kwargs: Any,
    ):
        super().__init__(schema, **kwargs)
        self.embedding = self._make_embedding(embedding_dim, embeddings_initializer, embedding_l2)
        self.cross = CrossNetwork(
            num_cross_layers,
            kernel_regularizer=l2(dense_l2),
            dtype=self.dtype_policy,
            name="cross",
        )
        self.mlp = self._make_mlp(mlp_units, dropout, batch_norm, dense_l2)
        self.logit = self._make_logit(dense_l2)
        self.build()

    def call(self, inputs: Batch, training: bool = False) -> keras.KerasTensor:
        """Returns logits, (B, 1)."""
        fields = self.embedding(inputs)  # (B, m, d)
        flat = self._flatten(fields)  # (B, m * d)
        crossed = self.cross(flat)  # (B, m * d)
        deep = self.mlp(flat, training=training)  # (B, last of mlp_units)
        return self.logit(ops.concatenate([crossed, deep], axis=-1))  # (B, 1)
