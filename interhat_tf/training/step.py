"""The training step: of whole batches, or of microbatches that stay in the cache."""

import contextlib
import itertools
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import keras
import tensorflow as tf

from interhat_tf.errors import SettingError
from interhat_tf.schema import Batch
from interhat_tf.training.alignment import Alignment, aligned_forward, check_alignment
from interhat_tf.training.averaged_weights import AveragedWeights
from interhat_tf.training.microbatch import check_microbatches, sum_over_microbatches
from interhat_tf.training.optimizers import Adam
from interhat_tf.training.record_weights import RecordWeights, weigh
from interhat_tf.training.self_distillation import check_self_distillation, logloss_and_pull
from interhat_tf.training.teacher import Teacher

LABELS = "labels"
FACTORS = "factors of losses"


def compile_steps(
    model: keras.Model,
    optimizer: keras.optimizers.Optimizer,
    loss_sum: tf.Variable,
    jit_compile: bool = False,
    microbatch_size: int | None = None,
    averaged: AveragedWeights | None = None,
    self_distillation: float = 0.0,
    alignments: Sequence[Alignment] = (),
    record_weights: RecordWeights | None = None,
    teacher: Teacher | None = None,
    penalty_scale: float = 1.0,
) -> Callable[[Any, tf.Tensor], None]:
    """Returns the function that trains a model for a number of steps.

    A step minimises the mean logloss of a batch, weighted as `RecordWeights` says, plus
    the model's penalties and what its layers add by `add_loss`. The replicas of the
    strategy that the model was built under each take a part of the batch.

    Args:
        model: A model that gives logits, (B, 1).
        optimizer: The optimizer, built for the model's trainable variables. It
            adds the penalties of the tables in its `table_l2`, if it has one, and gets this
            `penalty_scale`.
        loss_sum: float64 variable to which each record's logloss is added, times its
            factor of `RecordWeights.factors`.
        jit_compile: Whether XLA compiles the step. Defaults to `False`.
        microbatch_size: Records whose gradient is computed at a time; see
            `microbatch`. Defaults to `None`, the whole batch.
        averaged: The average that takes in the weights after each step. Defaults
            to none.
        self_distillation: Weight of the pull of two predictions to their mean;
            see `self_distillation`. Defaults to 0, one prediction.
        alignments: What pulls attention toward what fields do, and learns that.
            Defaults to none.
        record_weights: How much each record counts. Batches may then have weights beside
            inputs and labels. Defaults to `None`: all count the same.
        teacher: Whose predictions the loss has in place of labels; what records weigh
            still follows from these. Defaults to `None`, the labels.
        penalty_scale: What the model's penalties are multiplied by. Defaults to 1.

    Returns:
        A function of an iterator of batches and the number of steps, a scalar
        tensor; see `distribution.distribute_batches` for several replicas.

    Raises:
        ValueError: As `check_microbatches`, `check_self_distillation` and
            `check_alignment`, if these are asked for; at the first step, if batches
            have weights and there are no `record_weights`.
    """
    _check(model, microbatch_size, jit_compile, self_distillation, alignments)
    strategy = model.distribute_strategy
    optimizer.penalty_scale = penalty_scale
    objective = Objective(
        model,
        table_l2=getattr(optimizer, "table_l2", {}),
        microbatch_size=microbatch_size,
        self_distillation=self_distillation,
        alignments=alignments,
        record_weights=record_weights,
        teacher=teacher,
        penalty_scale=penalty_scale,
    )
    gradients_of, weights = objective.gradients, model.trainable_variables
    moved: set[str] = set()  # paths of tables whose averages the optimizer moves

    def train_step(inputs: Batch, labels: tf.Tensor, *of_records: tf.Tensor) -> tf.Tensor:
        rows = tf.shape(labels)[0]
        if strategy.num_replicas_in_sync > 1:
            rows = tf.distribute.get_replica_context().all_reduce(tf.distribute.ReduceOp.SUM, rows)
        sums, gradients = gradients_of(inputs, labels, rows, *of_records)
        if averaged is not None:
            averaged.before_step(gradients[: len(weights)], weights)
        with _taking_along(optimizer, averaged, moved):
            optimizer.apply(gradients[: len(weights)], weights)  # sums over the replicas
        of_heads = iter(gradients[len(weights) :])
        for alignment in alignments:
            alignment.teach_head(list(itertools.islice(of_heads, len(alignment.head_weights))))
        return sums

    compiled = tf.function(jit_compile=jit_compile, reduce_retracing=True, autograph=False)
    if strategy.num_replicas_in_sync > 1:  # XLA compiles no exchange between replicas
        gradients_of = compiled(gradients_of)
    else:
        train_step = compiled(train_step)

    @tf.function
    def train_steps(batches: Iterator, steps: tf.Tensor) -> None:
        for _ in tf.range(steps):
            sums = strategy.run(train_step, args=next(batches))
            sums = strategy.reduce(tf.distribute.ReduceOp.SUM, sums, axis=None)
            loss_sum.assign_add(sums[0])
            if averaged is not None:
                averaged.after_step(optimizer.iterations.value, without=moved)
            start = 1
            for alignment in alignments:
                alignment.after_step(sums[start : start + alignment.num_sizes])
                start += alignment.num_sizes

    return train_steps


