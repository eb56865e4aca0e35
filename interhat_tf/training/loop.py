"""Trains a model on a prepared data set: early stopping, checkpoints, resuming, the run's record.

A run writes one folder:

    config.json       what was asked for
    checkpoint.npz    the whole state of the training; overwritten as it goes on
    tensorboard/      the history, for TensorBoard
    model.keras       the model with its best weights
    report.json       config, versions, history and final metrics; written last
"""

import dataclasses
import json
import os
import pathlib
import time
import zipfile

import keras
import numpy as np
import tensorflow as tf
from tqdm.auto import tqdm

from interhat_tf.training import metrics
from interhat_tf.training.distribution import (
    check_agreement,
    distribute_batches,
    naming_lost_workers,
)
from interhat_tf.training.optimizers import Adam, LazyAdam
from interhat_tf.training.step import check_microbatches, compile_prediction, compile_steps
from interhat_tf.utils.files import atomic_write, read_json, write_json
from interhat_tf.utils.provenance import versions

EVALUATION_BATCH_SIZE = 8192
STEPS_PER_CALL = 16
OPTIMIZERS = {"adam": Adam, "lazy_adam": LazyAdam}

MIN_GAIN = 1e-5
"""Smaller gains on validation count as none: with a small learning rate they would never end."""


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
        patience: Epochs without a gain on validation after which it stops.
        learning_rate_factor: What the learning rate is multiplied by after each
            epoch without a gain.
        seed: Seed of the order of the records.
        jit_compile: Whether XLA compiles the training step.
        microbatch_size: Records whose gradient is computed at a time, or `None`,
            the whole batch; see `step.compile_steps`.
        input_shards: Equal parts of a batch, each read from files of its own, or
            `None`, one for each replica of the model; see
            `PreparedDataset.training_batches`. Runs with the same number see the
            same batches, on however many devices.
        checkpoint_minutes: Time between checkpoints within an epoch; there is
            one after every epoch as well.

    Raises:
        ValueError: If there is no such optimizer.
    """

    learning_rate: float = 1e-3
    beta_2: float = 0.999
    optimizer: str = "adam"
    batch_size: int = 2048
    max_epochs: int = 100
    patience: int = 2
    learning_rate_factor: float = 0.1
    seed: int = 0
    jit_compile: bool = False
    microbatch_size: int | None = None
    input_shards: int | None = None
    checkpoint_minutes: float = 5.0

    def __post_init__(self):
        if self.optimizer not in OPTIMIZERS:
            raise ValueError(f"optimizer {self.optimizer!r}: not of {', '.join(OPTIMIZERS)}")


@dataclasses.dataclass
class TrainingState:
    """Where a training stands, apart from the variables."""

    epoch: int = 0
    step: int = 0
    best_epoch: int = -1
    best_score: float = -float("inf")
    epochs_without_gain: int = 0
    finished: bool = False
    seconds: float = 0.0
    epoch_seconds: list = dataclasses.field(default_factory=list)
    history: list = dataclasses.field(default_factory=list)


def train(model, data, output_dir, settings, *, config=None, callbacks=(), resume=False, test=True):
    """Trains a model, keeps the weights that are best on validation, and reports.

    The learning rate drops after an epoch without a gain of `auc - logloss` on
    validation, and training stops after `settings.patience` such epochs in a
    row. The test split is read once, after that.

    A run that was killed at any moment goes on with `resume=True` and ends, on
    a CPU, with the very weights and report of an unbroken run. One that was
    finished gives its report, and the model its best weights.

    A model that was built in the scope of a `tf.distribute.Strategy` is trained
    on all of its devices. Several workers all call this, and share the run's
    folder, into which the chief alone writes; if one dies, all are to be started
    again with `resume=True`.

    Args:
        model: A model that gives logits, (B, 1).
        data: The `input_pipeline.PreparedDataset` to train on.
        output_dir: The run's folder.
        settings: `TrainingSettings`.
        config: JSON-serialisable record of what was asked for, kept in the
            report; a resumed run must have the same.
        callbacks: Keras callbacks; `on_train_begin`, `on_epoch_begin`,
            `on_epoch_end` and `on_train_end` are called, the last with the best
            weights in place. Of several workers the chief calls them.
        resume: Whether to go on with the run in `output_dir`, if there is one.
        test: Whether the test split is evaluated.

    Returns:
        The report, as `report.json` holds it.

    Raises:
        FileExistsError: If `output_dir` holds a run and `resume` is not set.
        ValueError: If the run in `output_dir` has another configuration or is of
            another model, or the model's schema is not the data set's, or a
            record does not follow it, or the model cannot be trained in
            microbatches as the settings ask, or the checkpoint is damaged, or the data
            cannot be dealt out to the devices.
        ConnectionError: If another worker is lost.
    """
    folder = pathlib.Path(output_dir)
    strategy = model.distribute_strategy
    if settings.input_shards is None:
        settings = dataclasses.replace(settings, input_shards=strategy.num_replicas_in_sync)
    config = {
        **(config or {}),
        "architecture": _architecture(model),
        "training": dataclasses.asdict(settings),
    }
    _check_run(folder, config, resume)
    if model.schema != data.schema:
        raise ValueError(f"the model's schema is not that of the data set {data.name}")
    if (folder / "report.json").exists():
        _load_best_weights(model, folder / "model.keras")
        return read_json(folder / "report.json")
    if settings.microbatch_size:
        check_microbatches(model, settings.jit_compile)
    for split in ("train", "validation", "test") if test else ("train", "validation"):
        data.check(split)

    loop = _Loop(model, data, settings, folder)
    if resume:
        loop.restore()
    check_agreement(strategy, loop.state.epoch, loop.state.step)
    # What is refused above leaves the folder as it was.
    if loop.is_chief:
        write_json(folder / "config.json", config)
    callbacks = list(callbacks) if loop.is_chief else []
    callbacks = keras.callbacks.CallbackList(callbacks, model=model)
    with naming_lost_workers():
        callbacks.on_train_begin()
        loop.run(callbacks)
        loop.use_best_weights()
        callbacks.on_train_end()
        if loop.is_chief:
            _save_model(model, folder / "model.keras")
        report = loop.report(config, test)
    if loop.is_chief:
        write_json(folder / "report.json", report)
    return report


def evaluate(model, data, split, predict=None):
    """Returns the exact `auc` and `logloss` of a model on a split of a data set.

    Args:
        model: A model that gives logits, (B, 1).
        data: The `PreparedDataset`.
        split: The split.
        predict: A function from a batch's inputs to its logits. Defaults to
            `model.predict_on_batch`.
    """
    labels, logits = predict_logits(model, data, split, predict)
    return {"auc": metrics.auc(labels, logits), "logloss": metrics.logloss(labels, logits)}


def predict_logits(model, data, split, predict=None):
    """Returns the labels and the logits of a split's records, (n,) each, in stored order."""
    predict = predict or model.predict_on_batch
    labels, logits = [], []
    for inputs, batch_labels in data.evaluation_batches(split, EVALUATION_BATCH_SIZE):
        labels.append(batch_labels.numpy())
        logits.append(np.asarray(predict(inputs))[:, 0])
    return np.concatenate(labels), np.concatenate(logits)


