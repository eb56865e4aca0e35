"""A loss that pulls a model's attention weights toward the effects of the fields."""

from typing import Any

import keras
import tensorflow as tf

from interhat_tf.schema import Batch
from interhat_tf.training.microbatch import needs_whole_batches
from interhat_tf.training.optimizers import Adam

HEAD_LEARNING_RATE = 3e-3


def check_alignment(model: keras.Model, self_distillation: float = 0.0) -> None:
    """Checks that a model's attention can be aligned with effects.

    Args:
        model: The model.
        self_distillation: The weight of that loss.

    Raises:
        ValueError: If the model has no attention weights, or there is
            self-distillation.
    """
    if not hasattr(model, "explain"):
        raise ValueError(
            f"effect_weight needs a model with attention weights, and {type(model).__name__} has "
            "none: train an InterHAt, or leave it out"
        )
    if self_distillation:
        raise ValueError("effect_weight and self_distillation do not go together; choose one")


class EffectAlignment:
    """Teaches a model's attention weights, while it trains, what the fields do to its logit.

        a_j = sum_i alpha_f[i] alpha_i[j],  t_j = |phi_j| / (M + 0.1)
        loss = -weight sum_j t_j log(a_j + 1e-6)

    of each record. The effect phi_j of field j is by how much the logit falls, in the
    mean, if the field has other records' values; M is the mean of sum_j |phi_j| over
    the batch before. No gradient goes through t: the weights follow the effects.

    An `EffectHead` estimates phi from what the forward pass has made, and learns
    beside the model by an Adam of its own. Each step gives one random field of each
    record the value of the record before it in the batch, computes that record's
    logit z' in a second pass, and regresses phi_j on z - z'. The second pass is
    without gradients and changes nothing in the model. It has the first one's
    embeddings, and its dropout masks, so that z - z' is not their noise. Nothing
    of the head's own loss reaches the model.

    Where the model has batch normalisation or dropout the head normalises what it
    reads; otherwise not, so that a step is the same in microbatches. A cross is a
    field like any other here: it is replaced by itself.

    Args:
        model: An `ExplainingModel`; its strategy's replicas each align their part
            of a batch.
        weight: The loss's weight, above 0.
        seed: Seed of the fields that are replaced. Defaults to 0.

    Attributes:
        optimizer: The head's.
        head_weights: What it trains.
        variables: What changes, for a checkpoint.
    """

    def __init__(self, model: keras.Model, weight: float, seed: int = 0):
        self.model, self.weight, self.seed = model, weight, seed
        self.normalise = needs_whole_batches(model)
        with model.distribute_strategy.scope():
            self.head = model.make_effect_head({"dtype": model.logit_dtype, "name": "effect_head"})
            self.head_weights = self.head.trainable_variables
            self.optimizer = Adam(HEAD_LEARNING_RATE)
            self.optimizer.build(self.head_weights)
            self.mean_effect = tf.Variable(
                tf.zeros((), model.logit_dtype),
                trainable=False,
                aggregation=tf.VariableAggregation.ONLY_FIRST_REPLICA,
            )
        self.variables = [*self.head.variables, *self.optimizer.variables, self.mean_effect]

    def draw_fields(self, rows: tf.Tensor) -> tf.Tensor:
        """Returns which field is replaced in each record of this step's batch, (B,)."""
        seed = tf.stack([tf.constant(self.seed, tf.int64), self.optimizer.iterations.value])
        fields = self.model.num_fields
        return tf.random.stateless_uniform([rows], seed, maxval=fields, dtype=tf.int32)

    def forward(self, inputs: Batch, replaced: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
        """Predicts for a batch in training.

        Args:
            inputs: The records.
            replaced: What `draw_fields` returned for them, (B,).

        Returns:
            The logits, (B,); what is to be minimised besides the logloss, which is
            the alignment and the head's error, (B,); and sum_j |phi_j|, (B,).
        """
        model, stop = self.model, tf.stop_gradient
        before = [(v, tf.identity(v.value)) for v in model.non_trainable_variables]
        found = model.forward(model.embedding(inputs), training=True)
        mask = tf.one_hot(replaced, model.num_fields, True, False)  # (B, m)
        with keras.StatelessScope(before):  # of the random generators, above all
            fields = _with_neighbours(stop(found.fields), mask)  # (B, m, d)
            other = model.forward(fields, training=True).logits[:, 0]  # (B,)
        logits = found.logits[:, 0]  # (B,)
        read = map(stop, model.effect_inputs(found))
        effects = self.head(*read, training=self.normalise)["effects"]  # (B, m)
        estimate = tf.reduce_sum(tf.where(mask, effects, 0), axis=1)  # (B,)
        errors = tf.square(estimate - stop(logits - other))  # (B,)
        sizes = tf.abs(stop(effects))  # (B, m)
        pulls = alignment_loss(combined_weights(found), sizes / (self.mean_effect + 0.1))
        return logits, self.weight * pulls + errors, tf.reduce_sum(sizes, axis=1)

    def follow_learning_rate(self, share: float) -> None:
        """Gives the head the share of its learning rate that the model has of its own."""
        self.optimizer.learning_rate = HEAD_LEARNING_RATE * share

    def after_step(self, mean_effect: tf.Tensor) -> None:
        """Takes in the mean of sum_j |phi_j| over the step's batch."""
        self.mean_effect.assign(tf.cast(mean_effect, self.mean_effect.dtype))


def combined_weights(found: Any) -> tf.Tensor:
    """Returns a_j = sum_i alpha_f[i] alpha_i[j], (B, m), of what `ExplainingModel.forward` found.

    They sum to 1.
    """
    alphas = tf.stack(found.field_weights, axis=1)  # (B, k, m)
    return tf.einsum("bk,bkm->bm", found.order_weights, alphas)


def alignment_loss(weights: tf.Tensor, targets: tf.Tensor) -> tf.Tensor:
    """Returns -sum_j t_j log(a_j + 1e-6), (B,), of weights a and targets t, (B, m) each.

    Example:

    >>> weights, targets = tf.constant([[0.5, 0.5]]), tf.constant([[2.0, 0.0]])
    >>> print(alignment_loss(weights, targets).numpy().round(3))
    [1.386]
    """
    logs = tf.math.log(tf.cast(weights, targets.dtype) + 1e-6)  # (B, m)
    return -tf.reduce_sum(targets * logs, axis=1)


def _with_neighbours(fields: tf.Tensor, mask: tf.Tensor) -> tf.Tensor:
    """Returns embedded fields, (B, m, d), where those of a mask, (B, m), are the record before's.

    A batch's records are in random order: the one before is any.
    """
    return tf.where(mask[:, :, None], tf.roll(fields, 1, axis=0), fields)
