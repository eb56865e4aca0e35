"""Aligns the attention of a model that is trained already."""

import contextlib
import dataclasses
import functools
import time
from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from interhat_tf.errors import SettingError
from interhat_tf.input_pipeline.dataset import PreparedDataset
from interhat_tf.training.adapting import adapt_and_diagnose
from interhat_tf.training.averaged_weights import AveragedWeights
from interhat_tf.training.checks import check_training
from interhat_tf.training.distribution import distribute_batches
from interhat_tf.training.early_stopping import CRITERIA
from interhat_tf.training.evaluation import (
    Predict,
    compile_prediction,
    evaluate,
    predict_weighted,
)
from interhat_tf.training.mean_predictions import correct_means
from interhat_tf.training.metrics import influences
from interhat_tf.training.record_weights import RecordWeights
from interhat_tf.training.settings import TrainingSettings
from interhat_tf.training.step import compile_steps
from interhat_tf.training.teacher import Teacher

Validate = Callable[[], dict[str, float]]
Predictions = tuple[np.ndarray, np.ndarray, np.ndarray | None]
"""Labels, logits and weights of records, (n,) each."""


def align_attention(
    model: keras.Model,
    data: PreparedDataset,
    weight: float = 0.05,
    epochs: int = 3,
    order_weight: float = 0.0,
    **changes: Any,
) -> list[dict[str, float]]:
    """Trains a model on, until its attention weights say what the fields do to its logit.

    These are a few epochs with `TrainingSettings.effect_weight` and `order_weight`,
    of which one may be 0, at learning rates that fall from epoch to epoch by the
    same factor, to a tenth in the last one. After the best epoch of a training a model
    may learn the labels' noise by heart. So the loss has what the model predicted before,
    and `TrainingSettings.alignment_labels` says how much of the labels `y`:

        loss = H((1 - s) p_before + s y, p),  H(a, b) = -a log b - (1 - a) log(1 - b)

    which is knowledge distillation (Hinton, Vinyals and Dean 2015, "Distilling the
    Knowledge in a Neural Network") into a network that is the same, as in Furlanello et
    al., "Born-Again Neural Networks", ICML 2018, but goes on from its teacher's weights.
    A copy of the model stands beside it meanwhile, unless s is 1.

    The model keeps what the last epoch made of it, or the average of its weights
    if its settings have one, with a new average record and diagnosis (`adapt`,
    `diagnose`). Effects that `fit_effects` gave it, and its calibration, are dropped.

    Args:
        model: The model, an `InterHAt`.
        data: The `input_pipeline.PreparedDataset` that it was trained on.
        weight: The weight of the alignment with effects; see `effect_alignment`.
            Defaults to 0.05.
        epochs: Number of epochs. Defaults to 3.
        order_weight: The weight of the alignment of the order weights; see
            `order_alignment`. Defaults to 0, which leaves them alone.
        **changes: Arguments of `TrainingSettings` that win over those of the
            model's preset. `learning_rate` is the first epoch's and defaults to
            the preset's, but at most 1e-3; `effect_donors` to the preset's as well.

    Returns:
        The validation split's `auc` and `logloss` before, and after each epoch.

    Raises:
        ValueError: If the model has no attention weights, or as `OrderAlignment`
            asks, its schema is not the data set's, a record does not follow it, a weight
            is negative, or both are 0.

    Example:

        model = keras.models.load_model("runs/my_clicks/model.keras")
        align_attention(model, data)
        model.save("aligned.keras")
    """
    if not weight and not order_weight:
        raise SettingError("weight and order_weight are both 0: nothing would be aligned")
    weights = {"effect_weight": weight, "order_weight": order_weight, "alignment_epochs": 0}
    settings = TrainingSettings.of_model(model, **changes, **weights).complete(model, data)
    data.check_model(model)
    check_training(model, data, settings, ("train", "validation"))
    model.drop_fits()
    first_rate = changes.get("learning_rate", settings.of_alignment().learning_rate)
    settings = dataclasses.replace(settings, learning_rate=first_rate)
    optimizer, averaged = settings.make_optimizer(model), settings.make_average(model)
    predict = compile_prediction(model, settings.microbatch_size)
    validate = functools.partial(evaluate, model, data, "validation", predict)
    before = validate()
    after = align_in_epochs(model, data, settings, epochs, optimizer, averaged, validate)
    if settings.unknown_share:
        correct_means(model, data, settings)
    adapt_and_diagnose(model, data)
    return [before, *after]


