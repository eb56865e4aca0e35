"""What losses have in common that pull a model's attention toward what it does."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any, NamedTuple

import keras
import tensorflow as tf

from interhat_tf.schema import Batch
from interhat_tf.training.microbatch import needs_whole_batches
from interhat_tf.training.optimizers import Adam

HEAD_LEARNING_RATE = 3e-3


class Term(NamedTuple):
    """What an `Alignment` adds to the losses of a batch."""

    loss: tf.Tensor  # the sum over the batch, a scalar
    size: tf.Tensor  # the sum of what targets are divided by the mean of, a scalar


class Alignment(ABC):
    """Pulls a model's attention toward what a head beside it learns of the model.

    The head is an `EffectHead`, which reads what the forward pass has made and
    learns by an Adam of its own: nothing of its loss reaches the model. Where the
    model has batch normalisation or dropout the head normalises what it reads;
    otherwise not, so that a step is the same in microbatches.

    Args:
        model: An `ExplainingModel`; its strategy's replicas each align their part
            of a batch.
        weight: The loss's weight, above 0.
        num_sets: Number of sets of several fields of which the head learns.
        seed: Seed of what is drawn.

    Attributes:
        optimizer: The head's.
        head_weights: What it trains.
        mean_size: What targets are divided by: a mean over the batch before.
        variables: What changes, for a checkpoint.
    """

    def __init__(self, model: keras.Model, weight: float, num_sets: int, seed: int):
        self.model, self.weight, self.seed = model, weight, seed
        self.normalise = needs_whole_batches(model)
        config = {"num_pairs": num_sets, "dtype": model.logit_dtype, "name": "effect_head"}
        with model.distribute_strategy.scope():
            self.head = model.make_effect_head(config)
            self.head_weights = self.head.trainable_variables
            self.optimizer = Adam(HEAD_LEARNING_RATE)
            self.optimizer.build(self.head_weights)
            self.mean_size = tf.Variable(
                tf.zeros((), model.logit_dtype),
                trainable=False,
                aggregation=tf.VariableAggregation.ONLY_FIRST_REPLICA,
            )
        self.variables = [*self.head.variables, *self.optimizer.variables, self.mean_size]

    @abstractmethod
    def draw(self, rows: tf.Tensor) -> tf.Tensor:
        """Returns the fields that this step's batch is asked about, (B, ...)."""

    @abstractmethod
    def term(self, found: Any, drawn: tf.Tensor, before: list[tuple[Any, tf.Tensor]]) -> Term:
        """Returns what is to be minimised besides the logloss: the pull and the head's error.

        Args:
            found: What `ExplainingModel.forward` found for a batch in training.
            drawn: What `draw` returned for its records.
            before: The model's variables that are not trained, with their values
                before that pass, for `keras.StatelessScope`.
        """

    def follow_learning_rate(self, share: float) -> None:
        """Gives the head the share of its learning rate that the model has of its own."""
        self.optimizer.learning_rate = HEAD_LEARNING_RATE * share

    def after_step(self, mean_size: tf.Tensor) -> None:
        """Takes in the mean of `Term.size` over the step's batch."""
        self.mean_size.assign(tf.cast(mean_size, self.mean_size.dtype))


def check_alignment(
    model: keras.Model, weight_name: str = "effect_weight", self_distillation: float = 0.0
) -> None:
    """Checks that a model's attention can be aligned.

    Args:
        model: The model.
        weight_name: The setting that asks for it.
        self_distillation: The weight of that loss.

    Raises:
        ValueError: If the model has no attention weights, or there is
            self-distillation.
    """
    if not hasattr(model, "explain"):
        raise ValueError(
            f"{weight_name} needs a model with attention weights, and {type(model).__name__} has "
            "none: train an InterHAt, or leave it out"
        )
    if self_distillation:
        raise ValueError(f"{weight_name} and self_distillation do not go together; choose one")


def aligned_forward(
    model: keras.Model, inputs: Batch, alignments: Sequence[Alignment], drawn: Sequence[tf.Tensor]
) -> tuple[tf.Tensor, list[Term]]:
    """Predicts for a batch in training.

    Args:
        model: The model.
        inputs: The records.
        alignments: What pulls its attention.
        drawn: What the `draw` of each returned for these records.

    Returns:
        The logits, (B,), and what each alignment adds to the losses.
    """
    before = [(v, tf.identity(v.value)) for v in model.non_trainable_variables]
    found = model.forward(model.embedding(inputs), training=True)
    pairs = zip(alignments, drawn, strict=True)
    terms = [alignment.term(found, fields, before) for alignment, fields in pairs]
    return found.logits[:, 0], terms
