"""Curves of a model's logloss on validation over the seconds of its training.

All seconds count: reading, making the model, training, and each evaluation until its logloss is
known. Evaluations are on the same records for all models, `VALIDATION_ROWS` at most, and come
after 1.25 times the seconds of the one before, so that they take a small part of all; and after
an epoch, or a first tree. An EBM evaluates after each tree by itself; its points are
taken at the same moments.
"""

import time
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from experiments.trees.ebm import EBM
from experiments.trees.lightgbm_trees import LightGBM
from experiments.trees.records import Records, matrix, read_records
from interhat_tf.input_pipeline.dataset import PreparedDataset
from interhat_tf.models import MODELS
from interhat_tf.models.presets import hyperparameters
from interhat_tf.training import metrics
from interhat_tf.training.adapting import adapt_untrained
from interhat_tf.training.evaluation import compile_prediction
from interhat_tf.training.record_weights import RecordWeights, start_logits
from interhat_tf.training.settings import TrainingSettings
from interhat_tf.training.step import compile_steps

VALIDATION_ROWS = 100_000
FACTOR = 1.25
"""Seconds of an evaluation, from the start, over those of the one before."""
STEPS_PER_CALL = 16

Curve = list[dict[str, float]]
"""Points of `seconds` and `logloss`, and of `epoch`, passes over the training records or trees."""


class Clock:
    """The seconds since a training began, and the curve that it draws.

    Args:
        limit: Seconds after which training ends.
        first: Seconds after which the first evaluation is due.
    """

    def __init__(self, limit: float, first: float = 1.0):
        self.start, self.limit, self.next = time.perf_counter(), limit, first
        self.curve: Curve = []

    @property
    def seconds(self) -> float:
        """The seconds until now."""
        return time.perf_counter() - self.start

    def is_due(self) -> bool:
        """Returns whether it is time to evaluate."""
        return self.seconds >= self.next

    def is_over(self) -> bool:
        """Returns whether training has had its time, which is enough for one evaluation."""
        return bool(self.curve) and self.seconds >= self.limit

    def add(self, logloss: float, epoch: float) -> None:
        """Adds a point."""
        seconds = self.seconds
        self.curve.append({"seconds": seconds, "logloss": float(logloss), "epoch": epoch})
        self.next = seconds * FACTOR


def validation_records(data: PreparedDataset) -> tuple[dict[str, np.ndarray], np.ndarray]:
    """Returns the records on which all models are evaluated, and their labels."""
    batches = data.evaluation_batches("validation", VALIDATION_ROWS)
    return next(batches.as_numpy_iterator())


