"""Runs on 3,200 made-up records, and what the tests compare of them."""

import itertools
import shutil

import keras
import numpy as np
import pytest

from interhat_tf import InterHAt
from interhat_tf.training import TrainingSettings, loop, train

# 64 steps an epoch, in 4 calls with a checkpoint behind each.
SETTINGS = {"batch_size": 50, "learning_rate": 0.02, "checkpoint_minutes": 0.0}


def make_model(schema, seed=0, **arguments):
    keras.utils.set_random_seed(seed)
    sizes = {"embedding_dim": 4, "num_heads": 2, "attention_size": 4, "order": 2}
    return InterHAt(schema, **{**sizes, "dropout": 0.2, **arguments})


def run(
    data, folder, model=None, *, resume=False, start_from=None, test=True, callbacks=(), **settings
):
    settings = TrainingSettings(**{**SETTINGS, **settings})
    model = model or make_model(data.schema)
    options = {"resume": resume, "start_from": start_from, "test": test, "callbacks": callbacks}
    return train(model, data, folder, settings, **options)


def load(folder):
    return keras.models.load_model(folder / "model.keras")


def assert_equal_weights(model, other):
    for weight, other_weight in zip(model.weights, other.weights, strict=True):
        np.testing.assert_array_equal(weight, other_weight, err_msg=weight.path)


def what_must_be_equal(report):
    return {k: value for k, value in report.items() if k not in ("training", "versions")}


def interrupt(monkeypatch, data, folder, at, **arguments):
    """Stops a run at the given one of its checkpoints and evaluations, counted from 0."""

    def stop(event):
        if event == at:
            raise KeyboardInterrupt

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        before_each_event(patch, stop)
        run(data, folder, **arguments)


def run_leaving_copies(monkeypatch, data, folder, copies, **arguments):
    """Runs to the end; returns the report.

    Before each checkpoint and evaluation, counted from 0, the folder is copied to one of that
    number: this is what a run leaves that is killed there.
    """
    with monkeypatch.context() as patch:
        before_each_event(patch, lambda event: shutil.copytree(folder, copies / str(event)))
        return run(data, folder, **arguments)


def before_each_event(patch, act):
    """Has `act` called with the number of each checkpoint and evaluation before it happens."""
    events = itertools.count()

    def watched(function):
        def wrapped(*arguments):
            act(next(events))
            return function(*arguments)

        return wrapped

    patch.setattr(loop._Loop, "_save", watched(loop._Loop._save))
    patch.setattr(loop, "evaluate", watched(loop.evaluate))
