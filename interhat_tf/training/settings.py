"""How a model is trained: the settings, and the optimizer that they name."""

import dataclasses
from typing import Any, Self

import keras
import tensorflow as tf

from interhat_tf.input_pipeline.dataset import PreparedDataset
from interhat_tf.training.alignment import Alignment
from interhat_tf.training.averaged_weights import AveragedWeights
from interhat_tf.training.early_stopping import CRITERIA
from interhat_tf.training.effect_alignment import EffectAlignment
from interhat_tf.training.exact_effect_alignment import ExactEffectAlignment
from interhat_tf.training.microbatch import check_microbatches
from interhat_tf.training.optimizers import Adam, LazyAdam, table_penalties
from interhat_tf.training.order_alignment import OrderAlignment, asked_of
from interhat_tf.utils.limits import check_choice, check_limits

OPTIMIZERS = {"adam": Adam, "lazy_adam": LazyAdam}
LARGEST_RATE = 1e-3
"""What epochs that align a trained model begin with at most, unless `align_attention` is told."""


@dataclasses.dataclass(frozen=True)
class TrainingSettings:
    """How a model is trained.

    Args:
        learning_rate: Adam's step size.
        beta_2: Adam's decay of the second moment.
        optimizer: `"adam"`, which is exact, or `"lazy_adam"`, whose steps cost
            the same however large the vocabularies are; see `optimizers`.
        batch_size: Records a step.
        max_epochs: Number of epochs after which training stops in any case.
        ema_momentum: Momentum of the average of the weights that evaluation and the
            saved model use, or `None` or 0, the weights themselves; see
            `averaged_weights`. 0.995 is a good one for a few thousand steps.
        self_distillation: Weight of a pull of two predictions of a record, under
            two dropout masks, to their mean; 1 is QNN-alpha's, 0 none. A step then
            computes each record twice; see `self_distillation`.
        effect_weight: Weight of a pull of the attention weights to the effects of
            the fields, or 0, none. 0.05 is a good one; a step then has a second
            forward pass; see `effect_alignment`.
        effect_donors: Number of other records of the batch against which those effects
            are measured, of few records a step; 8 is a good one; see
            `exact_effect_alignment`. 0: a head estimates them, of one record in two.
        order_weight: Weight of a pull of the order weights to the orders of what
            the fields do, or 0, none. 0.05 is a good one; see `order_alignment`.
        alignment_epochs: Number of epochs after the best one in which these pulls are
            at work, as in `align_attention`; 3 is a good one. What they come to is kept
            if it costs no more than `alignment_cost`. 0: they are at work from the first
            epoch on, in all.
        alignment_cost: By how much `criterion` may be worse on validation after these
            epochs than before, beyond the standard error of that difference.
        alignment_labels: The labels' share, from 0 to 1, in what these epochs learn; the
            rest is what the model predicted before. 0 is a good one where an epoch after
            the best one learns the labels' noise, 0.5 where it does not; see `teacher`.
        positive_weight: What a record with a click counts in the loss, one without
            counting 1; both times the record's weight, if the data set has weights (see
            `record_weights`). Other than 1 it moves all logits by about its logarithm:
            they rank much as before, but the probabilities are not the log's click rates
            any more, which shows in the logloss. Choose the epoch by `"auc"` then.
        unknown_share: Share of the training values that are taken for unknown, so that
            what is new in later records has a trained embedding; see
            `input_pipeline.unknown_values`. With any, the trained model's mean predictions
            are set right, see `mean_predictions`. `None` is the data set's own: 0.05 of a log
            that `prepare_click_log` prepared, otherwise 0.
        criterion: What makes an epoch better than another on validation:
            `"auc - logloss"`; `"logloss"`, which noise fools less where most
            records are alike or the split is small; or `"auc"`; see
            `early_stopping.CRITERIA`.
        auc_by: A categorical field, such as the user, or `None`. The figures of validation
            and test then have `auc_by_FIELD` too, the mean of the AUCs within each of its
            values; see `metrics.grouped_auc`.
        patience: Epochs without a gain on validation after which it stops.
        learning_rate_factor: What the learning rate is multiplied by after each
            epoch without a gain.
        penalty_factor: What all L2 penalties are multiplied by after each epoch that learnt
            the training records by heart; see `early_stopping.overfits`. Training goes on
            from there; the wait for a gain is as long as it was. 2 is a good one where no
            penalty was searched for, 1 keeps them.
        penalty_scale: What the model's penalties are multiplied by at first. A trained model
            has that of its best epoch in its `training_settings`.
        seed: Seed of the order of the records.
        jit_compile: Whether XLA compiles the training step.
        microbatch_size: Records whose gradient is computed at a time, or `None`
            or 0, the whole batch; see `step.compile_steps`.
        input_shards: Equal parts of a batch, each read from its own files, or
            `None`, one for each replica of the model; see
            `PreparedDataset.training_batches`. Runs with the same number see the
            same batches, on however many devices.
        checkpoint_minutes: Time between checkpoints within an epoch; there is
            one after every epoch as well.

    Raises:
        ValueError: If there is no such optimizer or criterion, or a number is not what
            `utils.limits` allows.

    Example:

    >>> TrainingSettings(learning_rate=3e-3, batch_size=1024).patience
    2
    """

    learning_rate: float = 1e-3
    beta_2: float = 0.999
    optimizer: str = "adam"
    batch_size: int = 2048
    ema_momentum: float | None = None
    self_distillation: float = 0.0
    effect_weight: float = 0.0
    effect_donors: int = 0
    order_weight: float = 0.0
    alignment_epochs: int = 0
    alignment_cost: float = 0.0
    alignment_labels: float = 0.0
    positive_weight: float = 1.0
    unknown_share: float | None = None
    max_epochs: int = 100
    criterion: str = "auc - logloss"
    auc_by: str | None = None
    patience: int = 2
    learning_rate_factor: float = 0.1
    penalty_factor: float = 1.0
    penalty_scale: float = 1.0
    seed: int = 0
    jit_compile: bool = False
    microbatch_size: int | None = None
    input_shards: int | None = None
    checkpoint_minutes: float = 5.0

    def __post_init__(self) -> None:
        check_choice("optimizer", self.optimizer, OPTIMIZERS)
        check_choice("criterion", self.criterion, CRITERIA)
        fields = dataclasses.fields(self)
        check_limits(
            {field.name: getattr(self, field.name) for field in fields},
            {field.name: field.type for field in fields},
        )

    @classmethod
    def of_model(cls, model: keras.Model, **changes: Any) -> Self:
        """Returns the settings of a model's preset.

        A preset's microbatches are for CPUs. They are left out where a GPU is
        found, and where the model or XLA needs the whole batch
        (`check_microbatches`).

        Args:
            model: The model; `model.training_settings`, if it has them, are the
                preset's: a dictionary of arguments of this class.
            **changes: Arguments of this class, which win over the preset's.
        """
        preset = dict(getattr(model, "training_settings", None) or {})
        settings = cls(**{**preset, **changes})
        if "microbatch_size" in changes or _is_faster_in_microbatches(model, settings):
            return settings
        return dataclasses.replace(settings, microbatch_size=None)

    def complete(self, model: keras.Model, data: PreparedDataset) -> Self:
        """Returns the settings with what they leave to the model's devices and to the data set.

        Args:
            model: The model.
            data: The `PreparedDataset`.
        """
        left_out: dict[str, Any] = {}
        if self.input_shards is None:
            left_out["input_shards"] = model.distribute_strategy.num_replicas_in_sync
        if self.unknown_share is None:
            left_out["unknown_share"] = data.unknown_share
        return dataclasses.replace(self, **left_out)

    @property
    def aligns(self) -> bool:
        """Whether attention is aligned, in all epochs or in those after the best one."""
        return bool(self.effect_weight or self.order_weight)

    def of_alignment(self) -> Self:
        """Returns the settings of epochs that align a trained model's attention.

        Their first learning rate is at most `LARGEST_RATE`.
        """
        rate = min(self.learning_rate, LARGEST_RATE)
        return dataclasses.replace(
            self, learning_rate=rate, alignment_epochs=0, self_distillation=0.0
        )

    def make_average(self, model: keras.Model) -> AveragedWeights | None:
        """Returns the average of a model's weights, or `None` if none is asked for."""
        if not self.ema_momentum:
            return None
        return AveragedWeights(model, self.ema_momentum, lazy=self.optimizer == "lazy_adam")

    def make_alignments(self, model: keras.Model) -> list[Alignment]:
        """Returns what aligns attention with effects and orders from the first epoch on."""
        alignments: list[Alignment] = []
        if self.alignment_epochs:  # not yet
            return alignments
        if self.effect_weight and self.effect_donors:
            exact = ExactEffectAlignment(model, self.effect_weight, self.effect_donors)
            alignments.append(exact)
        elif self.effect_weight:
            alignments.append(EffectAlignment(model, self.effect_weight, self.seed))
        if self.order_weight:
            every = asked_of(self.batch_size)
            alignments.append(OrderAlignment(model, self.order_weight, self.seed, every))
        return alignments

    def make_optimizer(self, model: keras.Model) -> keras.optimizers.Optimizer:
        """Returns the optimizer, built for a model's variables in its strategy's scope."""
        arguments: dict[str, Any] = {"learning_rate": self.learning_rate, "beta_2": self.beta_2}
        if self.optimizer == "adam":
            arguments["table_l2"] = table_penalties(model)
        with model.distribute_strategy.scope():
            optimizer = OPTIMIZERS[self.optimizer](**arguments)
            optimizer.build(model.trainable_variables)
        return optimizer


def _is_faster_in_microbatches(model: keras.Model, settings: TrainingSettings) -> bool:
    if tf.config.list_physical_devices("GPU"):
        return False
    try:
        check_microbatches(model, settings.jit_compile)
    except ValueError:
        return False
    return True
