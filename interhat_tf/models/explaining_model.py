"""What makes a model of attentional aggregations explain itself."""

from abc import abstractmethod
from collections.abc import Iterable
from typing import Any, NamedTuple

import keras
import numpy as np
from keras import ops

from interhat_tf.errors import DataError
from interhat_tf.layers import FieldAwareValues, FieldEmbedding, PairValues
from interhat_tf.layers.value_pooling import ATTENTION
from interhat_tf.models.attention_worth import Evaluate, attention_worth
from interhat_tf.models.click_model import ClickModel
from interhat_tf.models.effects_model import Description
from interhat_tf.models.rescale import multipliers
from interhat_tf.ops import Shape, Tensor
from interhat_tf.schema import Batch
from interhat_tf.utils.limits import check_choice


class Forward(NamedTuple):
    """What a forward pass has computed."""

    logits: Tensor  # (B, 1)
    output: Tensor  # u_f, (B, d')
    order_weights: Tensor  # alpha_f, (B, k)
    field_weights: list[Tensor]  # alpha_1 ... alpha_k, (B, m) each
    aggregations: Tensor  # u_1 ... u_k, (B, k, d)
    features: list[Tensor]  # X_1 ... X_k, (B, m, d) each
    fields: Tensor  # X_0, (B, m, d)
    heads: Tensor | None  # (B, h, m, m)


class Terms(NamedTuple):
    """What u_f is a sum of, before the values."""

    of_fields: Tensor  # alpha_f[i] alpha_i[j] x_i[j], (B, k, m, d)
    of_pairs: Tensor | None = None  # alpha_f[2] alpha_2[j] <x_1[j], x_1[l]>, (B, m, m)


