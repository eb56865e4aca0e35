"""A loss that pulls a model's attention weights toward the effects of the fields."""

from typing import Any

import keras
import tensorflow as tf

from interhat_tf.training.alignment import HeadAlignment, Term
from interhat_tf.training.record_weights import weigh

EVERY = 2
"""One record in so many gets a second prediction."""
SHARE_OF_A_STEP = 0.05
"""Weight of the newest step in a field's running mean square difference."""
SMALLEST_SCALE = 1e-3


class EffectAlignment(HeadAlignment):
    """Teaches a model's attention weights, while it trains, what the fields do to its logit.

        a_j = sum_i alpha_f[i] alpha_i[j],  t_j = |phi_j| / (M + 0.1)
        loss = -weight sum_j t_j log(a_j + 1e-6)

    of each record. The effect phi_j of field j is by how much the logit falls, in the
    mean, if the field has other records' values; M is the mean of sum_j |phi_j| over
    the batch before. No gradient goes through t: the weights follow the effects.

    A head estimates phi; see `HeadAlignment`. Each step takes one record in `EVERY`, gives
    one random field of it the value of the record before it, computes the logit z' in
    another pass, and learns from z - z'. The head says phi_j in units of field j's root
    mean square difference: an error of a field with small effects counts as much as
    one of a field with large ones. A cross is a field like any other here: it is
    replaced by itself.

    Args:
        model: An `ExplainingModel`.
        weight: The loss's weight, above 0.
        seed: Seed of the fields that are replaced. Defaults to 0.

    Attributes:
        squares: Each field's mean square difference, (m,), of the last steps.
    """

    def __init__(self, model: keras.Model, weight: float, seed: int = 0):
        super().__init__(model, weight, num_sets=0, seed=seed)
        self.squares = self.make_variable(tf.ones(model.num_fields, model.logit_dtype))
        self.variables.append(self.squares)
        self.num_sizes += model.num_fields

    def draw(self, rows: tf.Tensor) -> tf.Tensor:
        """Returns which field is replaced in each record of this step's batch, (B,)."""
        seed = tf.stack([tf.constant(self.seed, tf.int64), self.optimizer.iterations.value])
        fields = self.model.num_fields
        return tf.random.stateless_uniform([rows], seed, maxval=fields, dtype=tf.int32)

    def term(self, found: Any, drawn: tf.Tensor, factors: tf.Tensor | None = None) -> Term:
        """Returns the pull and the head's error, and the sizes, (1 + m,), over a batch.

        The sizes are sum_j |phi_j|, and m times each field's squared differences.
        """
        fields, drawn = tf.stop_gradient(found.fields), drawn[::EVERY]
        mask = tf.one_hot(drawn, self.model.num_fields, True, False)  # (R, m)
        seen = self.as_in_inference(found, EVERY)
        other = self.model.forward(_with_neighbours(fields, mask)).logits[:, 0]  # (R,)
        differences = seen.logits[:, 0] - tf.stop_gradient(other)  # (R,)
        scales = tf.sqrt(self.squares) + SMALLEST_SCALE  # (m,)
        outputs = self.head(*self.model.effect_inputs(seen), training=self.normalise)["effects"]
        estimates = tf.reduce_sum(tf.where(mask, outputs, 0), axis=1)  # (R,)
        errors = tf.square(estimates - differences / tf.gather(scales, drawn))  # (R,)
        effects = tf.abs(tf.stop_gradient(outputs)) * scales  # (R, m)
        weights = combined_weights(found)[::EVERY]  # (R, m)
        pulls = alignment_loss(weights, effects / (self.mean_size + 0.1))  # (R,)
        squares = tf.where(mask, tf.square(differences)[:, None], 0)  # (R, m)
        squares *= self.model.num_fields
        losses = self.weight * pulls + errors  # (R,)
        if factors is not None:
            losses, effects, squares = (
                weigh(values, factors[::EVERY]) for values in (losses, effects, squares)
            )
        sizes = tf.concat([tf.reduce_sum(effects, keepdims=True)[0], tf.reduce_sum(squares, 0)], 0)
        return Term(EVERY * tf.reduce_sum(losses), EVERY * sizes)

    def after_step(self, means: tf.Tensor) -> None:
        """Takes in the means of `Term.sizes` over the step's batch."""
        super().after_step(means)
        change = tf.cast(means[1:], self.squares.dtype) - self.squares
        self.squares.assign_add(change * SHARE_OF_A_STEP)


def combined_weights(found: Any) -> tf.Tensor:
    """Returns a_j = sum_i alpha_f[i] alpha_i[j], (B, m), of what `ExplainingModel.forward` found.

    They sum to 1.
    """
    alphas = tf.stack(found.field_weights, axis=1)  # (B, k, m)
    return tf.einsum("bk,bkm->bm", found.order_weights, alphas)


def alignment_loss(weights: tf.Tensor, targets: tf.Tensor, least: float = 1e-6) -> tf.Tensor:
    """Returns -sum_j t_j log(a_j + least), (B,), of weights a and targets t, (B, m) each.

    Example:

    >>> weights, targets = tf.constant([[0.5, 0.5]]), tf.constant([[2.0, 0.0]])
    >>> print(alignment_loss(weights, targets).numpy().round(3))
    [1.386]
    """
    logs = tf.math.log(tf.cast(weights, targets.dtype) + least)  # (B, m)
    return -tf.reduce_sum(targets * logs, axis=1)


def _with_neighbours(fields: tf.Tensor, mask: tf.Tensor) -> tf.Tensor:
    """Returns the embedded fields, (R, m, d), of one record in `EVERY`, some the record before's.

    A batch's records are in random order: the one before is any.

    Args:
        fields: The embedded fields of the batch, (B, m, d).
        mask: Which fields are the record before's, (R, m).
    """
    neighbours = tf.roll(fields, 1, axis=0)[::EVERY]
    return tf.where(mask[:, :, None], neighbours, fields[::EVERY])
