"""Tests of the training loop."""

import itertools
import json
import os

import keras
import numpy as np
import pytest
import tensorflow as tf

from interhat_tf.explanation.attention_maps import Attention, mean_attention
from interhat_tf.explanation.callback import AttentionHeatmaps
from interhat_tf.input_pipeline.dataset import PreparedDataset
from interhat_tf.models import LR
from interhat_tf.training import evaluate, loop, train
from tests.preprocessing.logs import LogBuilder
from tests.training.runs import (
    load,
    make_model,
    run,
)


def script(monkeypatch, *scores):
    """Lets validation have these AUCs, and loglosses of 1 less them, epoch after epoch."""
    aucs = itertools.chain(scores, itertools.repeat(0.5))
    monkeypatch.setattr(loop, "evaluate", lambda *_: {"auc": (a := next(aucs)), "logloss": 1 - a})


class Recorder(keras.callbacks.Callback):
    """Notes what is called and with which weights in place."""

    def __init__(self):
        super().__init__()
        self.calls, self.weights = [], []

    def _note(self, *call):
        self.calls.append(call)
        self.weights.append([np.array(weight) for weight in self.model.weights])

    def on_train_begin(self, logs=None):
        self._note("train begin")

    def on_epoch_begin(self, epoch, logs=None):
        self._note("epoch begin", epoch)

    def on_epoch_end(self, epoch, logs=None):
        self._note("epoch end", epoch, sorted(logs))

    def on_train_end(self, logs=None):
        self._note("train end")


@pytest.mark.slow
def test_learning_rate_drops_until_patience_is_out(rule_data, tmp_path, monkeypatch):
    script(monkeypatch, 0.6, 0.5, 0.7, 0.7, 0.65, 0.69)
    report = run(rule_data, tmp_path, LR(rule_data.schema), patience=3, learning_rate=0.01)
    # A score that is only equal is no gain, and a gain does not undo a drop.
    rates = [epoch["learning_rate"] for epoch in report["history"]]
    np.testing.assert_allclose(rates, [1e-2, 1e-2, 1e-3, 1e-3, 1e-4, 1e-5], rtol=1e-5)
    assert report["best_epoch"] == 3
    assert report["training"]["epochs"] == 6


@pytest.mark.slow
def test_training_stops_at_the_last_epoch_allowed(rule_data, tmp_path, monkeypatch):
    script(monkeypatch, 0.6, 0.7, 0.8)
    report = run(rule_data, tmp_path, LR(rule_data.schema), max_epochs=2)
    assert [epoch["validation_auc"] for epoch in report["history"]] == [0.6, 0.7]


@pytest.mark.slow
def test_callbacks_in_order_and_best_weights_kept(rule_data, tmp_path, monkeypatch):
    script(monkeypatch, 0.6, 0.7, 0.5, 0.5)
    recorder = Recorder()
    model = make_model(rule_data.schema)
    run(rule_data, tmp_path, model, callbacks=[recorder])
    logs = ["learning_rate", "loss", "validation_auc", "validation_logloss"]
    epochs = [[("epoch begin", i), ("epoch end", i, logs)] for i in range(4)]
    assert recorder.calls == [("train begin",), *itertools.chain(*epochs), ("train end",)]
    best = recorder.weights[recorder.calls.index(("epoch end", 1, logs))]
    for weights in (recorder.weights[-1], model.get_weights(), load(tmp_path).get_weights()):
        for weight, best_weight in zip(weights, best, strict=True):
            np.testing.assert_array_equal(weight, best_weight)
    assert any((a != b).any() for a, b in zip(recorder.weights[-2], best, strict=True))


@pytest.mark.slow
def test_a_finished_run_gives_the_average_record_and_the_diagnosis_again(rule_data, tmp_path):
    arguments = {"value_dim": 8, "order": 1}
    model, again = (make_model(rule_data.schema, seed, **arguments) for seed in (0, 1))
    report = run(rule_data, tmp_path, model, max_epochs=1)
    assert run(rule_data, tmp_path, again, max_epochs=1, resume=True) == report
    assert again.diagnosis == model.diagnosis == {"attention": report["attention"]}
    assert np.isfinite(again.average_terms).all()
    for one, other in zip(model.get_weights(), again.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)
    # The base is the mean over training records: all 3,200 of these.
    before = np.array(model.average_terms)
    model.adapt(rule_data.evaluation_batches("train", 500))
    np.testing.assert_allclose(model.average_terms, before, atol=1e-6)


def test_report_is_complete_and_on_disk(rule_data, unbroken):
    folder, report = unbroken
    assert report == json.loads((folder / "report.json").read_text())
    assert set(report) == {
        *("config", "versions", "parameters", "history", "best_epoch"),
        *("validation", "test", "training", "attention", "unknown"),
    }
    assert report["attention"] == load(folder).diagnosis["attention"]
    assert report["config"] == json.loads((folder / "config.json").read_text())
    assert report["config"]["training"]["batch_size"] == 50
    assert report["versions"]["tensorflow"] == tf.__version__
    assert report["parameters"] == load(folder).count_params()
    assert [epoch["epoch"] for epoch in report["history"]] == list(
        range(1, report["training"]["epochs"] + 1)
    )
    timings = report["training"]
    assert timings["seconds"] == pytest.approx(sum(timings["epoch_seconds"]))
    assert timings["rows_per_second"] == pytest.approx(
        timings["epochs"] * 3_200 / timings["seconds"]
    )
    assert sorted(os.listdir(folder)) == [
        *(".lock", "best_state.npz", "checkpoint.npz", "config.json", "model.keras"),
        *("report.json", "tensorboard"),
    ]


