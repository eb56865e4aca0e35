"""A loss that pulls attention weights toward the effects of fields, measured in each step."""

from typing import Any

import keras
import tensorflow as tf

from interhat_tf.training.alignment import Alignment, Term
from interhat_tf.training.effect_alignment import alignment_loss, combined_weights
from interhat_tf.training.record_weights import weigh


class ExactEffectAlignment(Alignment):
    """Teaches a model's attention weights what the fields of single records do to its logit.

        a_j = sum_i alpha_f[i] alpha_i[j],  t_j = |phi_j| / (sum_i |phi_i| + 1e-3)
        loss = -weight sum_j t_j log(a_j + 1e-6)

    of one record in m n, each counting for as many. The effect phi_j of field j is by how
    much the logit falls if the field has other records' values, the mean over n donors,
    which are the next records of the batch. That is one prediction more for each record of a
    batch, as in inference, without gradients: the weights follow the effects.

    No head stands between, as in `EffectAlignment`: a head that errs pulls all records'
    weights to what they have in common, and the model's effects after them. In return
    fewer records pull. A cross is a field like any other here: it is replaced by itself.

    Args:
        model: An `ExplainingModel` of m fields.
        weight: The loss's weight, above 0.
        donors: The number n of donors.
    """

    def __init__(self, model: keras.Model, weight: float, donors: int):
        super().__init__(model, weight)
        self.donors = donors

    def draw(self, rows: tf.Tensor) -> tf.Tensor:
        """Returns zeros, (B,): nothing is drawn, since a batch's records are in random order."""
        return tf.zeros([rows], tf.int32)

    def term(self, found: Any, drawn: tf.Tensor, factors: tf.Tensor | None = None) -> Term:
        """Returns the pull over a batch; there are no sizes."""
        every = self.model.num_fields * self.donors
        effects = tf.abs(self._effects(tf.stop_gradient(found.fields), every))  # (R, m)
        targets = effects / (tf.reduce_sum(effects, axis=1, keepdims=True) + 1e-3)
        pulls = alignment_loss(combined_weights(found)[::every], targets)  # (R,)
        if factors is not None:
            pulls = weigh(pulls, factors[::every])
        share = tf.size(drawn) / tf.maximum(tf.size(pulls), 1)
        loss = self.weight * tf.cast(share, pulls.dtype) * tf.reduce_sum(pulls)
        return Term(loss, tf.zeros(0, pulls.dtype))

    def _effects(self, fields: tf.Tensor, every: int) -> tf.Tensor:
        """Returns phi, (R, m), of one record in `every` of embedded ones, (B, m, d)."""
        rows = tf.shape(fields)[0]
        count, dim = fields.shape[1:]
        records = tf.range(0, rows, every)  # (R,)
        next_ones = (records[:, None] + tf.range(1, self.donors + 1)) % rows  # (R, n)
        chosen, others = tf.gather(fields, records), tf.gather(fields, next_ones)
        # The donor's value stands in a field of its own in each of m copies of a record.
        mask = tf.eye(count, dtype=tf.bool)[:, :, None]  # (m, m, 1)
        changed = tf.where(mask, others[:, :, None], chosen[:, None, None])  # (R, n, m, m, d)
        logits = self.model.forward(tf.reshape(changed, (-1, count, dim))).logits  # (R * n * m, 1)
        without = tf.reshape(logits, (-1, self.donors, count))  # (R, n, m)
        own = self.model.forward(chosen).logits  # (R, 1)
        return tf.stop_gradient(own - tf.reduce_mean(without, axis=1))
