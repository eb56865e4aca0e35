"""InterHAt: hierarchical attention over feature interactions of rising order."""

from typing import Any

import keras
from keras import ops

from interhat_tf.layers import (
    AttentionalAggregation,
    CrossLayer,
    FeedForward,
    MultiHeadSelfAttention,
)
from interhat_tf.models.click_model import ClickModel, l2
from interhat_tf.models.rescale import multipliers

_RELEASED = {
    "attention_activation": "relu",
    "attention_bias": True,
    "residual": True,
    "aggregation_bias": True,
    "order_attention_size": 16,
    "order_activation": None,
    "mlp_bias": False,
}

PRESETS = {
    # The equations as printed (Sections 3.1 to 3.4); Section 3.4's "shallow MLP"
    # has no sizes, so it takes the released code's, with the usual biases.
    "paper": {
        "attention_activation": None,
        "attention_bias": False,
        "residual": False,
        "aggregation_bias": False,
        "order_attention_size": None,
        "order_activation": "relu",
        "mlp_bias": True,
    },
    # The authors' code, which differs from their equations in every line.
    "released": _RELEASED,
    # The structure of the code, with sizes searched on Frappe's validation. Table 3's experiment
    # found a setting with a little more AUC there, of linear attention without biases, which
    # spreads its weights over more fields.
    "tuned": {
        **_RELEASED,
        "embedding_dim": 32,
        "attention_size": 32,
        "num_heads": 2,
        "order": 3,
        "embedding_l2": 5e-3,
    },
}
"""The named forms of InterHAt; sizes and penalties of the first two are the data set's."""