class ExplainingModel(ClickModel):
    """A `ClickModel` whose logit is an MLP of a sum over orders and fields.

        logit = g(u_f),  u_f = sum_i alpha_f[i] sum_j alpha_i[j] V_i[j] x_i[j]

    A subclass makes `embedding`, the MLP g as a list of layers, `mlp`, and a list
    of one layer of values V an order, `field_values`, empty if there is no V; if pairs of
    fields have values, too, which the second order sums up, their layer, `values_of_pairs`.
    Its `forward` computes all that is in the sum.

    Args:
        schema: The record's `Schema`, or what its `to_dict` returned.
        **kwargs: Arguments of `ClickModel`, such as `pooling` and `numerical_embedding`.
    """

    embedding: FieldEmbedding
    mlp: list[keras.layers.Layer]
    field_values: list[FieldAwareValues]
    values_of_pairs: PairValues | None = None
    average_terms: keras.Variable | None = None
    average_pairs: keras.Variable | None = None
    default_pooling = ATTENTION

    @abstractmethod
    def forward(
        self,
        fields: Tensor,
        training: bool = False,
        return_heads: bool = False,
        field_weights: Tensor | None = None,
        order_weights: Tensor | None = None,
    ) -> Forward:
        """Returns the logits of embedded fields, (B, m, d), and what they were made of.

        Weights that are given, (k, m) and (k,), take the place of the
        aggregations' own in all records.
        """

    def call(self, inputs: Batch, training: bool = False) -> Tensor:
        """Returns logits, (B, 1)."""
        return self.forward(self.embedding(inputs), training).logits

    def predict_embedded(self, fields: Tensor) -> Tensor:
        """Returns the logits, (B, 1), of records whose fields are embedded already, (B, m, d).

        For attributions that take gradients; `self.embedding(inputs)` embeds.
        """
        return self.forward(fields).logits

    def explain(self, inputs: Batch, return_heads: bool = False) -> dict[str, Tensor]:
        """Returns the prediction and the attentions that made it, from one forward pass.

        The contributions say which way each field of each order moves the
        logit, against what it is for a base. They are the shares of the MLP's
        output that `rescale.multipliers` gives to the terms of the sum u_f, less
        the base's terms: those of the average training record, or zeros. Together
        with the bias they add up to the logit. A model that computes in bfloat16 or
        float16 has them in float32, with its logit's rounding shared between them.

        Args:
            inputs: As for calling the model.
            return_heads: Whether the self-attention's weights are returned as
                well, h * m * m numbers a record. Defaults to `False`.

        Returns:
            Dictionary of `logits`, (B,); `order_weights`, alpha_f of Equation 5,
            (B, k); `field_weights`, alpha_1 ... alpha_k of Equation 2,
            (B, k, m); `contributions`, (B, k, m); `bias`, the logit of the base,
            (B,); and with `return_heads`, for a model with self-attention,
            `heads`, (B, h, m, m), rows being queries; where there are multivalued fields,
            `value_weights`, (B, L), how much each value has in its field's vector, see
            `layers.ValuePooling`; and what an effect head
            estimates, if there is one, as `explain_effects` has it. Fields are in the
            order of `schema.field_names`. Against an average record that `adapt` has
            not met yet, contributions and bias are not a number.
        """
        self.check_inputs(inputs)
        found = self.forward(self.embedding(inputs), return_heads=return_heads)
        contributions, bias = self._contributions(found)
        logits = ops.squeeze(found.logits, -1)  # (B,)
        explanation = {
            "logits": logits,
            "order_weights": found.order_weights,
            "field_weights": ops.stack(found.field_weights, axis=1),  # (B, k, m)
            "contributions": contributions,
            "bias": ops.zeros_like(logits) + bias,
        }
        if self.schema.multivalued:
            explanation["value_weights"] = self.embedding.value_weights(inputs)  # (B, L)
        if self.effect_head is not None:
            explanation |= self.effect_head(*self.effect_inputs(found))
        return explanation if found.heads is None else {**explanation, "heads": found.heads}

    def describe(self, inputs: Batch) -> Description:
        """Returns the logits of records, and what an effect head reads: u_1 ... u_k and u_f too."""
        found = self.forward(self.embedding(inputs))
        return Description(found.logits, *self.effect_inputs(found))

    def effect_inputs(self, found: Forward) -> tuple[Tensor, Tensor]:
        """Returns what an `EffectHead` reads of a pass: X_0, (B, m, d), and a summary, (B, c).

        The summary is [u_1; ...; u_k; u_f; logit].
        """
        _, order, dim = found.aggregations.shape
        orders = ops.reshape(found.aggregations, (-1, order * dim))  # (B, k * d)
        return found.fields, ops.concatenate([orders, found.output, found.logits], axis=-1)

    def adapt(self, batches: Iterable[Any]) -> None:
        """Takes in the average of training records that contributions are against.

        `training.train` calls it once the best weights are in place; after Keras'
        `fit` it is yours to call. A model whose base is zero needs no average.

        Args:
            batches: Batches of training records, with labels or without. Where they have
                weights behind the labels, the average is the weighted one.

        Raises:
            ValueError: If there is no record.
        """
        if self.average_terms is None:
            return
        totals: list[Any] = [0.0, 0.0]
        weight = 0.0
        for batch in batches:
            inputs, _, weights = keras.utils.unpack_x_y_sample_weight(batch)
            terms = self._terms(self.forward(self.embedding(inputs)))
            arrays = [ops.convert_to_numpy(t) for t in terms if t is not None]  # of B each
            given = np.ones(len(arrays[0])) if weights is None else weights
            of_records = np.asarray(given, "float64")  # (B,)
            weight += of_records.sum()
            for i, array in enumerate(arrays):
                totals[i] += np.tensordot(of_records, array, axes=1)
        if not weight:
            raise DataError("adapt needs at least one training record, got none")
        self.average_terms.assign(totals[0] / weight)
        if self.average_pairs is not None:
            self.average_pairs.assign(totals[1] / weight)

    def diagnose(self, batches: Iterable[Any], evaluate: Evaluate) -> dict[str, Any]:
        """Finds out what attention is worth to the model; see `attention_worth`.

        `training.train` calls it with validation batches; after Keras' `fit` it
        is yours to call. What is found is the model's `diagnosis` from now on:
        explanations say it.

        Args:
            batches: Batches of inputs and labels that can be read several times.
            evaluate: `training.evaluate_batches`.

        Returns:
            The `diagnosis`, a dictionary with an entry `attention`.
        """
        worth = attention_worth(self, batches, evaluate)
        self.diagnosis = {**self.diagnosis, "attention": worth}
        return self.diagnosis

    def _make_base(self, contribution_base: str, order: int, embedding_dim: int) -> None:
        """Creates the weight that `adapt` fills, if contributions are against an average."""
        check_choice("contribution_base", contribution_base, ("average", "zero"))
        if contribution_base == "zero":
            return
        self.average_terms = self._make_average(
            "average_terms", (order, self.num_fields, embedding_dim)
        )
        if self.values_of_pairs is not None:
            shape = (self.num_fields, self.num_fields)
            self.average_pairs = self._make_average("average_pairs", shape)

    def _make_average(self, name: str, shape: Shape) -> keras.Variable:
        return self.add_weight(
            name=name,
            shape=shape,
            initializer=keras.initializers.Constant(float("nan")),
            dtype=self.logit_dtype,
            autocast=False,
            trainable=False,
        )

    def _contributions(self, found: Forward) -> tuple[Tensor, Tensor]:
        """Returns what each field adds in each order, (B, k, m), and the base's logit."""
        terms = self._terms(found)
        base = ops.zeros((1, found.output.shape[-1]), self.logit_dtype)  # (1, d')
        if self.average_terms is not None:
            averages = [self.average_terms, self.average_pairs]
            average = Terms(*(a if a is None else ops.expand_dims(a.value, 0) for a in averages))
            terms, base = _minus(terms, average), self._sum(average)  # (1, d')
        narrow = self.compute_dtype != self.logit_dtype
        # Rounded to a narrower type, u_f is no longer exactly the sum of its terms.
        output = self._sum(terms) + base if narrow else found.output  # (B, d')
        shares, bias = multipliers(self.mlp, output, base)  # (B, d')
        contributions = self._shares_of(terms, shares)
        if narrow:
            contributions = _with_rounding(contributions, ops.squeeze(found.logits, -1) - bias)
        return contributions, bias

    def _terms(self, found: Forward) -> Terms:
        order_weights, field_weights, features = (
            ops.cast(factor, self.logit_dtype)
            for factor in (
                ops.expand_dims(found.order_weights, -1),
                ops.stack(found.field_weights, axis=1),
                ops.stack(found.features, axis=1),
            )
        )
        weights = order_weights * field_weights  # (B, k, m)
        of_fields = ops.expand_dims(weights, -1) * features
        if self.values_of_pairs is None:
            return Terms(of_fields)
        return Terms(of_fields, self.values_of_pairs.terms(features[:, 0], weights[:, 1]))

    def _sum(self, terms: Terms) -> Tensor:
        """Returns the sum u_f of its terms, (B, d')."""
        if not self.field_values:
            return ops.sum(terms.of_fields, axis=(1, 2))
        pairs = zip(self.field_values, ops.unstack(terms.of_fields, axis=1), strict=True)
        total = sum(values.sum(of_order) for values, of_order in pairs)
        if self.values_of_pairs is None:
            return total
        return total + self.values_of_pairs.sum(terms.of_pairs)

    def _shares_of(self, terms: Terms, shares: Tensor) -> Tensor:
        """Returns what terms add to the logit, (B, k, m), of what each number of u_f adds."""
        if not self.field_values:
            return ops.einsum("bkmd,bd->bkm", terms.of_fields, shares)
        back = ops.stack([values.transposed(shares) for values in self.field_values], axis=1)
        contributions = ops.sum(terms.of_fields * back, axis=-1)  # (B, k, m)
        if self.values_of_pairs is None:
            return contributions
        of_pairs = terms.of_pairs * self.values_of_pairs.transposed(shares)  # (B, m, m)
        of_second = ops.expand_dims(ops.sum(of_pairs, axis=-1), 1)  # (B, 1, m)
        higher = contributions.shape[1] - 2
        return contributions + ops.pad(of_second, ((0, 0), (1, higher), (0, 0)))  # (B, k, m)


def _minus(terms: Terms, others: Terms) -> Terms:
    pairs = zip(terms, others, strict=True)
    return Terms(*(None if term is None else term - other for term, other in pairs))


def _with_rounding(contributions: Tensor, total: Tensor) -> Tensor:
    """Returns contributions, (B, k, m), that add up to a total, (B,).

    They miss it by what the model's type has rounded on the way to its logit; each takes a
    part as large as it is itself.
    """
    sizes = ops.abs(contributions) + keras.config.epsilon()  # all of them may be 0
    missing = total - ops.sum(contributions, axis=(1, 2))  # (B,)
    parts = missing / ops.sum(sizes, axis=(1, 2))
    return contributions + sizes * ops.reshape(parts, (-1, 1, 1))
