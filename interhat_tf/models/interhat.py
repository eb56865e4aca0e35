"""InterHAt: hierarchical attention over feature interactions of rising order."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import keras
from keras import ops

from interhat_tf.errors import SettingError
from interhat_tf.layers import (
    AttentionalAggregation,
    CrossLayer,
    FeedForward,
    FieldAwareValues,
    MultiHeadSelfAttention,
    PairValues,
)
from interhat_tf.layers.dropout import Dropout
from interhat_tf.layers.order_pooling import PooledOrders, pool_orders
from interhat_tf.models.click_model import l2
from interhat_tf.models.explaining_model import Forward
from interhat_tf.models.output_mlp import make_hidden_layers
from interhat_tf.models.preset_model import PresetModel
from interhat_tf.models.score_scales import score_scales
from interhat_tf.ops import Tensor, weighted_sum
from interhat_tf.schema import Schema
from interhat_tf.utils.config import Activation, Initializer


@keras.saving.register_keras_serializable("interhat_tf")
class InterHAt(PresetModel):
    """InterHAt, a click-through-rate model that explains itself (Li et al., WSDM 2020).

    Fields are embedded, attend to one another in several heads, and are then
    pooled order by order: u_i aggregates the features X_i of order i
    (Equations 1 and 2), X_{i+1} = u_i * X_1 + X_i crosses them (Equation 3),
    and u_f aggregates u_1 ... u_k (Equations 4 and 5). A shallow MLP maps u_f to
    the logit. The weights of the aggregations are the explanation.

    With `value_dim`, u_f aggregates in place of the u_i sums of field-aware values
    (Equations 4 and 5 otherwise as they are), and the MLP starts with its activation:

        o_i = sum_j alpha_i[j] V_i[j] x_i[j],  u_f = sum_i alpha_f[i] o_i

    With `shared_values` all orders have the same V_i = V, so that one product makes u_f. With
    `pair_values` o_2 has a vector of each pair of fields too, times their inner product:

        o_2 += sum_{j < l} (alpha_2[j] + alpha_2[l]) <x_1[j], x_1[l]> w_jl

    The defaults are the authors' code, without penalties. `from_preset` gives the
    paper's printed equations as well, and what either is trained with.

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
        gated_attention: Whether the aggregations' scores pass a gate; see
            `AttentionalAggregation`. Defaults to `False`.
        score_batch_norm: Whether the aggregations' scores are of batch-normalised
            vectors. Defaults to `None`: with `value_dim`.
        value_dim: Size d' of the field-aware values. Defaults to `None`: there are
            none, as printed and as in the code.
        shared_values: Whether all orders have the same field-aware values. Defaults to
            `False`: each has its own.
        pair_values: Whether the second order has `PairValues` too. Without a second order, or
            of one field alone, there are none. Defaults to `False`.
        order_attention_size: Width of the attention over orders; `None` means
            `attention_size`. Defaults to 16.
        order_activation: Activation of the attention over orders. Defaults to
            `None`.
        mlp_units: Widths of the output MLP's hidden layers. Defaults to
            `(embedding_dim // 2,)`, and with values to `(value_dim,)`.
        mlp_bias: Whether the output MLP has biases. Defaults to `False`; with
            `mlp_batch_norm` the logit has one in any case.
        mlp_batch_norm: Whether the output MLP has batch normalisation. Defaults
            to `None`: with `value_dim`.
        contribution_base: What contributions are against: `"zero"`, or
            `"average"`, the average training record, which `adapt` takes in.
            Defaults to `None`: `"average"` with `value_dim`, otherwise `"zero"`.
        embeddings_initializer: Initializer of the embeddings. Defaults to
            `"glorot_uniform"`.
        dropout: Rate at which self-attention weights, the aggregation u_f and
            the MLP's hidden units are dropped in training. Defaults to 0.
        embedding_l2: L2 penalty l of the embeddings, `l * sum(w**2)`.
            Defaults to 0.
        aggregation_l2: L2 penalty of W and b of the aggregations of order 1 to
            k. Defaults to 0.
        dense_l2: L2 penalty of all other weights but the normalisations'.
            Defaults to 0.
        **kwargs: Arguments of `ClickModel`, such as `pooling` and `numerical_embedding`.

    It is called as every `ClickModel`.

    Raises:
        ValueError: If a size is less than 1, there is no such base, or `shared_values`
            or `pair_values` is set without `value_dim`.

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
        schema: Schema | Mapping[str, Any],
        *,
        embedding_dim: int = 12,
        num_heads: int = 4,
        key_dim: int | None = None,
        attention_size: int = 16,
        order: int = 3,
        self_attention: bool = True,
        attention_activation: Activation = "relu",
        attention_bias: bool = True,
        residual: bool = True,
        aggregation_bias: bool = True,
        gated_attention: bool = False,
        score_batch_norm: bool | None = None,
        value_dim: int | None = None,
        shared_values: bool = False,
        pair_values: bool = False,
        order_attention_size: int | None = 16,
        order_activation: Activation = None,
        mlp_units: Sequence[int] | None = None,
        mlp_bias: bool = False,
        mlp_batch_norm: bool | None = None,
        contribution_base: str | None = None,
        embeddings_initializer: Initializer = "glorot_uniform",
        dropout: float = 0.0,
        embedding_l2: float = 0.0,
        aggregation_l2: float = 0.0,
        dense_l2: float = 0.0,
        **kwargs: Any,
    ):
        super().__init__(schema, **kwargs)
        self.order = int(order)
        self.self_attention = self_attention
        for name, chosen in (("shared_values", shared_values), ("pair_values", pair_values)):
            if chosen and not value_dim:
                raise SettingError(f"{name} needs value_dim, the size of the values")
        self.shared_values = shared_values
        default_units = (value_dim or max(embedding_dim // 2, 1),)
        self.mlp_units = default_units if mlp_units is None else tuple(mlp_units)
        common: dict[str, Any] = {"dtype": self.dtype_policy}
        dense = {"kernel_regularizer": l2(dense_l2), **common}
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
                name="attention",
                **dense,
            )
            hidden = 4 * embedding_dim if residual else None
            self.feed_forward = FeedForward(hidden, name="feed_forward", **dense)
        scoring: dict[str, Any] = {
            "use_bias": aggregation_bias,
            "gated": gated_attention,
            "batch_norm": _or_with_values(score_batch_norm, value_dim),
            "context_regularizer": l2(dense_l2),
        }
        of_orders = {"kernel_regularizer": l2(aggregation_l2), **scoring, **common}
        self._make_orders(attention_size, of_orders, value_dim, pair_values, dense)
        self.order_aggregation = AttentionalAggregation(
            order_attention_size or attention_size,
            activation=order_activation,
            name="order_aggregation",
            **scoring,
            **dense,
        )
        self.dropout = Dropout(dropout, name="dropout", **common)
        mlp_batch_norm = _or_with_values(mlp_batch_norm, value_dim)
        self.mlp = self._make_output_mlp(bool(value_dim), mlp_batch_norm, mlp_bias, dense_l2)
        base = contribution_base or ("average" if value_dim else "zero")
        self._make_base(base, self.order, embedding_dim)
        self.build()

    def _make_orders(
        self,
        attention_size: int,
        arguments: dict[str, Any],
        value_dim: int | None,
        pair_values: bool,
        dense: dict[str, Any],
    ) -> None:
        """Creates what each order has: an aggregation, and values if there are any."""
        orders = range(1, self.order + 1)
        self.aggregations = [
            AttentionalAggregation(attention_size, name=f"aggregation_{i}", **arguments)
            for i in orders
        ]
        self.cross = CrossLayer(name="cross", dtype=self.dtype_policy)
        self.field_values = []
        if value_dim:
            own = orders if not self.shared_values else orders[:1]
            values = [FieldAwareValues(value_dim, name=f"field_values_{i}", **dense) for i in own]
            self.field_values = values * self.order if self.shared_values else values
            if pair_values and self.order > 1 and self.num_fields > 1:
                self.values_of_pairs = PairValues(value_dim, name="pair_values", **dense)

    def _make_output_mlp(
        self, activate_input: bool, batch_norm: bool, use_bias: bool, dense_l2: float
    ) -> list[keras.layers.Layer]:
        """Returns the layers that map u_f, (B, d'), to the logit, (B, 1)."""
        hidden_layers = make_hidden_layers(
            self.mlp_units,
            self.dropout,
            activate_input=activate_input,
            batch_norm=batch_norm,
            use_bias=use_bias,
            regularizer=l2(dense_l2),
            dtype=self.dtype_policy,
        )
        name = f"mlp_{len(self.mlp_units) + 1}"
        return [*hidden_layers, self._make_logit(dense_l2, use_bias or batch_norm, name)]

    def adapt_scores(self, batches: Iterable[Any]) -> None:
        """Lets batch-normalised scores begin with scales that fit how far values are from another.

        They are those of `score_scales`, in place of 1. A value that one record in a thousand
        has is 30 standard deviations from what its field mostly is. With scales of 1 its scores
        would be so large that the softmax has no gradient: an order would attend to that field
        alone where it has this value, or an unknown one, and learn nothing else.

        `training.train` calls it before the first step; before Keras' `fit` it is yours to
        call, after `adapt_numbers`. It changes an untrained model alone, and nothing without
        `score_batch_norm`.

        Args:
            batches: Batches of training records, with labels or without.

        Raises:
            ValueError: If there is no record, or features are not finite.
        """
        if not self.aggregations[0].batch_norm:
            return
        scales = score_scales(self, batches)  # (k, m)
        for aggregation, of_order in zip(self.aggregations, scales, strict=True):
            aggregation.scale_scores(of_order)

    def get_config(self) -> dict[str, Any]:
        """Returns the arguments of the model."""
        return {**super().get_config(), "mlp_units": self.mlp_units}

    def forward(
        self,
        fields: Tensor,
        training: bool = False,
        return_heads: bool = False,
        field_weights: Tensor | None = None,
        order_weights: Tensor | None = None,
    ) -> Forward:
        """Returns the logits of embedded fields, and what they were made of."""
        first, heads = self._attend(fields, training, return_heads)  # X_1, (B, m, d)
        pooled = pool_orders(self.aggregations, self.cross, first, field_weights, training)
        weights = None if order_weights is None else ops.expand_dims(order_weights, 0)  # (1, k)
        output, alpha_f = self._aggregate_orders(pooled, weights, training)
        hidden = output  # u_f, (B, d'); alpha_f is (B, k)  (Equations 4 and 5)
        for layer in self.mlp:
            hidden = layer(hidden, training=training)  # (B, units), at last (B, 1)
        return Forward(
            hidden, output, alpha_f, pooled.weights, pooled.orders, pooled.features, fields, heads
        )

    def _aggregate_orders(
        self, pooled: PooledOrders, weights: Tensor | None, training: bool
    ) -> tuple[Tensor, Tensor]:
        """Returns u_f, (B, d) or (B, d'), and alpha_f, (B, k)  (Equations 4 and 5)."""
        if not self.field_values:
            return self.order_aggregation(pooled.orders, weights, training=training)
        if self.shared_values:
            _, alpha_f = self.order_aggregation(pooled.orders, weights, training=training)
            total = weighted_sum(alpha_f, pooled.terms, training)  # (B, m, d)
            output = self.field_values[0](total)  # (B, d')
            return self._with_pairs(output, alpha_f, pooled, training), alpha_f
        # Before the weights: layers draw their first weights in the order of their first calls.
        values = [of_order(t) for of_order, t in zip(self.field_values, pooled.terms, strict=True)]
        _, alpha_f = self.order_aggregation(pooled.orders, weights, training=training)
        output = weighted_sum(alpha_f, values, training)  # (B, d')
        return self._with_pairs(output, alpha_f, pooled, training), alpha_f  # (B, d'), (B, k)

    def _with_pairs(
        self, output: Tensor, alpha_f: Tensor, pooled: PooledOrders, training: bool
    ) -> Tensor:
        """Returns u_f, (B, d'), with the second order's values of pairs."""
        if self.values_of_pairs is None:
            return output
        first, alpha = pooled.features[0], pooled.weights[1]  # (B, m, d), (B, m)
        of_pairs = self.values_of_pairs(first, alpha, training=training)  # (B, d')
        return output + alpha_f[:, 1:2] * of_pairs

    def _attend(
        self, fields: Tensor, training: bool, return_heads: bool
    ) -> tuple[Tensor, Tensor | None]:
        """Returns X_1, (B, m, d), and on request the attention weights that led to it."""
        if not self.self_attention:
            return fields, None
        if not return_heads:
            return self.feed_forward(self.attention(fields, training=training)), None
        fields, heads = self.attention(fields, training=training, return_attention=True)
        return self.feed_forward(fields), heads  # (B, m, d), (B, h, m, m)


def _or_with_values(choice: bool | None, value_dim: int | None) -> bool:
    """Returns a choice, of which `None` leaves it to whether there are field-aware values."""
    return bool(value_dim) if choice is None else choice
