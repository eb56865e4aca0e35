"""Tests of penalties that grow where a model learns the training records by heart."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from interhat_tf.training import TrainingSettings, align, loop
from interhat_tf.training.continuation import EarlierRun
from interhat_tf.training.early_stopping import overfits
from interhat_tf.training.optimizers import Adam, LazyAdam, table_penalties
from interhat_tf.training.step import compile_steps
from tests.conftest import random_batch
from tests.training.loop_test import script
from tests.training.runs import (
    assert_equal_weights,
    interrupt,
    load,
    make_model,
    run,
    what_must_be_equal,
)


@pytest.mark.parametrize(
    ("loss", "logloss", "expected"),
    [
        (0.4, 0.613, True),
        (0.4, 0.611, False),  # a rise of less than 2%
        (0.4, 0.55, False),
        (0.5, 0.7, False),  # what holds of the training records is no better either
        (0.6, 0.7, False),  # under too strong a penalty
    ],
)
def test_a_model_overfits_if_it_gains_on_its_training_records_alone(loss, logloss, expected):
    history = [{"loss": 0.6, "validation_logloss": 0.7}, {"loss": 0.5, "validation_logloss": 0.6}]
    history.append({"loss": loss, "validation_logloss": logloss})
    assert overfits(history, best_epoch=1) == expected


@pytest.mark.parametrize("optimizer", [Adam, LazyAdam, keras.optimizers.SGD])
def test_a_scale_is_a_factor_of_all_penalties(schema, rng, optimizer):
    batch, labels = random_batch(schema, rng, 8), np.float32(np.arange(8) % 2)

    def train(model, **how):
        of_tables = {"table_l2": table_penalties(model)} if optimizer is Adam else {}
        chosen = optimizer(learning_rate=0.1, **of_tables)
        chosen.build(model.trainable_variables)
        batches = iter(tf.data.Dataset.from_tensors((batch, labels)).repeat(3))
        steps = compile_steps(model, chosen, tf.Variable(0.0, dtype=tf.float64), **how)
        steps(batches, tf.constant(3))

    penalties = {"embedding_l2": 0.01, "dense_l2": 0.02, "aggregation_l2": 0.03}
    scaled, other = make_model(schema, dropout=0.0, **penalties), make_model(schema, dropout=0.0)
    stronger = make_model(schema, dropout=0.0, **{n: 8 * l2 for n, l2 in penalties.items()})
    train(scaled, penalty_scale=8.0)
    train(stronger)
    train(other)
    for weight, expected in zip(scaled.weights, stronger.weights, strict=True):
        np.testing.assert_allclose(weight, expected, rtol=1e-5, atol=1e-6, err_msg=weight.path)
    assert not np.allclose(scaled.embedding.table, other.embedding.table, atol=1e-2)


def test_penalties_grow_with_each_epoch_that_overfits(rule_data, tmp_path, monkeypatch):
    script(monkeypatch, 0.6, 0.5, 0.5, 0.7, 0.69)
    model = make_model(rule_data.schema, embedding_l2=1e-6)
    how = {"penalty_factor": 3.0, "patience": 3, "max_epochs": 5, "test": False}
    report = run(rule_data, tmp_path / "run", model, **how)
    assert [epoch["penalty_scale"] for epoch in report["history"]] == [1, 1, 3, 9, 9]
    assert report["best_epoch"] == 4
    # What goes on from the model, or the run, has the penalties of the best epoch.
    for known in (model, load(tmp_path / "run")):
        assert TrainingSettings.of_model(known).penalty_scale == 9
    assert EarlierRun(tmp_path / "run").settings.penalty_scale == 9


def test_penalties_stay_by_default(rule_data, tmp_path, monkeypatch):
    script(monkeypatch, 0.6, 0.5, 0.5)
    model = make_model(rule_data.schema, embedding_l2=1e-6)
    report = run(rule_data, tmp_path / "run", model, max_epochs=3, test=False)
    assert "penalty_scale" not in report["history"][-1]
    assert "penalty_scale" not in model.training_settings


@pytest.mark.slow
def test_a_run_whose_penalties_have_grown_resumes_exactly(rule_data, tmp_path, monkeypatch):
    monkeypatch.setattr(loop, "overfits", lambda history, best_epoch: len(history) == 1)
    how = {"penalty_factor": 30.0, "max_epochs": 2, "patience": 3}
    models = [make_model(rule_data.schema, embedding_l2=1e-4) for _ in range(4)]
    unbroken = run(rule_data, tmp_path / "unbroken", models[0], **how)
    interrupt(monkeypatch, rule_data, tmp_path / "killed", at=7, model=models[1], **how)
    resumed = run(rule_data, tmp_path / "killed", models[2], resume=True, **how)
    assert [epoch["penalty_scale"] for epoch in resumed["history"]] == [1, 30]
    assert what_must_be_equal(resumed) == what_must_be_equal(unbroken)
    assert_equal_weights(models[2], models[0])
    # The finished run gives another model all of that, and leaves it what it has none of.
    models[3].training_settings = {"beta_2": 0.98}
    run(rule_data, tmp_path / "killed", models[3], resume=True, **how)
    assert models[3].training_settings == {**models[0].training_settings, "beta_2": 0.98}
    weak = make_model(rule_data.schema, embedding_l2=1e-4)
    run(rule_data, tmp_path / "weak", weak, **{**how, "penalty_factor": 1.0})
    assert np.linalg.norm(models[0].embedding.table) < 0.9 * np.linalg.norm(weak.embedding.table)


@pytest.mark.slow
def test_attention_is_aligned_under_the_penalties_of_the_best_epoch(
    rule_data, tmp_path, monkeypatch
):
    scales, compiled = [], align.compile_steps
    monkeypatch.setattr(
        align, "compile_steps", lambda *a, **how: scales.append(how) or compiled(*a, **how)
    )
    script(monkeypatch, 0.6, 0.5, 0.7, 0.6, 0.6)
    how = {"penalty_factor": 2.0, "patience": 2, "alignment_epochs": 1, "effect_weight": 0.05}
    report = run(rule_data, tmp_path / "run", test=False, **how)
    assert [epoch["penalty_scale"] for epoch in report["history"]] == [1, 1, 2, 2, 4]
    assert [how["penalty_scale"] for how in scales] == [2]
