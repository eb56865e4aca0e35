"""A loss that pulls a model's order weights toward the orders of what the fields do."""

import itertools
import math
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from interhat_tf.errors import SettingError
from interhat_tf.training.alignment import HeadAlignment, Term
from interhat_tf.training.effect_alignment import alignment_loss
from interhat_tf.training.record_weights import weigh

HIGHEST_ORDER = 3
"""Largest number of fields whose joint effect is measured."""
MOST_SETS = 10_000
"""With more sets of fields a head would take longer than the model."""
EVERY = 12
"""One record in so many is asked about its orders: each costs 2^3 predictions."""
LEAST_ASKED = 32
"""At least this many records of a batch are asked; from fewer a head learns too little."""
CANDIDATES = 8
"""Records of the batch among which one is sought that differs from a record in a field."""


class OrderAlignment(HeadAlignment):
    """Teaches alpha_f, while a model trains, of which order the interactions are in a record.

        m_S = sum_{T in S} (-1)^(|S| - |T|) f(x_T, b_rest)
        t_i = sum_{|S| = i} psi_S^2 / (M + 0.1)
        loss = -weight sum_i t_i log(alpha_f[i] + 1e-4)

    of one record x in `every`. f(x_T, b_rest) is the logit of a donor b into which the
    values of x in the fields T are put; the donor differs from x in every field, if
    `CANDIDATES` other records of the batch have another value. psi_S is an
    estimate of m_S, and M the mean of sum_S psi_S^2 over the batch before. No gradient
    goes through t: the weights follow what `explanation.order_shares` measures.

    A head estimates psi of all sets S of up to n fields; see `HeadAlignment`. n is
    min(k, m, 3). Each step draws n fields of each record, predicts with all 2^n
    subsets of them in the donor, and regresses the 2^n - 1 sets' psi on what it
    finds. What more than three fields do together is in no target: alpha_f's fourth
    weight and the later ones shrink.

    Args:
        model: An `ExplainingModel` of at least two orders.
        weight: The loss's weight, above 0.
        seed: Seed of the fields that are drawn. Defaults to 0.
        every: One record in so many is asked about its orders; see `asked_of`. Defaults to
            `EVERY`.

    Raises:
        ValueError: As `check_order_alignment`.
    """

    def __init__(self, model: keras.Model, weight: float, seed: int = 0, every: int = EVERY):
        check_order_alignment(model)
        self.every = every
        self.size = _largest_set(model)
        self.counts = _numbers_of_sets(model)
        super().__init__(model, weight, num_sets=sum(self.counts[1:]), seed=seed)
        self.starts = np.cumsum([0, *self.counts[:-1]])
        # Positions of the drawn fields, by size, and the signs of the differences.
        self.subsets = [
            s for i in range(self.size + 1) for s in itertools.combinations(range(self.size), i)
        ]
        self.inserted = np.array([[j in s for j in range(self.size)] for s in self.subsets], int)
        self.signs = np.array(
            [
                [(-1) ** (len(s) - len(t)) if set(t) <= set(s) else 0 for t in self.subsets]
                for s in self.subsets[1:]
            ],
            model.logit_dtype,
        )  # (2^n - 1, 2^n)

    def draw(self, rows: tf.Tensor) -> tf.Tensor:
        """Returns n fields of each record of this step's batch, in rising order, (B, n)."""
        # Not the seed of another alignment of the same step.
        steps = -1 - self.optimizer.iterations.value
        seed = tf.stack([tf.constant(self.seed, tf.int64), steps])
        noise = tf.random.stateless_uniform([rows, self.model.num_fields], seed)
        return tf.sort(tf.math.top_k(noise, self.size).indices, axis=1)

    def term(self, found: Any, drawn: tf.Tensor, factors: tf.Tensor | None = None) -> Term:
        """Returns the pull and the head's error, and sum_S psi_S^2, over a batch."""
        drawn = drawn[:: self.every]  # (R, n)
        together = self._together(tf.stop_gradient(found.fields), drawn)  # (R, 2^n - 1)
        seen = self.as_in_inference(found, self.every)
        heads = self.head(*self.model.effect_inputs(seen), training=self.normalise)
        estimates = tf.concat([heads["effects"], heads["pair_effects"]], axis=1)  # (R, sets)
        of_drawn = tf.gather(estimates, self._places(drawn), batch_dims=1)  # (R, 2^n - 1)
        errors = tf.reduce_sum(tf.square(of_drawn - tf.stop_gradient(together)), axis=1)  # (R,)
        squares = tf.split(tf.square(tf.stop_gradient(estimates)), self.counts, axis=1)
        strengths = tf.stack([tf.reduce_sum(s, axis=1) for s in squares], axis=1)  # (R, n)
        weights = found.order_weights[:: self.every, : self.size]  # (R, n)
        pulls = alignment_loss(weights, strengths / (self.mean_size + 0.1), least=1e-4)  # (R,)
        losses = self.weight * pulls + errors  # (R,)
        if factors is not None:
            losses, strengths = (weigh(v, factors[:: self.every]) for v in (losses, strengths))
        sizes = tf.reduce_sum(strengths, keepdims=True)[0]
        return Term(self.every * tf.reduce_sum(losses), self.every * sizes)

    def _together(self, fields: tf.Tensor, drawn: tf.Tensor) -> tf.Tensor:
        """Returns m_S of the sets of drawn fields, against one donor each, (R, 2^n - 1)."""
        _, count, dim = fields.shape
        chosen = tf.one_hot(drawn, count, dtype=tf.int32)  # (R, n, m)
        inserted = tf.einsum("sn,rnm->rsm", tf.constant(self.inserted, tf.int32), chosen)
        records = tf.where(
            inserted[..., None] > 0,
            fields[:: self.every, None],
            donors(fields, self.every)[:, None],
        )  # (R, 2^n, m, d)
        logits = self.model.forward(tf.reshape(records, (-1, count, dim))).logits
        logits = tf.reshape(logits, (-1, len(self.subsets)))  # (R, 2^n)
        return tf.matmul(logits, self.signs, transpose_b=True)

    def _places(self, drawn: tf.Tensor) -> tf.Tensor:
        """Returns where the head has the sets of drawn fields, (R, 2^n - 1).

        Sets of a size stand in colexicographic order: that of i < j < l is
        number i + j (j - 1) / 2 + l (l - 1) (l - 2) / 6.
        """
        columns = tf.unstack(drawn, axis=1)
        binomials = [columns, [j * (j - 1) // 2 for j in columns]]
        binomials.append([j * (j - 1) * (j - 2) // 6 for j in columns])
        places = [
            self.starts[len(s) - 1] + sum(binomials[n][j] for n, j in enumerate(s))
            for s in self.subsets[1:]
        ]
        return tf.stack(places, axis=1)


def asked_of(batch_size: int) -> int:
    """Returns which share of a batch is asked: one record in so many."""
    return max(1, min(EVERY, batch_size // LEAST_ASKED))


def donors(fields: tf.Tensor, every: int) -> tf.Tensor:
    """Returns a donor of one record in `every`: embedded fields, (R, m, d), of other records.

    Each field is of a record by itself, the first of `CANDIDATES` that has another
    value there. Equal values have equal embeddings, and one of their numbers tells:
    two values that share it by chance only make another record the donor.

    Args:
        fields: The embedded fields of a batch, (B, m, d).
        every: One record in so many has a donor.
    """
    rows, count = tf.shape(fields)[0], fields.shape[1]
    first = fields[:, :, 0]  # (B, m)
    records = tf.range(0, rows, every)  # (R,)
    columns = tf.range(count)  # (m,)
    steps = 1 + CANDIDATES * columns[:, None] + tf.range(CANDIDATES)  # (m, c)
    # Of an empty batch there is no record to take; nothing is divided by zero.
    others = (records[:, None, None] - steps) % tf.maximum(rows, 1)  # (R, m, c)
    places = tf.stack([others, tf.broadcast_to(columns[:, None], tf.shape(others))], axis=-1)
    differs = tf.gather_nd(first, places) != first[::every, :, None]  # (R, m, c)
    chosen = tf.argmax(tf.cast(differs, tf.int32), axis=2)  # (R, m)
    return tf.gather_nd(fields, tf.gather(places, chosen, batch_dims=2))


def check_order_alignment(model: keras.Model) -> None:
    """Checks that a model's order weights can be aligned.

    Args:
        model: A model with attention weights.

    Raises:
        ValueError: If it has one order, one field, or too many fields.
    """
    if model.order < 2:
        raise SettingError(
            "order_weight needs a model of at least two orders, to weigh them; this one has "
            "order=1: leave it out, or train with a higher order"
        )
    if model.num_fields < 2:
        raise SettingError(
            "order_weight needs records of at least two fields, which can do something together; "
            "leave it out"
        )
    size, fields, sets = _largest_set(model), model.num_fields, sum(_numbers_of_sets(model))
    if sets > MOST_SETS:
        raise SettingError(
            f"order_weight learns of all sets of up to {size} fields: {fields} fields have "
            f"{sets:,}, and the limit is {MOST_SETS:,}; take fewer fields"
            + (", or order=2" if size > 2 else "")
        )


def _numbers_of_sets(model: keras.Model) -> list[int]:
    """Returns how many sets of 1, 2, … fields there are, up to the largest of targets."""
    return [math.comb(model.num_fields, i) for i in range(1, _largest_set(model) + 1)]


def _largest_set(model: keras.Model) -> int:
    """Returns the size of the largest sets of fields of which there are targets."""
    return min(model.order, model.num_fields, HIGHEST_ORDER)