def align_after_training(
    model: keras.Model,
    data: PreparedDataset,
    settings: TrainingSettings,
    optimizer: keras.optimizers.Optimizer,
    averaged: AveragedWeights | None,
    before: dict[str, float],
    validate: Validate,
    predict: Predict,
) -> dict[str, Any]:
    """Aligns the attention of a model that has the best weights of its training.

    The loss is that of `align_attention`. The training's optimizer and average begin
    again: a second pair would take as much memory once more.

    A small validation split says little about what that costs. So a cost within the standard error
    of the difference, measured on the same records, is accepted as chance.

    Args:
        model: The model.
        data: The data set that it was trained on.
        settings: The training's complete settings.
        optimizer: The training's optimizer.
        averaged: The training's average of the weights, if it has one.
        before: Figures of the best weights on validation.
        validate: Returns such figures of the model's present weights.
        predict: A function from a batch's inputs to the logits of the model's present weights.

    Returns:
        The figures of `validation`, before and after each epoch; `cost`, by how much the last
        are worse than the first by the settings' criterion, and its `standard_error`; `kept`,
        whether the cost is at most their `alignment_cost` and this error; and `seconds`.
    """
    started = time.monotonic()
    predicted = functools.partial(predict_weighted, model, data, "validation", predict)
    old = predicted()
    for variable in optimizer.variables:
        variable.assign(tf.zeros(variable.shape, variable.dtype))
    if averaged:
        averaged.restart()
    own, epochs = settings.of_alignment(), settings.alignment_epochs
    after = align_in_epochs(model, data, own, epochs, optimizer, averaged, validate)
    criterion = CRITERIA[settings.criterion]
    first, last = (criterion(found["auc"], found["logloss"]) for found in (before, after[-1]))
    error = _standard_error(criterion, old, predicted())
    return {
        "kept": first - last <= settings.alignment_cost + error,
        "cost": first - last,
        "standard_error": error,
        "validation": [before, *after],
        "seconds": time.monotonic() - started,
    }


def _standard_error(
    criterion: Callable[[Any, Any], Any], old: Predictions, new: Predictions
) -> float:
    """Returns by how much chance moves the difference of a criterion between two predictions."""
    before, after = (criterion(*influences(*predictions)) for predictions in (old, new))
    labels, _, weights = old
    if weights is None:
        weights = np.ones(len(labels))
    return float(np.linalg.norm(weights * (after - before)) / weights.sum())


def align_in_epochs(
    model: keras.Model,
    data: PreparedDataset,
    settings: TrainingSettings,
    epochs: int,
    optimizer: keras.optimizers.Optimizer,
    averaged: AveragedWeights | None,
    validate: Validate,
) -> list[dict[str, float]]:
    """Trains a model on with the alignments of its settings, and leaves it the average, if any.

    Args:
        model: The model.
        data: The data set that it was trained on.
        settings: The complete settings; learning rates fall from theirs to a tenth of it.
        epochs: Number of epochs.
        optimizer: The settings' optimizer, as new.
        averaged: The settings' average of the weights, as new.
        validate: Returns the figures of the model's present weights on validation.

    Returns:
        These figures after each epoch.
    """
    alignments, strategy = settings.make_alignments(model), model.distribute_strategy
    labels = settings.alignment_labels
    train_steps = compile_steps(
        model,
        optimizer,
        tf.Variable(0.0, dtype=tf.float64, trainable=False),
        jit_compile=settings.jit_compile,
        microbatch_size=settings.microbatch_size,
        averaged=averaged,
        alignments=alignments,
        record_weights=RecordWeights.of_training(data, settings.positive_weight),
        teacher=Teacher.copy_of(model, labels) if labels < 1 else None,
        penalty_scale=settings.penalty_scale,
    )
    shards, unknown = settings.input_shards, settings.unknown_share
    assert shards is not None and unknown is not None  # they are complete
    batches = distribute_batches(
        strategy, data, settings.batch_size, shards, unknown, seed=settings.seed
    )
    batches = iter(batches)
    history = []
    for share in np.geomspace(1.0, 0.1, epochs):
        optimizer.learning_rate = share * settings.learning_rate
        for alignment in alignments:
            alignment.follow_learning_rate(share)
        for _ in range(data.num_batches(settings.batch_size, shards)):
            train_steps(batches, tf.constant(1))
        with averaged.in_place() if averaged else contextlib.nullcontext():
            history.append(validate())
    if averaged:
        averaged.swap_in()
    return history
