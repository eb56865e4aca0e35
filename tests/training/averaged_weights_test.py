"""Tests of the average of a model's weights, and of training that evaluates it."""

import keras
import numpy as np
import pytest

from interhat_tf.models import DNN
from interhat_tf.training.averaged_weights import AveragedWeights
from tests.training.loop_test import Recorder
from tests.training.runs import load, make_model, run


def random_weights(model, rng):
    return [rng.normal(size=weight.shape).astype("float32") for weight in model.weights]


def test_all_weights_are_averaged_step_by_step(schema, rng):
    model = DNN(schema, embedding_dim=2, mlp_units=(3,), batch_norm=True, dropout=0.1)
    assert any("moving_variance" in weight.path for weight in model.weights)
    expected = model.get_weights()
    averaged = AveragedWeights(model, momentum=0.3)
    for step in range(1, 9):  # the momentum is step / (step + 10) until step 4
        weights = random_weights(model, rng)
        model.set_weights(weights)
        averaged.update(step)
        momentum = min(0.3, step / (step + 10))
        expected = [
            momentum * average + (1 - momentum) * weight
            for average, weight in zip(expected, weights, strict=True)
        ]
    with averaged.in_place():
        for weight, average in zip(model.get_weights(), expected, strict=True):
            np.testing.assert_allclose(weight, average, atol=1e-6)
    for weight, own in zip(model.get_weights(), weights, strict=True):
        np.testing.assert_array_equal(weight, own)


def test_narrow_weights_are_averaged_in_float32():
    model = keras.Sequential([keras.layers.Dense(1, use_bias=False, dtype="bfloat16")])
    model.build((None, 1))
    model.set_weights([np.array([[1.0]])])
    averaged = AveragedWeights(model, momentum=0.999)
    model.set_weights([np.array([[2.0]])])
    for step in range(10_000, 12_000):  # a step's change is too small for bfloat16
        averaged.update(step)
    assert averaged.variables[0].numpy() == pytest.approx(2 - 0.999**2000, abs=1e-3)


@pytest.mark.slow
def test_evaluation_callbacks_and_the_saved_model_have_the_average(rule_data, tmp_path):
    # A rate that is not reduced, so that the two trainings are one.
    how = {"max_epochs": 3, "patience": 9, "learning_rate_factor": 1.0}
    recorder, plain_recorder = Recorder(), Recorder()
    plain = run(rule_data, tmp_path / "plain", callbacks=[plain_recorder], **how)
    model = make_model(rule_data.schema)
    report = run(rule_data, tmp_path / "run", model, callbacks=[recorder], ema_momentum=0.99, **how)

    def history(report, name):
        return [epoch[name] for epoch in report["history"]]

    assert history(report, "loss") == history(plain, "loss")
    assert history(report, "validation_auc") != history(plain, "validation_auc")

    def weights_at(recorder, *call):
        (position,) = [i for i, made in enumerate(recorder.calls) if made[:2] == call]
        return recorder.weights[position]

    for epoch in (1, 2):  # each begins with the weights that the last one ended with
        call = "epoch begin", epoch
        for weight, own in zip(
            weights_at(recorder, *call), weights_at(plain_recorder, *call), strict=True
        ):
            np.testing.assert_array_equal(weight, own)
    best = weights_at(recorder, "epoch end", report["best_epoch"] - 1)
    saved = load(tmp_path / "run").get_weights()
    for weights in (weights_at(recorder, "train end"), model.get_weights(), saved):
        for weight, average in zip(weights, best, strict=True):
            np.testing.assert_array_equal(weight, average)
    assert (
        report["validation"]["auc"] == history(report, "validation_auc")[report["best_epoch"] - 1]
    )
