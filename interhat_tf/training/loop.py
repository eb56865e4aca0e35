"""Trains a model on a prepared data set: epochs, early stopping, resuming, the run's record."""

import contextlib
import dataclasses
import functools
import pathlib
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from tqdm.auto import tqdm

from interhat_tf.input_pipeline.dataset import PreparedDataset
from interhat_tf.training.adapting import adapt_and_diagnose, adapt_untrained
from interhat_tf.training.align import align_after_training
from interhat_tf.training.checkpoint import Checkpoint, TrainingState
from interhat_tf.training.checks import check_training
from interhat_tf.training.continuation import EarlierRun, Trained
from interhat_tf.training.distribution import (
    check_agreement,
    distribute_batches,
    naming_lost_workers,
)
from interhat_tf.training.early_stopping import CRITERIA, overfits
from interhat_tf.training.evaluation import compile_prediction, evaluate
from interhat_tf.training.mean_predictions import correct_means
from interhat_tf.training.record_weights import RecordWeights, start_logits
from interhat_tf.training.run_folder import (
    alone_in,
    architecture,
    check_config,
    load_best_weights,
    save_model,
)
from interhat_tf.training.settings import TrainingSettings
from interhat_tf.training.step import compile_steps
from interhat_tf.training.summaries import RunSummaries
from interhat_tf.utils.files import read_json, write_json
from interhat_tf.utils.formats import FORMAT
from interhat_tf.utils.provenance import versions

STEPS_PER_CALL = 16


def train(
    model: keras.Model,
    data: PreparedDataset,
    output_dir: str | pathlib.Path,
    settings: TrainingSettings | None = None,
    *,
    config: Mapping[str, Any] | None = None,
    callbacks: Iterable[keras.callbacks.Callback] = (),
    resume: bool = False,
    start_from: str | pathlib.Path | None = None,
    test: bool = True,
) -> dict[str, Any]:
    """Trains a model, keeps the weights that are best on validation, and reports.

    This is the trainer for prepared data sets: it resumes exactly, writes a
    report, and uses several devices. For batches or arrays of your own there are
    Keras' `compile` and `fit`, with `interhat_tf.Adam` and
    `interhat_tf.callbacks.EarlyStopping`, which stops as this function does.

    The learning rate drops after an epoch without a gain of `settings.criterion` on
    validation, and training stops after `settings.patience` such epochs in a row.
    The test split is read once, after that. With `settings.ema_momentum` all this,
    callbacks at the ends of epochs and the saved model are about the average of the
    weights; the training itself goes on from the last ones. With
    `settings.alignment_epochs`, as `"tuned"` has it, attention is aligned in some more epochs
    after the best one. What they come to is kept unless it costs too much by the criterion,
    beyond chance: then the saved model and the figures are of the best epoch. The report's
    `alignment` says which.

    A run that was killed at any moment goes on with `resume=True` and ends, on
    a CPU, with the very weights and report of an unbroken run; for that, it goes on
    with the number of threads that it was begun with alone. One that was finished gives
    its report, and the model its best weights.

    If the data set has weights, the loss (`record_weights.RecordWeights`) and the metrics
    are weighted, and the report has the `weights` of the splits.

    A model that was built in the scope of a `tf.distribute.Strategy` is trained
    on all of its devices. Several workers all call this, and share the run's
    folder, into which the chief alone writes; if one dies, all are to be started
    again with `resume=True`.

    Args:
        model: A model that gives logits, (B, 1).
        data: The `input_pipeline.PreparedDataset` to train on.
        output_dir: The run's folder; `run_folder` says what it holds.
        settings: `TrainingSettings`. Defaults to those of the run to start from,
            otherwise of the model's preset, `TrainingSettings.of_model(model)`.
        config: JSON-serialisable record of what was asked for, kept in the
            report; a resumed run must have the same.
        callbacks: Keras callbacks; `on_train_begin`, `on_epoch_begin`,
            `on_epoch_end` and `on_train_end` are called, the last with the best
            weights in place. Of several workers the chief calls them.
        resume: Whether to go on with the run in `output_dir`, if there is one.
        start_from: Folder of an earlier run, from whose best epoch this one goes on:
            with its weights (before averaging, if there was any), its optimizer's
            moments and count of steps and its averages, but this run's learning
            rate. It was on the same data set, or on the one that it grew from; the
            model is then what `grow_model` made of its model. New values start with the
            weights of the unknown one and without moments. Defaults to `None`.
        test: Whether the test split is evaluated.

    Returns:
        The report, as `report.json` holds it.

    Raises:
        FileExistsError: If `output_dir` holds a run and `resume` is not set, or
            another process is training into it.
        FileNotFoundError: If there is no run to start from.
        ValueError: If the run in `output_dir` has another configuration or is of
            another model, or the data set is another than the run's or the
            model's, or a record does not follow it, or the model cannot be trained in
            microbatches, with self-distillation or with aligned attention as the
            settings ask, or the checkpoint is damaged or was made with another number of
            threads, or the data cannot be distributed to the devices, or the run to
            start from is of another set or model, or its state does not go with the
            settings, or several devices are to average weights with `"lazy_adam"`.
        ConnectionError: If another worker is lost.
    """
    folder = pathlib.Path(output_dir).expanduser()
    strategy = model.distribute_strategy
    earlier = None if start_from is None else EarlierRun(start_from)
    if settings is None:
        settings = earlier.settings if earlier else TrainingSettings.of_model(model)
    settings = settings.complete(model, data)
    config = {
        **(config or {}),
        **({"start_from": str(start_from)} if earlier else {}),
        "format": FORMAT,
        "architecture": architecture(model),
        "training": dataclasses.asdict(settings),
        "data": data.digests,
    }
    check_config(folder, config, resume)
    data.check_model(model)
    if (folder / "report.json").exists():
        load_best_weights(model, folder)
        return read_json(folder / "report.json")
    splits = ("train", "validation", "test") if test else ("train", "validation")
    check_training(model, data, settings, splits)
    if earlier:
        earlier.check(model, data, settings)

    model.drop_fits()
    if not earlier:
        adapt_untrained(model, data)
        start_logits(model, data)
    loop = _Loop(model, data, settings, folder)
    if earlier:
        earlier.restore(loop.trained, data)
        loop.checkpoint.best_weights = _weights(model)
    # What is refused above leaves the folder as it was.
    with alone_in(folder) if loop.is_chief else contextlib.nullcontext():
        if loop.is_chief:
            check_config(folder, config, resume)  # another may have begun since the first look
        if resume:
            loop.checkpoint.restore()
        check_agreement(strategy, loop.state.epoch, loop.state.step)
        if loop.is_chief:
            write_json(folder / "config.json", config)
        return _finish(loop, config, callbacks, test)