def neural_curve(
    name: str, arguments: dict[str, Any], data: PreparedDataset, clock: Clock, seed: int
) -> None:
    """Trains a model of the library as `training.train` does, with evaluations within epochs.

    The learning rate falls after an epoch without gain on validation, unless the model is
    InterHAt, whose preset keeps it, and training stops after as many of them as the settings'
    patience says. All models have the penalty of embeddings, the batches, the learning rate and
    the averaged weights that `tuned` takes for the log: without a penalty, an MLP overfits after
    a pass or two.

    Args:
        name: The model's name.
        arguments: Its arguments, which win over those of its preset.
        data: The `PreparedDataset`.
        clock: The clock, which keeps the curve.
        seed: Seed of weights and of the order of records.
    """
    keras.utils.set_random_seed(seed)
    of_preset, of_interhat = (
        hyperparameters(data.name, "tuned", model, rows=data.num_rows("train"), schema=data.schema)
        for model in (name, "interhat")
    )
    penalty = {"embedding_l2": of_interhat[0]["embedding_l2"]}
    shared = {key: of_interhat[1][key] for key in ("batch_size", "learning_rate", "ema_momentum")}
    model = MODELS[name](data.schema, **{**of_preset[0], **penalty, **arguments})
    settings = TrainingSettings(**{**of_preset[1], **shared}, seed=seed)
    settings = settings.complete(model, data)
    adapt_untrained(model, data)
    start_logits(model, data)
    averaged, optimizer = settings.make_average(model), settings.make_optimizer(model)
    assert averaged is not None and settings.unknown_share is not None
    predict = compile_prediction(model)
    inputs, labels = validation_records(data)

    def evaluate(epoch):
        with averaged.in_place():
            parts = np.array_split(np.arange(len(labels)), -(-len(labels) // 8192))
            logits = [predict({k: v[part] for k, v in inputs.items()}) for part in parts]
        clock.add(metrics.logloss(labels, np.concatenate(logits)[:, 0]), epoch)

    train_steps = compile_steps(
        model,
        optimizer,
        tf.Variable(0.0, dtype=tf.float64, trainable=False),
        averaged=averaged,
        record_weights=RecordWeights.of_training(data, settings.positive_weight),
    )
    batches = iter(
        data.training_batches(settings.batch_size, seed, unknown_share=settings.unknown_share)
    )
    steps_an_epoch = data.num_batches(settings.batch_size)
    step, best, without_gain = 0, np.inf, 0
    while without_gain < settings.patience and not clock.is_over():
        left = steps_an_epoch - step % steps_an_epoch
        steps = min(STEPS_PER_CALL, left)
        train_steps(batches, tf.constant(steps))
        step += steps
        if steps == left or clock.is_due():
            evaluate(step / steps_an_epoch)
        if steps == left:
            without_gain = 0 if clock.curve[-1]["logloss"] < best else without_gain + 1
            best = min(best, clock.curve[-1]["logloss"])
            if without_gain:
                optimizer.learning_rate = optimizer.learning_rate * settings.learning_rate_factor


def lightgbm_curve(data: PreparedDataset, clock: Clock, seed: int, patience: int = 10) -> None:
    """Grows LightGBM's trees, as the library has them by default.

    Args:
        data: The `PreparedDataset`.
        clock: The clock, which keeps the curve.
        seed: Seed of what is drawn.
        patience: Evaluations without gain after which training ends.
    """
    import lightgbm

    model = LightGBM(data.schema)
    settings = {**model.settings, "seed": seed}
    categories = list(range(len(data.schema.vocabulary_sizes)))
    train_set = lightgbm.Dataset(
        *read_records(data, "train"), categorical_feature=categories, params=settings
    )
    booster = lightgbm.Booster(settings, train_set)
    inputs, labels = validation_records(data)
    fields, best, without_gain = matrix(inputs), np.inf, 0
    while without_gain < patience and not clock.is_over():
        if booster.update():  # no tree can be grown any more
            break
        if clock.is_due() or not clock.curve:  # of few records a second has hundreds of trees
            logits = booster.predict(fields, raw_score=True)
            clock.add(metrics.logloss(labels, logits), booster.current_iteration())
            without_gain = 0 if clock.curve[-1]["logloss"] < best else without_gain + 1
            best = min(best, clock.curve[-1]["logloss"])


def ebm_curve(data: PreparedDataset, clock: Clock, seed: int) -> None:
    """Grows an EBM's trees, as interpret has them by default, until it stops by itself.

    Args:
        data: The `PreparedDataset`.
        clock: The clock, which keeps the curve.
        seed: Seed of what is drawn.
    """
    trees = 0

    def after_tree(bag: int, step: int, has_gain: bool, logloss: float) -> bool:
        nonlocal trees
        trees += 1
        if clock.is_due() or not clock.curve:
            clock.add(logloss, trees)
        return clock.is_over()

    model = EBM(data.schema)
    # In this process, where the curve is; there is one bag, so that one core grows it in any case.
    model.settings |= {"callback": after_tree, "n_jobs": 1}
    inputs, labels = validation_records(data)
    validation: Records = matrix(inputs), labels
    model.fit(read_records(data, "train"), validation, seed)
