"""Tests of the training loop on 3,200 made-up records."""

import itertools
import json
import os
import shutil

import keras
import numpy as np
import pytest
import tensorflow as tf
from sklearn.metrics import log_loss, roc_auc_score

from interhat_tf import InterHAt
from interhat_tf.explanation.attention_maps import Attention, mean_attention
from interhat_tf.explanation.callback import AttentionHeatmaps
from interhat_tf.input_pipeline.dataset import PreparedDataset
from interhat_tf.models import DeepFM
from interhat_tf.training import TrainingSettings, evaluate, loop, train
from tests.preprocessing.logs import LogBuilder

# 64 steps an epoch, in 4 calls with a checkpoint behind each.
SETTINGS = {"batch_size": 50, "learning_rate": 0.02, "checkpoint_minutes": 0.0}


def make_model(schema, seed=0, **arguments):
    keras.utils.set_random_seed(seed)
    sizes = {"embedding_dim": 4, "num_heads": 2, "attention_size": 4, "order": 2}
    return InterHAt(schema, **{**sizes, "dropout": 0.2, **arguments})


def run(data, folder, model=None, *, resume=False, test=True, callbacks=(), **settings):
    settings = TrainingSettings(**{**SETTINGS, **settings})
    model = model or make_model(data.schema)
    return train(model, data, folder, settings, resume=resume, test=test, callbacks=callbacks)


def load(folder):
    return keras.models.load_model(folder / "model.keras")


def assert_equal_weights(model, other):
    for weight, other_weight in zip(model.weights, other.weights, strict=True):
        np.testing.assert_array_equal(weight, other_weight, err_msg=weight.path)


def what_must_be_equal(report):
    return {k: value for k, value in report.items() if k not in ("training", "versions")}


def script(monkeypatch, *aucs):
    """Lets validation have these AUCs, epoch after epoch."""
    scores = itertools.chain(aucs, itertools.repeat(0.5))
    monkeypatch.setattr(loop, "evaluate", lambda *_: {"auc": next(scores), "logloss": 0.5})


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


@pytest.fixture(scope="module")
def unbroken(rule_data, tmp_path_factory):
    """The folder and the report of a run that was left alone."""
    folder = tmp_path_factory.mktemp("unbroken")
    return folder, run(rule_data, folder)


@pytest.fixture(scope="module")
def stopped(rule_data, tmp_path_factory):
    """The folder of the same run, stopped within the first epoch."""
    folder = tmp_path_factory.mktemp("stopped")
    with pytest.MonkeyPatch.context() as patch:
        interrupt(patch, rule_data, folder, at=3)
    return folder


@pytest.mark.slow
def test_learning_rate_drops_until_patience_is_out(rule_data, tmp_path, monkeypatch):
    script(monkeypatch, 0.6, 0.5, 0.7, 0.7, 0.65, 0.69)
    report = run(rule_data, tmp_path, patience=3, learning_rate=0.01)
    # A score that is only equal is no gain, and a gain does not undo a drop.
    rates = [epoch["learning_rate"] for epoch in report["history"]]
    np.testing.assert_allclose(rates, [1e-2, 1e-2, 1e-3, 1e-3, 1e-4, 1e-5], rtol=1e-5)
    assert report["best_epoch"] == 3
    assert report["training"]["epochs"] == 6


def test_training_stops_at_the_last_epoch_allowed(rule_data, tmp_path, monkeypatch):
    script(monkeypatch, 0.6, 0.7, 0.8)
    report = run(rule_data, tmp_path, max_epochs=2)
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


def test_report_is_complete_and_on_disk(rule_data, unbroken):
    folder, report = unbroken
    assert report == json.loads((folder / "report.json").read_text())
    assert set(report) == {
        *("config", "versions", "parameters", "history", "best_epoch"),
        *("validation", "test", "training"),
    }
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
        *("checkpoint.npz", "config.json", "model.keras", "report.json", "tensorboard")
    ]


@pytest.mark.parametrize("split", ["validation", "test"])
def test_final_metrics_are_those_of_the_saved_model(rule_data, unbroken, split):
    folder, report = unbroken
    ((inputs, labels),) = rule_data.evaluation_batches(split, 400)
    logits = load(folder).predict_on_batch(inputs)[:, 0].astype(np.float64)
    assert report[split] == {
        "auc": pytest.approx(roc_auc_score(labels, logits), abs=1e-12),
        "logloss": pytest.approx(log_loss(labels, 1 / (1 + np.exp(-logits))), abs=1e-12),
    }
    if split == "validation":
        best = report["history"][report["best_epoch"] - 1]
        assert report[split]["auc"] == best["validation_auc"]