def test_loss_is_the_mean_over_the_epochs_records(rule_data, tmp_path):
    # The last of the 11 batches is short, and the penalty is no part of the loss.
    model = make_model(rule_data.schema, dropout=0.0, embedding_l2=0.1)
    report = run(rule_data, tmp_path, model, batch_size=300, learning_rate=1e-30, max_epochs=2)
    loss = evaluate(model, rule_data, "train")["logloss"]
    assert [epoch["loss"] for epoch in report["history"]] == pytest.approx([loss] * 2, rel=1e-6)


def test_the_test_split_is_left_alone(rule_data, tmp_path, monkeypatch):
    for name in ("check", "evaluation_batches"):
        read = getattr(rule_data, name)

        def guarded(split, *arguments, read=read):
            assert split != "test"
            return read(split, *arguments)

        monkeypatch.setattr(rule_data, name, guarded)
    report = run(rule_data, tmp_path, LR(rule_data.schema), test=False, max_epochs=1)
    assert "test" not in report


def test_history_is_written_for_tensorboard(unbroken):
    folder, report = unbroken
    scalars = {}
    for record in tf.data.TFRecordDataset([str(p) for p in folder.glob("tensorboard/*")]):
        event = tf.compat.v1.Event.FromString(record.numpy())
        for value in event.summary.value:
            if value.metadata.plugin_data.plugin_name == "hparams":
                continue
            scalars[event.step, value.tag] = float(tf.make_ndarray(value.tensor))
    expected = {
        (epoch["epoch"], name): pytest.approx(value)
        for epoch in report["history"]
        for name, value in epoch.items()
        if name != "epoch"
    }
    expected |= {
        (report["best_epoch"], f"best/{split}_{name}"): pytest.approx(value)
        for split in ("validation", "test")
        for name, value in report[split].items()
    }
    assert scalars == expected


@pytest.mark.slow
def test_heat_maps_show_the_best_weights(rule_data, tmp_path, monkeypatch):
    script(monkeypatch, 0.7, 0.6, 0.5)
    batches = rule_data.evaluation_batches("validation", 256)
    export = AttentionHeatmaps(tmp_path / "attention", batches=batches)
    run(rule_data, tmp_path, callbacks=[export])
    assert sorted(os.listdir(tmp_path / "attention/epoch_002")) == ["all.npz", "all.png"]
    exported = Attention.load(tmp_path / "attention/epoch_002/all.npz")
    expected = mean_attention(load(tmp_path), batches)
    np.testing.assert_array_equal(exported.field_weights, expected.field_weights)


def test_another_schema_is_refused(rule_data, schema, tmp_path):
    with pytest.raises(ValueError, match="the model's schema is not that of the data set"):
        run(rule_data, tmp_path, make_model(schema))
    assert not os.listdir(tmp_path)


@pytest.mark.parametrize(
    ("column", "value", "message"),
    [
        ("categorical", 99, "field 'app', row 0: id 99 is outside the vocabulary"),
        ("numerical", np.nan, "field 'price', row 0: the number is nan"),
    ],
)
def test_damaged_records_are_found_before_training(tmp_path, column, value, message):
    class Damaged(PreparedDataset):
        def _blocks(self, split):
            return super()._blocks(split).map(self._damage if split == "test" else lambda b: b)

        def _damage(self, block):
            return {**block, column: tf.fill(tf.shape(block[column]), tf.cast(value, dtype))}

    dtype = {"categorical": tf.int32, "numerical": tf.float32}[column]
    builder = type("SmallLogBuilder", (LogBuilder,), {"rows": 2_000}, skip_registration=True)(
        data_dir=tmp_path
    )
    builder.download_and_prepare()
    data = Damaged(builder)
    with pytest.raises(ValueError, match=message):
        run(data, tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_microbatches_of_a_model_with_dropout_are_refused(rule_data, tmp_path):
    with pytest.raises(ValueError, match="without dropout and batch normalisation"):
        run(rule_data, tmp_path, microbatch_size=16)
    assert not os.listdir(tmp_path)


def test_without_settings_those_of_the_models_preset_are_taken(rule_data, tmp_path):
    model = make_model(rule_data.schema)
    model.training_settings = {"batch_size": 800, "max_epochs": 1, "microbatch_size": 16}
    report = train(model, rule_data, tmp_path, test=False)
    settings = report["config"]["training"]
    assert (settings["batch_size"], settings["max_epochs"]) == (800, 1)
    assert settings["microbatch_size"] is None  # the model has dropout
