"""Tests of the metrics of a split, and of predictions."""

import numpy as np
import pyarrow as pa
import pytest
import tensorflow as tf
from sklearn.metrics import log_loss, roc_auc_score

from interhat_tf import InterHAt, prepare_click_log
from interhat_tf.errors import DataError
from interhat_tf.models import LR
from interhat_tf.training import TrainingSettings, train
from interhat_tf.training.evaluation import (
    compile_prediction,
    evaluate,
    evaluate_batches,
    predict_logits,
)
from interhat_tf.training.metrics import grouped_auc
from interhat_tf.training.observed_rates import reliability
from tests.conftest import random_batch
from tests.training.runs import load


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


@pytest.mark.parametrize("of_a_split", [evaluate, predict_logits, reliability])
@pytest.mark.parametrize("part", ["vocabulary", "numbers"])
def test_a_model_of_another_set_is_refused(rule_data, of_a_split, part):
    model = LR(rule_data.schema)
    model.trained_on = {"name": "other", **rule_data.digests, part: "0"}
    with pytest.raises(DataError, match=r"trained on another set than .*; give the set other"):
        of_a_split(model, rule_data, "test")
    model.trained_on = {"name": "other", **rule_data.digests, "records": "0"}  # of these values
    of_a_split(model, rule_data, "test")


def test_predictions_in_microbatches(schema, rng):
    model = InterHAt(schema, order=2)
    predict = compile_prediction(model, microbatch_size=8)
    for rows in (1, 8, 21):
        inputs = {k: tf.constant(v) for k, v in random_batch(schema, rng, rows).items()}
        np.testing.assert_allclose(predict(inputs), model(inputs), atol=1e-6)


def test_batches_with_weights_have_weighted_metrics(rng):
    labels, logits = rng.integers(2, size=300), rng.normal(size=300).round(1)
    weights = rng.exponential(size=300).astype("float32")
    parts = [slice(0, 200), slice(200, 300)]
    batches = [(tf.constant(logits[part]), labels[part], weights[part]) for part in parts]
    found = evaluate_batches(batches, lambda logits: logits[:, None])
    probabilities = 1 / (1 + np.exp(-logits))
    expected = {
        "auc": roc_auc_score(labels, logits, sample_weight=weights),
        "logloss": log_loss(labels, probabilities, sample_weight=weights),
    }
    assert found == pytest.approx(expected, rel=0, abs=1e-9)


def test_auc_by_a_field_leaves_out_unknown_values(rule_data, tmp_path):
    settings = TrainingSettings(max_epochs=1, batch_size=400, auc_by="f2")
    report = train(LR(rule_data.schema), rule_data, tmp_path / "run", settings)
    assert "validation_auc_by_f2" in report["history"][0]
    for split in ("validation", "test"):
        ((inputs, labels),) = rule_data.evaluation_batches(split, 400).as_numpy_iterator()
        logits = load(tmp_path / "run").predict_on_batch(inputs)[:, 0]
        ids = inputs["categorical"][:, 1]
        expected = grouped_auc(labels[ids > 0], logits[ids > 0], ids[ids > 0])
        assert report[split]["auc_by_f2"] == pytest.approx(expected, rel=0, abs=1e-9)


def test_ids_that_are_unknown_are_no_group():
    inputs = {"categorical": np.array([[0], [0], [3], [3]])}
    batches = [(inputs, np.array([0, 1, 0, 1]))]
    logits = np.array([[0.9], [0.1], [0.1], [0.9]])
    found = evaluate_batches(batches, lambda inputs: logits, ("user", 0))
    assert found["auc_by_user"] == 1.0 and found["auc"] < 1


def test_auc_by_a_field_whose_values_are_new_is_refused_before_the_training(tmp_path):
    users = np.repeat(np.arange(60), 5)
    log = {"click": np.arange(300) % 2, "user": users, "app": np.arange(300) % 7}
    options = {"split": "group:user", "categorical": ["user", "app"]}
    data = prepare_click_log(pa.table(log), name="log", data_dir=tmp_path, **options)
    message = "log/1.0.0, validation: no known value of 'user' has records of both labels"
    with pytest.raises(ValueError, match=message):
        train(LR(data.schema), data, tmp_path / "run", TrainingSettings(auc_by="user"))


def test_a_test_split_whose_clicks_weigh_nothing_is_refused_before_the_training(tmp_path):
    row = np.arange(300)
    log = {"click": row % 2, "app": row % 7, "w": np.where((row > 270) & (row % 2 == 1), 0.0, 1.0)}
    data = prepare_click_log(
        pa.table(log), name="log", data_dir=tmp_path, split="position", weight="w"
    )
    message = "log/1.0.0, test: all records of one label weigh 0, and AUC needs both"
    with pytest.raises(ValueError, match=message):
        train(LR(data.schema), data, tmp_path / "run")
    settings = TrainingSettings(max_epochs=1)
    assert "test" not in train(LR(data.schema), data, tmp_path / "run", settings, test=False)


def test_auc_by_a_field_that_is_none(rule_data, tmp_path):
    settings = TrainingSettings(auc_by="user")
    with pytest.raises(ValueError, match="auc_by: 'user' is no categorical field; those are f"):
        train(InterHAt(rule_data.schema), rule_data, tmp_path / "run", settings)