def test_loss_is_the_mean_over_the_epochs_records(rule_data, tmp_path):
    # The last of the 11 batches is short, and the penalty is no part of the loss.
    model = make_model(rule_data.schema, dropout=0.0, embedding_l2=0.1)
    report = run(rule_data, tmp_path, model, batch_size=300, learning_rate=0.0, max_epochs=1)
    loss = evaluate(model, rule_data, "train")["logloss"]
    assert report["history"][0]["loss"] == pytest.approx(loss, rel=1e-6)


def test_the_test_split_is_left_alone(rule_data, tmp_path, monkeypatch):
    for name in ("check", "evaluation_batches"):
        read = getattr(rule_data, name)

        def guarded(split, *arguments, read=read):
            assert split != "test"
            return read(split, *arguments)

        monkeypatch.setattr(rule_data, name, guarded)
    assert "test" not in run(rule_data, tmp_path, test=False, max_epochs=1)


def test_history_is_written_for_tensorboard(unbroken):
    folder, report = unbroken
    scalars = {}
    for record in tf.data.TFRecordDataset([str(p) for p in folder.glob("tensorboard/*")]):
        event = tf.compat.v1.Event.FromString(record.numpy())
        for value in event.summary.value:
            scalars[event.step, value.tag] = float(tf.make_ndarray(value.tensor))
    expected = {
        (epoch["epoch"], name): pytest.approx(value)
        for epoch in report["history"]
        for name, value in epoch.items()
        if name != "epoch"
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


def test_a_folder_in_use_is_refused(rule_data, unbroken):
    folder, report = unbroken
    with pytest.raises(FileExistsError) as error:
        run(rule_data, folder)
    assert str(error.value) == (
        f"{folder} already holds a run: resume it, or choose another output folder"
    )
    assert json.loads((folder / "report.json").read_text()) == report


def test_a_finished_run_is_not_trained_again(rule_data, unbroken, monkeypatch):
    folder, report = unbroken
    monkeypatch.setattr(loop, "_Loop", None)
    model = make_model(rule_data.schema, seed=1)
    assert run(rule_data, folder, model, resume=True) == report
    assert_equal_weights(model, load(folder))


@pytest.mark.parametrize("noted", [True, False])
def test_the_report_of_another_model_is_not_returned(rule_data, unbroken, tmp_path, noted):
    folder = tmp_path / "run"
    shutil.copytree(unbroken[0], folder)
    config = json.loads((folder / "config.json").read_text())
    if not noted:  # as in the folders of version 0.1
        del config["architecture"]
        (folder / "config.json").write_text(json.dumps(config))
    for model, difference in (
        (make_model(rule_data.schema, order_activation="relu"), "order_activation was None"),
        (DeepFM(rule_data.schema), "class was 'InterHAt', is 'DeepFM'"),
    ):
        weights = model.get_weights()
        with pytest.raises(ValueError, match=difference):
            run(rule_data, folder, model, resume=True)
        for weight, before in zip(model.get_weights(), weights, strict=True):
            np.testing.assert_array_equal(weight, before)


def test_another_configuration_is_not_resumed(rule_data, unbroken):
    with pytest.raises(ValueError) as error:
        run(rule_data, unbroken[0], resume=True, batch_size=64, seed=3)
    assert str(error.value) == (
        f"{unbroken[0]} holds a run of another configuration: "
        "training.batch_size was 50, is 64; training.seed was 0, is 3"
    )


@pytest.mark.parametrize("arguments", [{"embedding_dim": 6}, {"order": 1}, {"order": 3}])
def test_a_checkpoint_of_another_model_is_refused(rule_data, stopped, arguments):
    model = make_model(rule_data.schema, **arguments)
    weights = model.get_weights()
    ((name, value),) = arguments.items()
    with pytest.raises(ValueError) as error:
        run(rule_data, stopped, model, resume=True)
    earlier = make_model(rule_data.schema).get_config()[name]
    assert f"another configuration: architecture.{name} was {earlier}, is {value}" in str(
        error.value
    )
    for weight, before in zip(model.get_weights(), weights, strict=True):
        np.testing.assert_array_equal(weight, before)


def test_a_damaged_checkpoint_is_named(rule_data, stopped, tmp_path):
    shutil.copy(stopped / "config.json", tmp_path)
    path = tmp_path / "checkpoint.npz"
    content = (stopped / "checkpoint.npz").read_bytes()
    middle = len(content) // 2
    flipped = content[:middle] + bytes([content[middle] ^ 255]) + content[middle + 1 :]
    for damaged in (b"", content[:2], content[:middle], content[:-1], b"x" * 100, flipped):
        path.write_bytes(damaged)
        with pytest.raises(ValueError) as error:
            run(rule_data, tmp_path, resume=True)
        assert str(error.value) == f"{path} is damaged; remove it to start the run again"


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


def test_a_finished_run_of_version_0_1_is_read(rule_data, unbroken, tmp_path):
    folder = tmp_path / "run"
    shutil.copytree(unbroken[0], folder)
    config = (folder / "config.json").read_text()
    (folder / "config.json").write_text(config.replace("microbatch_size", "piece_rows"))
    assert run(rule_data, folder, resume=True) == unbroken[1]
    with pytest.raises(ValueError, match="microbatch_size was None, is 16"):
        run(rule_data, folder, resume=True, microbatch_size=16)


def interrupt(monkeypatch, data, folder, at, **arguments):
    """Stops a run at the given one of its checkpoints and evaluations, counted from 0."""
    events = itertools.count()

    def interrupting(function):
        def wrapped(*arguments):
            if next(events) == at:
                raise KeyboardInterrupt
            return function(*arguments)

        return wrapped

    with monkeypatch.context() as patch:
        patch.setattr(loop._Loop, "_save", interrupting(loop._Loop._save))
        patch.setattr(loop, "evaluate", interrupting(loop.evaluate))
        with pytest.raises(KeyboardInterrupt):
            run(data, folder, **arguments)


# An epoch has four checkpoints, an evaluation and another checkpoint.
MOMENTS = {
    "before the first checkpoint": lambda best, epochs: 0,
    "within an epoch": lambda best, epochs: 3,
    "before an evaluation": lambda best, epochs: 4,
    "after an evaluation": lambda best, epochs: 5,
    "within the epoch after the best": lambda best, epochs: 6 * best + 2,
    "at the drop of the learning rate": lambda best, epochs: 6 * (best + 1),
    "within the last epoch": lambda best, epochs: 6 * epochs - 3,
    "before the report": lambda best, epochs: 6 * epochs - 1,
    "before the test": lambda best, epochs: 6 * epochs,
}


@pytest.mark.slow
@pytest.mark.parametrize("moment", MOMENTS)
def test_resumed_run_is_the_unbroken_one(rule_data, unbroken, tmp_path, monkeypatch, moment):
    folder, report = unbroken
    epochs = report["training"]["epochs"]
    assert report["best_epoch"] == epochs - 2  # so that there are two drops
    interrupt(monkeypatch, rule_data, tmp_path, at=MOMENTS[moment](report["best_epoch"], epochs))
    # All must come from the checkpoint; where there is none yet, from the seed.
    seed = 1 if (tmp_path / "checkpoint.npz").exists() else 0
    resumed = run(rule_data, tmp_path, make_model(rule_data.schema, seed), resume=True)
    assert what_must_be_equal(resumed) == what_must_be_equal(report)
    assert_equal_weights(load(tmp_path), load(folder))


@pytest.mark.slow
def test_a_run_may_be_resumed_again_and_again(rule_data, unbroken, tmp_path, monkeypatch):
    folder, report = unbroken
    for at in (3, 3, 6, 2):
        interrupt(monkeypatch, rule_data, tmp_path, at=at, resume=True)
    assert what_must_be_equal(run(rule_data, tmp_path, resume=True)) == what_must_be_equal(report)
    assert_equal_weights(load(tmp_path), load(folder))


def test_what_a_killed_checkpoint_left_is_removed(rule_data, tmp_path, monkeypatch):
    (tmp_path / ".checkpoint.npz.abc").touch()
    interrupt(monkeypatch, rule_data, tmp_path, at=0, resume=True)
    assert sorted(os.listdir(tmp_path)) == ["config.json", "tensorboard"]


@pytest.mark.slow
@pytest.mark.parametrize("how", [{"optimizer": "lazy_adam"}, {"microbatch_size": 16}])
def test_other_steps_are_resumed_alike(rule_data, tmp_path, monkeypatch, how):
    def given(seed=0):
        # Microbatches are for models without dropout.
        return {"model": make_model(rule_data.schema, seed, dropout=0.0), "max_epochs": 2, **how}

    report = run(rule_data, tmp_path / "unbroken", **given())
    assert report["validation"]["auc"] > 0.55
    interrupt(monkeypatch, rule_data, tmp_path / "run", at=3, **given())
    resumed = run(rule_data, tmp_path / "run", resume=True, **given(seed=1))
    assert what_must_be_equal(resumed) == what_must_be_equal(report)
    assert_equal_weights(load(tmp_path / "run"), load(tmp_path / "unbroken"))


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
