"""What losses have in common that pull a model's attention toward what it does."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any, NamedTuple

import keras
import tensorflow as tf

from interhat_tf.errors import SettingError
from interhat_tf.schema import Batch
from interhat_tf.training.microbatch import needs_whole_batches
from interhat_tf.training.optimizers import Adam

HEAD_LEARNING_RATE = 3e-3


class Term(NamedTuple):
    """What an `Alignment` adds to the losses of a batch."""

    loss: tf.Tensor  # the sum over the batch, a scalar
    sizes: tf.Tensor  # sums over the batch, (n,); targets are divided by the mean of the first


class Alignment(ABC):
    """Pulls a model's attention toward what the model does.

    Args:
        model: An `ExplainingModel`; its strategy's replicas each align their part
            of a batch.
        weight: The loss's weight, above 0.

    Attributes:
        head_weights: What is trained beside the model.
        num_sizes: How many sums `Term.sizes` are.
        variables: What changes, for a checkpoint.
    """

    def __init__(self, model: keras.Model, weight: float):
        self.model, self.weight = model, weight
        self.num_sizes = 0
        self.head_weights: list[keras.Variable] = []
        self.variables: list[Any] = []

    @abstractmethod
    def draw(self, rows: tf.Tensor) -> tf.Tensor:
        """Returns what this step's batch is asked about, (B, ...)."""

    @abstractmethod
    def term(self, found: Any, drawn: tf.Tensor, factors: tf.Tensor | None = None) -> Term:
        """Returns what is to be minimised besides the logloss: the pull and a head's error.

        Args:
            found: What `ExplainingModel.forward` found for a batch in training.
            drawn: What `draw` returned for its records.
            factors: What each record's part of all sums is multiplied by, (B,). Defaults to
                `None`: nothing.
        """

    def teach_head(self, gradients: list[tf.Tensor]) -> None:
        """Takes a step of `head_weights`; here there are none."""
        assert not gradients

    def follow_learning_rate(self, share: float) -> None:
        """Gives a head the share of its learning rate that the model has; here there is none."""
        assert not self.head_weights

    def after_step(self, means: tf.Tensor) -> None:
        """Takes in the means of `Term.sizes` over the step's batch; here there are none."""
        assert not self.num_sizes


class HeadAlignment(Alignment):
    """Pulls a model's attention toward what a head beside it learns of the model.

    The head is an `EffectHead`, which reads what the forward pass has made and
    learns by an Adam of its own: nothing of its loss reaches the model. What it
    learns are differences of predictions as in inference, without gradients: those
    of training, under a dropout mask and a batch's own statistics, are of another
    function. Where the model has batch normalisation or dropout the head normalises
    what it reads; otherwise not, so that a step is the same in microbatches.

    Args:
        model: As for `Alignment`.
        weight: As for `Alignment`.
        num_sets: Number of sets of several fields of which the head learns.
        seed: Seed of what is drawn.

    Attributes:
        optimizer: The head's.
        mean_size: What targets are divided by: a mean over the batch before.
    """

    def __init__(self, model: keras.Model, weight: float, num_sets: int, seed: int):
        super().__init__(model, weight)
        self.seed = seed
        self.num_sizes = 1
        self.normalise = needs_whole_batches(model)
        config = {"num_pairs": num_sets, "name": "effect_head"}
        with model.distribute_strategy.scope():
            self.head = model.make_effect_head(config)
            self.head_weights = self.head.trainable_variables
            self.optimizer = Adam(HEAD_LEARNING_RATE)
            self.optimizer.build(self.head_weights)
        self.mean_size = self.make_variable(tf.zeros((), model.logit_dtype))
        self.variables = [*self.head.variables, *self.optimizer.variables, self.mean_size]

    def make_variable(self, start: tf.Tensor) -> tf.Variable:
        """Returns a variable that `after_step` changes, in the model's strategy's scope."""
        once = tf.VariableAggregation.ONLY_FIRST_REPLICA
        with self.model.distribute_strategy.scope():
            return tf.Variable(start, trainable=False, aggregation=once)

    def as_in_inference(self, found: Any, every: int) -> Any:
        """Returns what a pass as in inference finds for one record in `every`, without gradients.

        A model without batch normalisation and dropout has found it already. What
        `effect_inputs` does not read is left as it is.
        """
        if self.normalise:
            found, every = self.model.forward(found.fields[::every]), 1
        read = ("logits", "output", "aggregations", "fields")
        return found._replace(
            **{name: tf.stop_gradient(getattr(found, name))[::every] for name in read}
        )

    def teach_head(self, gradients: list[tf.Tensor]) -> None:
        """Takes a step of the head's."""
        self.optimizer.apply(gradients, self.head_weights)

    def follow_learning_rate(self, share: float) -> None:
        """Gives the head the share of its learning rate that the model has of its own."""
        self.optimizer.learning_rate = HEAD_LEARNING_RATE * share

    def after_step(self, means: tf.Tensor) -> None:
        """Takes in the means of `Term.sizes` over the step's batch."""
        self.mean_size.assign(tf.cast(means[0], self.mean_size.dtype))


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
        raise SettingError(
            f"{weight_name} needs a model with attention weights, and {type(model).__name__} has "
            "none: train an InterHAt, or leave it out"
        )
    if self_distillation:
        raise SettingError(f"{weight_name} and self_distillation do not go together; choose one")


def aligned_forward(
    model: keras.Model,
    inputs: Batch,
    alignments: Sequence[Alignment],
    drawn: Sequence[tf.Tensor],
    factors: tf.Tensor | None = None,
) -> tuple[tf.Tensor, list[Term]]:
    """Predicts for a batch in training.

    Args:
        model: The model.
        inputs: The records.
        alignments: What pulls its attention.
        drawn: What the `draw` of each returned for these records.
        factors: As for `Alignment.term`.

    Returns:
        The logits, (B,), and what each alignment adds to the losses.
    """
    found = model.forward(model.embedding(inputs), training=True)
    pairs = zip(alignments, drawn, strict=True)
    terms = [alignment.term(found, fields, factors) for alignment, fields in pairs]
    return found.logits[:, 0], terms