@keras.saving.register_keras_serializable("interhat_tf")
class InterHAt(ClickModel):
    """InterHAt, a click-through-rate model that explains itself (Li et al., WSDM 2020).

    Fields are embedded, attend to one another in several heads, and are then
    pooled order by order: u_i aggregates the features X_i of order i
    (Equations 1 and 2), X_{i+1} = u_i * X_1 + X_i crosses them (Equation 3),
    and u_f aggregates u_1 ... u_k (Equations 4 and 5). A shallow MLP maps u_f to
    the logit. The weights of the aggregations are the explanation.

    The defaults are the preset `released`, the authors' code; `from_preset`
    gives the paper's printed equations.

    Args:
        schema: The record's `Schema`, or what its `to_dict` returned.
        embedding_dim: Embedding size d. Defaults to 12.
        num_heads: Number of self-attention heads h. Defaults to 4.
        key_dim: Width d_K of each head. Defaults to `attention_size`, as in the
            released code.
        attention_size: Width s of the aggregations' attention space. Defaults
            to 16.
        order: Highest order of feature interaction k, at least 1. Defaults to 3.
        self_attention: Whether there is a self-attention layer; without it the
            model is the ablation InterHAt-S. Defaults to `True`.
        attention_activation: Activation of the self-attention's projections.
            Defaults to `"relu"`.
        attention_bias: Whether those projections have biases. Defaults to `True`.
        residual: Whether the self-attention layer has residual paths, layer
            norms and a feed-forward layer of 4d units; otherwise
            `X_1 = ReLU(FeedForward(W_m H))`, as printed. Defaults to `True`.
        aggregation_bias: Whether the aggregations' projections have biases.
            Defaults to `True`.
        order_attention_size: Width of the attention over orders; `None` means
            `attention_size`. Defaults to 16.
        order_activation: Activation of the attention over orders. Defaults to
            `None`.
        mlp_units: Widths of the output MLP's hidden layers. Defaults to
            `(embedding_dim // 2,)`.
        mlp_bias: Whether the output MLP has biases. Defaults to `False`.
        embeddings_initializer: Initializer of the embeddings. Defaults to
            `"glorot_uniform"`.
        dropout: Rate at which self-attention weights, the aggregation u_f and
            the MLP's hidden units are dropped in training. Defaults to 0.
        embedding_l2: L2 penalty l of the embeddings, `l * sum(w**2)`.
            Defaults to 0.
        aggregation_l2: L2 penalty of W and b of the aggregations of order 1 to
            k. Defaults to 0.
        dense_l2: L2 penalty of all other weights but the layer norms'.
            Defaults to 0.
        **kwargs: Arguments of `keras.Model`.

    Call arguments:
        inputs: Dictionary of `categorical`, (B, C) ids, and `numerical`, (B, N)
            floats, as the schema has them.
        training: Whether dropout is active.

    Returns:
        Logits, (B, 1).

    Raises:
        ValueError: If `order` is less than 1.

    Example:

    >>> from interhat_tf import Field, Schema
    >>> schema = Schema([Field("user", "categorical", 9), Field("price", "numerical")])
    >>> model = InterHAt(schema, order=2)
    >>> batch = {"categorical": ops.array([[4], [2]]), "numerical": ops.array([[0.3], [0.1]])}
    >>> model(batch).shape
    TensorShape([2, 1])
    >>> model.explain(batch)["field_weights"].shape
    TensorShape([2, 2, 2])
    """

    def __init__(
        self,
        schema,
        *,
        embedding_dim=12,
        num_heads=4,
        key_dim=None,
        attention_size=16,
        order=3,
        self_attention=True,
        attention_activation="relu",
        attention_bias=True,
        residual=True,
        aggregation_bias=True,
        order_attention_size=16,
        order_activation=None,
        mlp_units=None,
        mlp_bias=False,
        embeddings_initializer="glorot_uniform",
        dropout=0.0,
        embedding_l2=0.0,
        aggregation_l2=0.0,
        dense_l2=0.0,
        **kwargs,
    ):
        if order < 1:
            raise ValueError(
                f"order, the highest order of interaction k, must be >= 1, got {order}"
            )
        super().__init__(schema, **kwargs)
        mlp_units = (max(embedding_dim // 2, 1),) if mlp_units is None else tuple(mlp_units)
        self.mlp_units = mlp_units
        self.order = int(order)
        self.self_attention = self_attention
        dense_regularizer = l2(dense_l2)
        self.embedding = self._make_embedding(embedding_dim, embeddings_initializer, embedding_l2)
        if self_attention:
            self.attention = MultiHeadSelfAttention(
                num_heads,
                key_dim or attention_size,
                activation=attention_activation,
                use_bias=attention_bias,
                residual=residual,
                layer_norm=residual,
                dropout=dropout,
                kernel_regularizer=dense_regularizer,
                dtype=self.dtype_policy,
                name="attention",
            )
            self.feed_forward = FeedForward(
                4 * embedding_dim if residual else None,
                kernel_regularizer=dense_regularizer,
                dtype=self.dtype_policy,
                name="feed_forward",
            )
        self.aggregations = [
            AttentionalAggregation(
                attention_size,
                use_bias=aggregation_bias,
                kernel_regularizer=l2(aggregation_l2),
                context_regularizer=dense_regularizer,
                dtype=self.dtype_policy,
                name=f"aggregation_{i}",
            )
            for i in range(1, order + 1)
        ]
        self.cross = CrossLayer(dtype=self.dtype_policy, name="cross")
        self.order_aggregation = AttentionalAggregation(
            order_attention_size or attention_size,
            activation=order_activation,
            use_bias=aggregation_bias,
            kernel_regularizer=dense_regularizer,
            context_regularizer=dense_regularizer,
            dtype=self.dtype_policy,
            name="order_aggregation",
        )
        self.dropout = keras.layers.Dropout(dropout, dtype=self.dtype_policy, name="dropout")
        self.mlp = [
            keras.layers.Dense(
                units,
                activation="relu" if i < len(mlp_units) else None,
                use_bias=mlp_bias,
                kernel_regularizer=dense_regularizer,
                bias_regularizer=dense_regularizer,
                dtype=self.dtype_policy if i < len(mlp_units) else self.logit_dtype,
                name=f"mlp_{i + 1}",
            )
            for i, units in enumerate((*mlp_units, 1))
        ]
        self.build()

    @classmethod
    def from_preset(cls, preset, schema, **arguments):
        """Builds one of the named forms of the model.

        Args:
            preset: `"paper"`, the printed equations; `"released"`, the authors'
                code; or `"tuned"`, with larger sizes.
            schema: The record's `Schema`.
            **arguments: Arguments of `InterHAt`, which win over the preset's.

        Returns:
            The model.

        Raises:
            ValueError: If there is no such preset.
        """
        if preset not in PRESETS:
            raise ValueError(f"unknown preset {preset!r}; there are: {', '.join(PRESETS)}")
        return cls(schema, **{**PRESETS[preset], **arguments})

    def call(self, inputs, training=False):
        """Returns logits, (B, 1)."""
        return self._predict_embedded(self.embedding(inputs), training)[0]

    def explain(self, inputs, return_heads=False):
        """Returns the prediction and the attentions that made it, from one forward pass.

        The contributions say which way each field of each order moves the
        logit: with `u_f = sum_i alpha_f[i] sum_j alpha_i[j] x_i[j]` they are the
        shares of the MLP's output that `attribution.multipliers` gives to the
        terms of that sum. Together with the bias they add up to the logit.

        Args:
            inputs: As for calling the model.
            return_heads: Whether the self-attention maps are returned as well,
                h * m * m numbers a record. Defaults to `False`.

        Returns:
            Dictionary of `logits`, (B,); `order_weights`, alpha_f of Equation 5,
            (B, k); `field_weights`, alpha_1 ... alpha_k of Equation 2,
            (B, k, m); `contributions`, (B, k, m); `bias`, the logit of u_f = 0,
            (B,); and with `return_heads`, for a model with self-attention,
            `heads`, (B, h, m, m), rows being queries. Fields are in the order
            of `schema.field_names`.
        """
        logits, inner = self._predict_embedded(
            self.embedding(inputs), training=False, return_heads=return_heads
        )
        field_weights = ops.stack(inner["field_weights"], axis=1)  # (B, k, m)
        values, bias = multipliers(self.mlp, ops.cast(inner["output"], self.logit_dtype))  # (B, d)
        alignments = [
            ops.einsum("bmd,bd->bm", ops.cast(features, self.logit_dtype), values)  # (B, m)
            for features in inner["features"]
        ]
        shares = ops.expand_dims(inner["order_weights"], -1) * field_weights  # (B, k, m)
        logits = ops.squeeze(logits, -1)  # (B,)
        explanation = {
            "logits": logits,
            "order_weights": inner["order_weights"],
            "field_weights": field_weights,
            "contributions": ops.cast(shares, self.logit_dtype) * ops.stack(alignments, axis=1),
            "bias": ops.zeros_like(logits) + bias,
        }
        if "heads" in inner:
            explanation["heads"] = inner["heads"]
        return explanation

    def get_config(self) -> dict[str, Any]:
        """Returns the arguments of the model."""
        return {**super().get_config(), "mlp_units": self.mlp_units}

    def predict_embedded(self, fields):
        """Returns the logits, (B, 1), of records whose fields are embedded already, (B, m, d).

        For attributions that take gradients; `self.embedding(inputs)` embeds.
        """
        return self._predict_embedded(fields, training=False)[0]

    def _predict_embedded(self, fields, training, return_heads=False):
        """Returns the logits, (B, 1), and what they were made of, for `explain`."""
        inner = {"field_weights": [], "features": []}
        if self.self_attention:
            fields = self.attention(
                fields, training=training, return_attention=return_heads
            )  # (B, m, d)
            if return_heads:
                fields, inner["heads"] = fields  # (B, m, d), (B, h, m, m)
            fields = self.feed_forward(fields)  # (B, m, d)
        first_order = current_order = fields
        aggregations = []
        for i, aggregate in enumerate(self.aggregations):
            if i:
                current_order = self.cross(aggregations[-1], first_order, current_order)
            aggregation, weights = aggregate(current_order)  # (B, d), (B, m)
            aggregations.append(aggregation)
            inner["field_weights"].append(weights)
            inner["features"].append(current_order)
        inner["output"], inner["order_weights"] = self.order_aggregation(
            ops.stack(aggregations, axis=1)  # (B, k, d)
        )  # (B, d), (B, k)
        output = self.dropout(inner["output"], training=training)
        for layer in self.mlp[:-1]:
            output = self.dropout(layer(output), training=training)
        return self.mlp[-1](output), inner  # (B, 1)
