"""A loss that pulls a model's attention weights toward the effects of the fields."""

from typing import Any

import keras
import tensorflow as tf

from interhat_tf.training.alignment import Alignment, Term


class EffectAlignment(Alignment):
    """Teaches a model's attention weights, while it trains, what the fields do to its logit.

        a_j = sum_i alpha_f[i] alpha_i[j],  t_j = |phi_j| / (M + 0.1)
        loss = -weight sum_j t_j log(a_j + 1e-6)

    of each record. The effect phi_j of field j is by how much the logit falls, in the
    mean, if the field has other records' values; M is the mean of sum_j |phi_j| over
    the batch before. No gradient goes through t: the weights follow the effects.

    A head estimates phi; see `Alignment`. Each step gives one random field of each
    record the value of the record before it in the batch, computes that record's
    logit z' in a second pass, and regresses phi_j on z - z'. The second pass is
    without gradients and changes nothing in the model. It has the first one's
    embeddings, and its dropout masks, so that z - z' is not their noise. A cross is
    a field like any other here: it is replaced by itself.

    Args:
        model: An `ExplainingModel`.
        weight: The loss's weight, above 0.
        seed: Seed of the fields that are replaced. Defaults to 0.
    """

    def __init__(self, model: keras.Model, weight: float, seed: int = 0):
        super().__init__(model, weight, num_sets=0, seed=seed)

    def draw(self, rows: tf.Tensor) -> tf.Tensor:
        """Returns which field is replaced in each record of this step's batch, (B,)."""
        seed = tf.stack([tf.constant(self.seed, tf.int64), self.optimizer.iterations.value])
        fields = self.model.num_fields
        return tf.random.stateless_uniform([rows], seed, maxval=fields, dtype=tf.int32)

    def term(self, found: Any, drawn: tf.Tensor, before: list[tuple[Any, tf.Tensor]]) -> Term:
        """Returns the pull and the head's error, and sum_j |phi_j|, over a batch."""
        model, stop = self.model, tf.stop_gradient
        mask = tf.one_hot(drawn, model.num_fields, True, False)  # (B, m)
        with keras.StatelessScope(before):  # of the random generators, above all
            fields = _with_neighbours(stop(found.fields), mask)  # (B, m, d)
            other = model.forward(fields, training=True).logits[:, 0]  # (B,)
        read = map(stop, model.effect_inputs(found))
        effects = self.head(*read, training=self.normalise)["effects"]  # (B, m)
        estimate = tf.reduce_sum(tf.where(mask, effects, 0), axis=1)  # (B,)
        errors = tf.square(estimate - stop(found.logits[:, 0] - other))  # (B,)
        sizes = tf.abs(stop(effects))  # (B, m)
        pulls = alignment_loss(combined_weights(found), sizes / (self.mean_size + 0.1))
        return Term(tf.reduce_sum(self.weight * pulls + errors), tf.reduce_sum(sizes))


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
    """Returns embedded fields, (B, m, d), where those of a mask, (B, m), are the record before's.

    A batch's records are in random order: the one before is any.
    """
    return tf.where(mask[:, :, None], tf.roll(fields, 1, axis=0), fields)
