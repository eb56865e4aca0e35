"""InterHAt: hierarchical attention over feature interactions of rising order."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import keras
from keras import ops

from interhat_tf.layers import (
    AttentionalAggregation,
    CrossLayer,
    FeedForward,
    MultiHeadSelfAttention,
)
from interhat_tf.models.click_model import ClickModel, l2
from interhat_tf.models.presets import hyperparameters
from interhat_tf.models.rescale import multipliers
from interhat_tf.schema import Batch, Schema
from interhat_tf.utils.config import Initializer
from interhat_tf.utils.threads import prepare_for_microbatches

Activation = str | Callable | None


@keras.saving.register_keras_serializable("interhat_tf")
class InterHAt(ClickModel):
    """InterHAt, a click-through-rate model that explains itself (Li et al., WSDM 2020).

    Fields are embedded, attend to one another in several heads, and are then
    pooled order by order: u_i aggregates the features X_i of order i
    (Equations 1 and 2), X_{i+1} = u_i * X_1 + X_i crosses them (Equation 3),
    and u_f aggregates u_1 ... u_k (Equations 4 and 5). A shallow MLP maps u_f to
    the logit. The weights of the aggregations are the explanation.

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

    It is called as every `ClickModel`.

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
        order_attention_size: int | None = 16,
        order_activation: Activation = None,
        mlp_units: Sequence[int] | None = None,
        mlp_bias: bool = False,
        embeddings_initializer: Initializer = "glorot_uniform",
        dropout: float = 0.0,
        embedding_l2: float = 0.0,
        aggregation_l2: float = 0.0,
        dense_l2: float = 0.0,
        **kwargs: Any,
    ):
        if order < 1:
            raise ValueError(
                f"order, the highest order of interaction k, must be >= 1, got {order}"
            )
        super().__init__(schema, **kwargs)
        self.order = int(order)
        self.self_attention = self_attention
        self.mlp_units = (max(embedding_dim // 2, 1),) if mlp_units is None else tuple(mlp_units)
        dtype, dense = self.dtype_policy, {"kernel_regularizer": l2(dense_l2)}
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
                dtype=dtype,
                name="attention",
                **dense,
            )
            hidden = 4 * embedding_dim if residual else None
            self.feed_forward = FeedForward(hidden, dtype=dtype, name="feed_forward", **dense)
        self.aggregations = [
            AttentionalAggregation(
                attention_size,
                use_bias=aggregation_bias,
                kernel_regularizer=l2(aggregation_l2),
                context_regularizer=l2(dense_l2),
                dtype=dtype,
                name=f"aggregation_{i}",
            )
            for i in range(1, self.order + 1)
        ]
        self.cross = CrossLayer(dtype=dtype, name="cross")
        self.order_aggregation = AttentionalAggregation(
            order_attention_size or attention_size,
            activation=order_activation,
            use_bias=aggregation_bias,
            context_regularizer=l2(dense_l2),
            dtype=dtype,
            name="order_aggregation",
            **dense,
        )
        self.dropout = keras.layers.Dropout(dropout, dtype=dtype, name="dropout")
        self.mlp = self._make_output_mlp(mlp_bias, dense_l2)
        self.build()

    def _make_output_mlp(self, use_bias: bool, l2_strength: float) -> list[keras.layers.Dense]:
        hidden = [
            keras.layers.Dense(
                units,
                activation="relu",
                use_bias=use_bias,
                kernel_regularizer=l2(l2_strength),
                bias_regularizer=l2(l2_strength),
                dtype=self.dtype_policy,
                name=f"mlp_{i}",
            )
            for i, units in enumerate(self.mlp_units, start=1)
        ]
        return [*hidden, self._make_logit(l2_strength, use_bias, name=f"mlp_{len(hidden) + 1}")]

    @classmethod
    def from_preset(
        cls,
        preset: str,
        schema: Schema | Mapping[str, Any],
        dataset: str | None = None,
        rows: int | None = None,
        **arguments: Any,
    ) -> "InterHAt":
        """Builds one of the named forms of the model, with what it is trained with.

        The model's `training_settings` are the preset's: `training.train` takes
        them if it is given no others. If they have microbatches, and TensorFlow
        has not been at work in this process, it uses one thread an operation from
        now on; see `utils.threads`.

        Args:
            preset: `"paper"`, the printed equations with the printed penalty;
                `"paper_searched"`, with a penalty that was searched;
                `"released"`, the authors' code; or `"tuned"`, with larger sizes.
            schema: The record's `Schema`.
            dataset: Name of the data set that sizes, penalties and training
                settings are for, such as `"criteo"`; see `presets.DATASETS`.
                Defaults to `None`: as any other name, Frappe's sizes and
                penalties.
            rows: Number of training records, `data.num_rows("train")` of a
                prepared data set: all presets but `"released"` divide penalties
                by it. Defaults to `None`, the data set's in the paper's tables,
                Frappe's for any other name.
            **arguments: Arguments of `InterHAt`, which win over the preset's.

        Returns:
            The model.

        Raises:
            ValueError: If there is no such preset, or `rows` is less than 1.

        Example:

        >>> from interhat_tf import Field, Schema
        >>> schema = Schema([Field("user", "categorical", 9)])
        >>> model = InterHAt.from_preset("released", schema, dataset="criteo", order=2)
        >>> model.training_settings
        {'microbatch_size': 256, 'beta_2': 0.98}
        """
        defaults, training = hyperparameters(dataset, preset, rows=rows)
        if "microbatch_size" in training and not arguments.get("dropout"):
            prepare_for_microbatches()
        model = cls(schema, **{**defaults, **arguments})
        model.training_settings = training
        return model

    def call(self, inputs: Batch, training: bool = False) -> keras.KerasTensor:
        """Returns logits, (B, 1)."""
        return self._predict_embedded(self.embedding(inputs), training).logits

    def predict_embedded(self, fields: keras.KerasTensor) -> keras.KerasTensor:
        """Returns the logits, (B, 1), of records whose fields are embedded already, (B, m, d).

        For attributions that take gradients; `self.embedding(inputs)` embeds.
        """
        return self._predict_embedded(fields, training=False).logits

    def explain(self, inputs: Batch, return_heads: bool = False) -> dict[str, keras.KerasTensor]:
        """Returns the prediction and the attentions that made it, from one forward pass.

        The contributions say which way each field of each order moves the
        logit: with `u_f = sum_i alpha_f[i] sum_j alpha_i[j] x_i[j]` they are the
        shares of the MLP's output that `rescale.multipliers` gives to the
        terms of that sum. Together with the bias they add up to the logit.

        Args:
            inputs: As for calling the model.
            return_heads: Whether the self-attention's weights are returned as
                well, h * m * m numbers a record. Defaults to `False`.

        Returns:
            Dictionary of `logits`, (B,); `order_weights`, alpha_f of Equation 5,
            (B, k); `field_weights`, alpha_1 ... alpha_k of Equation 2,
            (B, k, m); `contributions`, (B, k, m); `bias`, the logit of u_f = 0,
            (B,); and with `return_heads`, for a model with self-attention,
            `heads`, (B, h, m, m), rows being queries. Fields are in the order
            of `schema.field_names`.
        """
        found = self._predict_embedded(self.embedding(inputs), False, return_heads)
        field_weights = ops.stack(found.field_weights, axis=1)  # (B, k, m)
        values, bias = multipliers(self.mlp, ops.cast(found.output, self.logit_dtype))  # (B, d)
        alignments = [
            ops.einsum("bmd,bd->bm", ops.cast(features, self.logit_dtype), values)  # (B, m)
            for features in found.features
        ]
        shares = ops.expand_dims(found.order_weights, -1) * field_weights  # (B, k, m)
        logits = ops.squeeze(found.logits, -1)  # (B,)
        explanation = {
            "logits": logits,
            "order_weights": found.order_weights,
            "field_weights": field_weights,
            "contributions": ops.cast(shares, self.logit_dtype) * ops.stack(alignments, axis=1),
            "bias": ops.zeros_like(logits) + bias,
        }
        return explanation if found.heads is None else {**explanation, "heads": found.heads}

    def get_config(self) -> dict[str, Any]:
        """Returns the arguments of the model."""
        return {**super().get_config(), "mlp_units": self.mlp_units}

    def _predict_embedded(
        self, fields: keras.KerasTensor, training: bool, return_heads: bool = False
    ) -> "_Forward":
        """Returns the logits, and what they were made of, for `explain`."""
        first, heads = self._attend(fields, training, return_heads)  # X_1, (B, m, d)
        features, aggregations, field_weights = [first], [], []
        for i, aggregate in enumerate(self.aggregations):
            if i:  # X_{i+1} = u_i * X_1 + X_i  (Equation 3)
                features.append(self.cross(aggregations[-1], first, features[-1]))  # (B, m, d)
            u, alpha = aggregate(features[-1])  # (B, d), (B, m)  (Equations 1 and 2)
            aggregations.append(u)
            field_weights.append(alpha)
        orders = ops.stack(aggregations, axis=1)  # (B, k, d)
        output, order_weights = self.order_aggregation(orders)  # u_f, alpha_f  (Equations 4 and 5)
        hidden = self.dropout(output, training=training)  # (B, d)
        for layer in self.mlp[:-1]:
            hidden = self.dropout(layer(hidden), training=training)  # (B, units)
        logits = self.mlp[-1](hidden)  # (B, 1)
        return _Forward(logits, output, order_weights, field_weights, features, heads)

    def _attend(
        self, fields: keras.KerasTensor, training: bool, return_heads: bool
    ) -> tuple[keras.KerasTensor, keras.KerasTensor | None]:
        """Returns X_1, (B, m, d), and on request the attention weights that led to it."""
        if not self.self_attention:
            return fields, None
        if not return_heads:
            return self.feed_forward(self.attention(fields, training=training)), None
        fields, heads = self.attention(fields, training=training, return_attention=True)
        return self.feed_forward(fields), heads  # (B, m, d), (B, h, m, m)


class _Forward(NamedTuple):
    """What a forward pass has computed."""

    logits: keras.KerasTensor  # (B, 1)
    output: keras.KerasTensor  # u_f, (B, d)
    order_weights: keras.KerasTensor  # alpha_f, (B, k)
    field_weights: list[keras.KerasTensor]  # alpha_1 ... alpha_k, (B, m) each
    features: list[keras.KerasTensor]  # X_1 ... X_k, (B, m, d) each
    heads: keras.KerasTensor | None  # (B, h, m, m)