class _Loop:
    """The training loop and all of its state."""

    def __init__(self, model, data, settings, folder):
        self.model, self.data, self.settings, self.folder = model, data, settings, folder
        self.state = TrainingState()
        self.strategy = model.distribute_strategy
        self.is_chief = self.strategy.extended.should_checkpoint
        with self.strategy.scope():
            self.optimizer = OPTIMIZERS[settings.optimizer](
                settings.learning_rate, beta_2=settings.beta_2
            )
            self.optimizer.build(model.trainable_variables)
        self.loss_sum = tf.Variable(0.0, dtype=tf.float64, trainable=False)
        self.predict = compile_prediction(model, settings.microbatch_size)
        self.best_weights = [np.asarray(weight) for weight in model.weights]
        self.num_rows = data.num_rows("train")
        self.steps_per_epoch = data.num_batches(settings.batch_size, settings.input_shards)

    def run(self, callbacks):
        """Trains until there is no gain on validation any more."""
        state = self.state
        batches = iter(
            distribute_batches(
                self.strategy,
                self.data,
                self.settings.batch_size,
                self.settings.input_shards,
                seed=self.settings.seed,
                first_epoch=state.epoch,
                skip_batches=state.step,
            )
        )
        train_steps = compile_steps(
            self.model,
            self.optimizer,
            self.loss_sum,
            jit_compile=self.settings.jit_compile,
            microbatch_size=self.settings.microbatch_size,
        )
        writer = (
            tf.summary.create_file_writer(str(self.folder / "tensorboard"))
            if self.is_chief
            else tf.summary.create_noop_writer()
        )
        while not state.finished:
            callbacks.on_epoch_begin(state.epoch)
            self._run_epoch(train_steps, batches)
            logs = self._close_epoch(writer)
            callbacks.on_epoch_end(state.epoch - 1, logs)
            # After the last epoch the report follows; a run that is killed
            # before it is there repeats that epoch, its callbacks included.
            if not state.finished:
                self._save()

    def _run_epoch(self, train_steps, batches):
        state = self.state
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
                steps = min(STEPS_PER_CALL, self.steps_per_epoch - state.step)
                train_steps(batches, tf.constant(steps))
                state.step += steps
                progress.update(steps)
                now = time.monotonic()
                state.seconds = earlier + now - started
                if now - saved > 60 * self.settings.checkpoint_minutes:
                    self._save()
                    saved = now

    def _close_epoch(self, writer):
        state, settings = self.state, self.settings
        loss = float(self.loss_sum.numpy()) / self.num_rows
        self.loss_sum.assign(0.0)
        state.epoch_seconds.append(state.seconds - sum(state.epoch_seconds))
        learning_rate = float(self.optimizer.learning_rate.numpy())
        logs = {"loss": loss, "learning_rate": learning_rate}
        validation = self._evaluate("validation")
        logs |= {f"validation_{name}": value for name, value in validation.items()}
        state.history.append({"epoch": state.epoch + 1, **logs})
        with writer.as_default(step=state.epoch + 1):
            for name, value in logs.items():
                tf.summary.scalar(name, value)
        writer.flush()
        if self.is_chief:
            print(
                f"epoch {state.epoch + 1}: loss {loss:.5f}, "
                f"validation auc {validation['auc']:.5f}, logloss {validation['logloss']:.5f}, "
                f"learning rate {learning_rate:.1e}, {state.seconds:.0f} s",
                flush=True,
            )

        score = validation["auc"] - validation["logloss"]
        if score > state.best_score + MIN_GAIN:
            state.best_score, state.best_epoch = score, state.epoch
            state.epochs_without_gain = 0
            self.best_weights = [np.asarray(weight) for weight in self.model.weights]
        else:
            state.epochs_without_gain += 1
            self.optimizer.learning_rate = learning_rate * settings.learning_rate_factor
        state.epoch, state.step = state.epoch + 1, 0
        state.finished = (
            state.epochs_without_gain >= settings.patience or state.epoch >= settings.max_epochs
        )
        return logs

    def use_best_weights(self):
        """Gives the model the weights that were best on validation."""
        self.model.set_weights(self.best_weights)

    def report(self, config, test):
        """Returns the record of the finished run, read off the model's present weights."""
        state = self.state
        epochs = len(state.history)
        return {
            "config": config,
            "versions": versions(),
            "parameters": self.model.count_params(),
            "history": state.history,
            "best_epoch": state.best_epoch + 1,
            "validation": self._evaluate("validation"),
            **({"test": self._evaluate("test")} if test else {}),
            "training": {
                "seconds": state.seconds,
                "epoch_seconds": state.epoch_seconds,
                "epochs": epochs,
                "rows_per_second": epochs * self.num_rows / state.seconds,
                "replicas": self.strategy.num_replicas_in_sync,
            },
        }

    def _evaluate(self, split):
        return evaluate(self.model, self.data, split, self.predict)

    def _variables(self):
        # The model's variables include the states of its random generators.
        return [*self.model.variables, *self.optimizer.variables, self.loss_sum]

    def _arrays(self):
        arrays = {f"variable_{i}": np.asarray(v) for i, v in enumerate(self._variables())}
        return arrays | {f"best_{i}": weight for i, weight in enumerate(self.best_weights)}

    def _save(self):
        if not self.is_chief:
            return
        with atomic_write(self.folder / "checkpoint.npz") as file:
            np.savez(file, state=json.dumps(dataclasses.asdict(self.state)), **self._arrays())

    def restore(self):
        """Takes up the state of the run's last checkpoint, if it has one."""
        path = self.folder / "checkpoint.npz"
        for leftover in self.folder.glob(f".{path.name}.*"):  # of a run killed while it saved
            leftover.unlink()
        if not path.exists():
            return
        try:
            with np.load(path) as file:
                arrays = dict(file)
        except (zipfile.BadZipFile, ValueError, EOFError) as error:
            raise ValueError(f"{path} is damaged; remove it to start the run again") from error
        state = TrainingState(**json.loads(str(arrays.pop("state"))))
        if {name: array.shape for name, array in arrays.items()} != {
            name: array.shape for name, array in self._arrays().items()
        }:
            raise ValueError(f"{path} is a checkpoint of another model; nothing was changed")
        for i, variable in enumerate(self._variables()):
            variable.assign(arrays[f"variable_{i}"])
        self.best_weights = [arrays[f"best_{i}"] for i in range(len(self.best_weights))]
        self.state = state