def _check(
    model: keras.Model,
    microbatch_size: int | None,
    jit_compile: bool,
    self_distillation: float,
    alignments: Sequence[Alignment],
) -> None:
    if microbatch_size:
        check_microbatches(model, jit_compile)
    if self_distillation:
        check_self_distillation(model)
    if alignments:
        check_alignment(model, self_distillation=self_distillation)


def _taking_along(
    optimizer: keras.optimizers.Optimizer, averaged: AveragedWeights | None, moved: set[str]
) -> contextlib.AbstractContextManager[None]:
    """Has an optimizer that can move averages of tables do so; see `Adam.taking_along`."""
    if (
        averaged is not None
        and isinstance(optimizer, Adam)
        and averaged.strategy.num_replicas_in_sync == 1
    ):
        return optimizer.taking_along(averaged, moved)
    return contextlib.nullcontext()


class Objective:
    """What a step minimises: the mean logloss of a batch, plus penalties and layers' own losses.

    Args:
        model: A model that gives logits, (B, 1).
        table_l2: Paths of the variables whose penalties the optimizer adds.
        microbatch_size: As for `compile_steps`.
        self_distillation: As for `compile_steps`.
        alignments: As for `compile_steps`.
        record_weights: As for `compile_steps`.
        teacher: As for `compile_steps`.
        penalty_scale: As for `compile_steps`.

    Attributes:
        variables: The model's trainable ones, then those of the alignments' heads.
    """

    def __init__(
        self,
        model: keras.Model,
        *,
        table_l2: dict[str, float],
        microbatch_size: int | None,
        self_distillation: float,
        alignments: Sequence[Alignment],
        record_weights: RecordWeights | None,
        teacher: Teacher | None,
        penalty_scale: float,
    ):
        self.record_weights, self.teacher = record_weights, teacher
        self.penalty_scale = penalty_scale
        self.logit_offset = record_weights.logit_offset if record_weights else 0.0
        self.model, self.microbatch_size = model, microbatch_size
        self.self_distillation, self.alignments = self_distillation, alignments
        weights = model.trainable_variables
        self.penalised = [v for v in weights if v.regularizer and v.path not in table_l2]
        self.variables = [*weights, *(v for a in alignments for v in a.head_weights)]

    def gradients(
        self, inputs: Batch, labels: tf.Tensor, rows: tf.Tensor, weights: tf.Tensor | None = None
    ) -> tuple[tf.Tensor, list[Any]]:
        """Returns sums over a batch, and the gradients of the objective.

        The sums are of the records' loglosses, and for each alignment of its sizes
        divided by `rows`, all times the records' factors.

        Args:
            inputs: The records, or a replica's share of them.
            labels: Their labels, (B,).
            rows: The number of records, over all replicas.
            weights: Their weights, (B,), if they have any.
        """
        targets = labels
        if self.teacher:
            targets = self.teacher.targets(inputs, labels, self.logit_offset)
        batch = {**inputs, LABELS: targets}
        if self.record_weights is not None:
            batch[FACTORS] = self.record_weights.factors(labels, weights)
        elif weights is not None:
            raise SettingError("batches have weights: give compile_steps the record_weights")
        for name, alignment in self._named_alignments():
            batch[name] = alignment.draw(tf.shape(labels)[0])

        def gradients_of(batch: Mapping[str, tf.Tensor]) -> tuple[tf.Tensor, list[Any]]:
            return self._batch_gradients(batch, rows)

        if self.microbatch_size:
            sums, gradients = sum_over_microbatches(gradients_of, batch, self.microbatch_size)
        else:
            sums, gradients = gradients_of(batch)
        return sums, self._add_penalties(gradients)

    def _batch_gradients(self, batch, rows):
        with tf.GradientTape() as tape:
            losses, added, sizes = self._losses(dict(batch))
            added += self._added_by_layers(losses)
            objective = (tf.reduce_sum(losses) + added) / tf.cast(rows, losses.dtype)
        gradients = tape.gradient(objective, self.variables)
        sums = [tf.reduce_sum(tf.cast(losses, tf.float64), keepdims=True)]
        sums += [tf.cast(of_one, tf.float64) / tf.cast(rows, tf.float64) for of_one in sizes]
        return tf.concat(sums, axis=0), gradients

    def _losses(self, inputs):
        """Returns loglosses, (B,), what is added to their sum, and the alignments' sizes."""
        labels, factors = inputs.pop(LABELS), inputs.pop(FACTORS, None)
        if self.self_distillation:
            losses, pulls = logloss_and_pull(self.model, inputs, labels, self.logit_offset)
            pulls = self.self_distillation * tf.reduce_sum(weigh(pulls, factors))
            return weigh(losses, factors), pulls, []
        if not self.alignments:
            logits = self.model(inputs, training=True)[:, 0]  # (B,)
            return weigh(self._loglosses(labels, logits), factors), 0.0, []
        drawn = [inputs.pop(name) for name, _ in self._named_alignments()]
        logits, terms = aligned_forward(self.model, inputs, self.alignments, drawn, factors)
        losses, added = self._loglosses(labels, logits), sum(term.loss for term in terms)
        return weigh(losses, factors), added, [term.sizes for term in terms]

    def _added_by_layers(self, losses):
        """Returns what layers gave `add_loss` in the model's call, means over records, as a sum."""
        # `model.losses` has the penalties as well, which are added once a batch.
        layers = self.model._flatten_layers()
        added = [tf.cast(x, losses.dtype) for layer in layers for x in layer._get_own_losses()]
        return tf.add_n(added) * tf.cast(tf.size(losses), losses.dtype) if added else 0.0

    def _named_alignments(self):
        return [(f"drawn for alignment {i}", a) for i, a in enumerate(self.alignments)]

    def _loglosses(self, labels, logits):
        if self.logit_offset:
            logits += self.logit_offset
        return tf.nn.sigmoid_cross_entropy_with_logits(tf.cast(labels, logits.dtype), logits)

    def _add_penalties(self, gradients):
        if not self.penalised:
            return gradients
        with tf.GradientTape() as tape:
            penalty = self.penalty_scale * sum(v.regularizer(v) for v in self.penalised)
            # The optimizer adds up the gradients of the replicas.
            penalty /= self.model.distribute_strategy.num_replicas_in_sync
        return [
            _sum(*pair)
            for pair in zip(gradients, tape.gradient(penalty, self.variables), strict=True)
        ]


def _sum(gradient, other):
    if gradient is None or other is None:
        return gradient if other is None else other
    return tf.convert_to_tensor(gradient) + other