def _finish(
    loop: "_Loop",
    config: Mapping[str, Any],
    callbacks: Iterable[keras.callbacks.Callback],
    test: bool,
) -> dict[str, Any]:
    """Trains to the end, saves the model and returns the report."""
    model, folder = loop.model, loop.folder
    called = keras.callbacks.CallbackList(list(callbacks) if loop.is_chief else [], model=model)
    with naming_lost_workers():
        called.on_train_begin()
        loop.summaries.begin(config)
        loop.run(called)
        loop.take_best_weights()
        if loop.is_chief:
            save_model(model, folder)  # before callbacks, whose failure must not lose it
        called.on_train_end()
        report = loop.report(config, test)
    if loop.is_chief:
        write_json(folder / "report.json", report)
    loop.summaries.end(report)
    return report


class _Loop:
    """The epochs of a training; `checkpoint` holds all that changes."""

    def __init__(
        self,
        model: keras.Model,
        data: PreparedDataset,
        settings: TrainingSettings,
        folder: pathlib.Path,
    ):
        self.model, self.data, self.settings, self.folder = model, data, settings, folder
        self.strategy = model.distribute_strategy
        self.is_chief = self.strategy.extended.should_checkpoint
        self.summaries = RunSummaries(folder, self.is_chief)
        self.optimizer = settings.make_optimizer(model)
        self.averaged = settings.make_average(model)
        averages = self.averaged.variables if self.averaged else []
        self.alignments = settings.make_alignments(model)
        self.trained = Trained(model, self.optimizer, self.averaged, self.alignments)
        heads = [variable for a in self.alignments for variable in a.variables]
        self.aligned: dict[str, Any] | None = None
        self.loss_sum = tf.Variable(0.0, dtype=tf.float64, trainable=False)
        self.checkpoint = Checkpoint(
            folder / "checkpoint.npz",
            [*model.variables, *self.optimizer.variables, *averages, *heads, self.loss_sum],
            _weights(model),
        )
        self.state.penalty_scale = settings.penalty_scale
        self.predict = compile_prediction(model, settings.microbatch_size)
        self.num_rows = data.num_rows("train")
        assert settings.input_shards is not None  # `train` has completed them
        assert settings.unknown_share is not None
        self.input_shards, self.unknown_share = settings.input_shards, settings.unknown_share
        self.steps_per_epoch = data.num_batches(settings.batch_size, self.input_shards)

    @property
    def state(self) -> TrainingState:
        return self.checkpoint.state

    def run(self, callbacks: keras.callbacks.CallbackList) -> None:
        """Trains until there is no gain on validation any more."""
        settings, state = self.settings, self.state
        order = {
            "seed": settings.seed,
            "first_epoch": state.epoch,
            "skip_batches": state.step,
        }
        batches = iter(
            distribute_batches(
                self.strategy,
                self.data,
                settings.batch_size,
                self.input_shards,
                unknown_share=self.unknown_share,
                **order,
            )
        )
        train_steps = self._compile_steps()
        while not state.finished:
            callbacks.on_epoch_begin(state.epoch)
            self._run_epoch(train_steps, batches)
            with self.averaged.in_place() if self.averaged else contextlib.nullcontext():
                logs = self._evaluate_epoch()
                self._log(logs)
                self._close_epoch(logs)
                callbacks.on_epoch_end(state.epoch - 1, logs)
            if self.is_chief and not state.epochs_without_gain:
                self.trained.save(self.folder, self.data, state.penalty_scale)
            if self._has_to_penalise():
                state.penalty_scale *= settings.penalty_factor
                train_steps = self._compile_steps()
            # After the last epoch the report follows; a run that is killed
            # before it is there repeats that epoch, its callbacks included.
            if not state.finished:
                self._save()

    def _compile_steps(self) -> Callable:
        settings = self.settings
        return compile_steps(
            self.model,
            self.optimizer,
            self.loss_sum,
            jit_compile=settings.jit_compile,
            microbatch_size=settings.microbatch_size,
            averaged=self.averaged,
            self_distillation=settings.self_distillation,
            alignments=self.alignments,
            record_weights=RecordWeights.of_training(self.data, settings.positive_weight),
            penalty_scale=self.state.penalty_scale,
        )

    def _has_to_penalise(self) -> bool:
        """Returns whether the next epoch has stronger penalties."""
        state = self.state
        grows = self.settings.penalty_factor > 1 and not state.finished
        return grows and overfits(state.history, state.best_epoch)

    def _run_epoch(self, train_steps: Callable, batches: Iterator) -> None:
        state = self.state
        # Within a call, what replicas exchange must keep its shape; an epoch's last batches
        # are short.
        steps_per_call = STEPS_PER_CALL if self.strategy.num_replicas_in_sync == 1 else 1
        started = saved = time.monotonic()
        earlier = state.seconds
        with tqdm(
            total=self.steps_per_epoch,
            initial=state.step,
            desc=f"epoch {state.epoch + 1}",
            unit="step",
            leave=False,
            disable=None if self.is_chief else True,
        ) as progress:
            while state.step < self.steps_per_epoch:
                steps = min(steps_per_call, self.steps_per_epoch - state.step)
                train_steps(batches, tf.constant(steps))
                state.step += steps
                progress.update(steps)
                now = time.monotonic()
                state.seconds = earlier + now - started
                if now - saved > 60 * self.settings.checkpoint_minutes:
                    self._save()
                    saved = now
        state.epoch_seconds.append(state.seconds - sum(state.epoch_seconds))

    def _evaluate_epoch(self):
        """Returns the epoch's loss, learning rate and metrics on validation."""
        loss = float(self.loss_sum.numpy()) / self.num_rows
        self.loss_sum.assign(0.0)
        learning_rate = float(self.optimizer.learning_rate.numpy())
        validation = self._evaluate("validation")
        logs = {"loss": loss, "learning_rate": learning_rate}
        if self.settings.penalty_factor > 1:
            logs["penalty_scale"] = self.state.penalty_scale
        return logs | {f"validation_{name}": value for name, value in validation.items()}

    def _log(self, logs):
        state = self.state
        state.history.append({"epoch": state.epoch + 1, **logs})
        self.summaries.add(state.epoch + 1, logs)
        if self.is_chief:
            scale = logs.get("penalty_scale", 1.0)
            print(
                f"epoch {state.epoch + 1}: loss {logs['loss']:.5f}, "
                f"validation auc {logs['validation_auc']:.5f}, "
                f"logloss {logs['validation_logloss']:.5f}, "
                f"learning rate {logs['learning_rate']:.1e}, "
                f"{'' if scale == 1 else f'penalty times {scale:g}, '}{state.seconds:.0f} s",
                flush=True,
            )

    def _close_epoch(self, logs):
        """Keeps the best weights or drops the learning rate, and goes to the next epoch."""
        state, settings = self.state, self.settings
        score = CRITERIA[settings.criterion](logs["validation_auc"], logs["validation_logloss"])
        if state.update(state.epoch, score):
            self.checkpoint.best_weights = _weights(self.model)
        else:
            rate = logs["learning_rate"] * settings.learning_rate_factor
            self.optimizer.learning_rate = rate
            for alignment in self.alignments:
                alignment.follow_learning_rate(rate / settings.learning_rate)
        state.epoch, state.step = state.epoch + 1, 0
        state.finished = (
            state.epochs_without_gain >= settings.patience or state.epoch >= settings.max_epochs
        )

    def take_best_weights(self) -> None:
        """Gives the model the best weights, and what it takes from records and says of itself."""
        self.model.set_weights(self.checkpoint.best_weights)
        best = self.state.history[self.state.best_epoch]
        scale = best.get("penalty_scale", self.settings.penalty_scale)
        if self.settings.alignment_epochs and self.settings.aligns:
            self.align(dataclasses.replace(self.settings, penalty_scale=scale))
        own = self.model.training_settings
        if scale != own.get("penalty_scale", 1.0):
            self.model.training_settings = {**own, "penalty_scale": scale}
        self.model.trained_on = {"name": self.data.name, **self.data.digests}
        if self.unknown_share:
            correct_means(self.model, self.data, self.settings)
        adapt_and_diagnose(self.model, self.data)

    def align(self, settings: TrainingSettings) -> None:
        """Aligns attention in the epochs after the best one, and keeps that if it costs little.

        A run that is killed meanwhile repeats these epochs.
        """
        best = self.state.history[self.state.best_epoch]
        self.aligned = align_after_training(
            self.model,
            self.data,
            settings,
            self.optimizer,
            self.averaged,
            before={
                name.removeprefix("validation_"): value
                for name, value in best.items()
                if name.startswith("validation_")
            },
            validate=functools.partial(self._evaluate, "validation"),
            predict=self.predict,
        )
        if not self.aligned["kept"]:
            self.model.set_weights(self.checkpoint.best_weights)
        if self.is_chief:
            before, *_, after = self.aligned["validation"]
            print(
                f"attention aligned: validation auc {before['auc']:.5f} to {after['auc']:.5f}, "
                f"logloss {before['logloss']:.5f} to {after['logloss']:.5f}, "
                f"{self.aligned['seconds']:.0f} s"
                f"{'' if self.aligned['kept'] else '; not kept, since it costs too much'}",
                flush=True,
            )

    def report(self, config: Mapping[str, Any], test: bool) -> dict[str, Any]:
        """Returns the record of the finished run, read off the model's present weights."""
        state = self.state
        epochs = len(state.history)
        splits = ("validation", "test") if test else ("validation",)
        return {
            "config": config,
            "versions": versions(),
            "parameters": self.model.count_params(),
            "history": state.history,
            "best_epoch": state.best_epoch + 1,
            **({"alignment": self.aligned} if self.aligned else {}),
            "validation": self._evaluate("validation"),
            **({"test": self._evaluate("test")} if test else {}),
            "unknown": {split: self.data.unknown_shares_of(split) for split in splits},
            **({"weights": self._weights_of_splits(test)} if self.data.weighted else {}),
            **self.model.diagnosis,
            "training": {
                "seconds": state.seconds,
                "epoch_seconds": state.epoch_seconds,
                "epochs": epochs,
                "rows_per_second": epochs * self.num_rows / state.seconds,
                "replicas": self.strategy.num_replicas_in_sync,
            },
        }

    def _weights_of_splits(self, test):
        """Returns what the records of each split weigh, and the share of that with a click."""
        found = {}
        for split in ("train", "validation", "test") if test else ("train", "validation"):
            others, clicks = self.data.label_weights(split)
            found[split] = {"weight": others + clicks, "click_rate": clicks / (others + clicks)}
        return found

    def _evaluate(self, split):
        return evaluate(self.model, self.data, split, self.predict, self.settings.auc_by)

    def _save(self):
        if self.is_chief:
            self.checkpoint.save()


def _weights(model):
    return [np.asarray(weight) for weight in model.weights]