def _check_run(folder, config, resume):
    path = folder / "config.json"
    if not path.exists():
        return
    if not resume:
        raise FileExistsError(
            f"{folder} already holds a run: resume it, or choose another output folder"
        )
    earlier, now = read_json(path), json.loads(json.dumps(config))
    if "architecture" not in earlier:  # a run of version 0.1, which did not note it
        del now["architecture"]
    if "piece_rows" in earlier["training"]:  # of version 0.1 as well
        earlier["training"]["microbatch_size"] = earlier["training"].pop("piece_rows")
    if changed := _differences(earlier, now):
        raise ValueError(f"{folder} holds a run of another configuration: {changed}")


def _architecture(model):
    """Returns the model's class and arguments, which two equal models share, as JSON has them."""
    config = {name: value for name, value in model.get_config().items() if name != "name"}
    return json.loads(json.dumps({"class": type(model).__name__, **config}))


def _load_best_weights(model, path):
    """Gives a model the weights of a finished run, unless that was of another model."""
    saved = keras.models.load_model(path)
    if changed := _differences(_architecture(saved), _architecture(model), "architecture."):
        raise ValueError(f"{path} is another model: {changed}")
    model.set_weights(saved.get_weights())


def _differences(earlier, now, prefix=""):
    if isinstance(earlier, dict) and isinstance(now, dict):
        keys = sorted(earlier.keys() | now.keys())
        parts = [_differences(earlier.get(key), now.get(key), f"{prefix}{key}.") for key in keys]
        return "; ".join(part for part in parts if part)
    return "" if earlier == now else f"{prefix[:-1]} was {earlier!r}, is {now!r}"


def _save_model(model, path):
    temporary = path.with_name(f".unfinished.{path.name}")
    model.save(temporary)
    os.replace(temporary, path)
