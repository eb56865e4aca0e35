"""Tests of the average of a model's weights, and of training that evaluates it."""

from unittest import mock

import keras
import numpy as np
import pytest
import tensorflow as tf

from interhat_tf import Adam, LazyAdam, kernels
from interhat_tf.models import DNN
from interhat_tf.training.averaged_weights import AveragedWeights
from interhat_tf.training.optimizers import table_penalties
from interhat_tf.training.step import compile_steps
from tests.conftest import random_batch
from tests.kernels.reference import needs_kernels
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
        averaged.after_step(step)
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
        averaged.after_step(step)
    (average,) = averaged.averages.values()
    assert average.numpy() == pytest.approx(2 - 0.999**2000, abs=1e-3)


@pytest.mark.parametrize("penalty", [0.0, 1e-3])  # with a penalty, a step moves all rows
@pytest.mark.parametrize("jit_compile", [False, True])
def test_the_lazy_average_is_the_plain_one(schema, rng, penalty, jit_compile):
    batches = [random_batch(schema, rng, 3) for _ in range(20)]
    labels = rng.integers(2, size=(20, 3)).astype("float32")
    averages = []
    for lazy in (False, True):
        keras.utils.set_random_seed(0)
        model = DNN(schema, embedding_dim=2, mlp_units=(3,), embedding_l2=penalty)
        optimizer = LazyAdam(0.1)
        optimizer.build(model.trainable_variables)
        averaged = AveragedWeights(model, momentum=0.5, lazy=lazy)
        assert bool(averaged.tables) == lazy
        steps = compile_steps(
            model, optimizer, tf.Variable(0.0, dtype=tf.float64), jit_compile, averaged=averaged
        )
        stacked = {name: np.stack([batch[name] for batch in batches]) for name in batches[0]}
        data = tf.data.Dataset.from_tensor_slices((stacked, labels))
        steps(iter(data), tf.constant(20))
        with averaged.in_place():
            averages.append(model.get_weights())
    for plain, from_rows in zip(*averages, strict=True):
        np.testing.assert_allclose(from_rows, plain, atol=1e-6)


@needs_kernels
@pytest.mark.parametrize("how", [{}, {"microbatch_size": 2}, {"jit_compile": True}], ids=str)
@pytest.mark.parametrize("penalty", [0.0, 1e-3])
def test_a_table_takes_its_average_along(schema, rng, monkeypatch, penalty, how):
    batches = [random_batch(schema, rng, 4) for _ in range(20)]
    stacked = {name: np.stack([batch[name] for batch in batches]) for name in batches[0]}
    labels = rng.integers(2, size=(20, 4)).astype("float32")
    averages = []
    for switch, along in (("1", "jit_compile" not in how), ("0", False)):
        monkeypatch.setenv(kernels.SWITCH, switch)
        keras.utils.set_random_seed(0)
        model = DNN(schema, embedding_dim=2, mlp_units=(3,), embedding_l2=penalty)
        optimizer = Adam(0.1, table_l2=table_penalties(model))
        optimizer.build(model.trainable_variables)
        averaged = AveragedWeights(model, momentum=0.5)
        seen = mock.Mock(wraps=averaged.after_step)
        monkeypatch.setattr(averaged, "after_step", seen)
        loss_sum = tf.Variable(0.0, dtype=tf.float64)
        steps = compile_steps(model, optimizer, loss_sum, averaged=averaged, **how)
        data = tf.data.Dataset.from_tensor_slices((stacked, labels))
        steps(iter(data), tf.constant(20))
        assert seen.call_args.kwargs["without"] == (
            {model.embedding.table.path} if along else set()
        )
        with averaged.in_place():
            averages.append(model.get_weights())
    for own, plain in zip(*averages, strict=True):
        np.testing.assert_allclose(own, plain, rtol=1e-4, atol=1e-5)


def test_the_lazy_average_reads_no_whole_table(schema):
    model = DNN(schema, embedding_dim=2, mlp_units=(3,))
    averaged = AveragedWeights(model, momentum=0.5, lazy=True)

    @tf.function
    def step(ids, gradient):
        rows = tf.IndexedSlices(gradient, ids)
        averaged.before_step([rows], [model.embedding.table])
        averaged.after_step(1)

    rows = model.embedding.table.shape[0]
    graph = step.get_concrete_function(
        tf.TensorSpec((2,), tf.int32), tf.TensorSpec((2, 2), tf.float32)
    ).graph
    whole = [op for op in graph.get_operations() if op.type == "ReadVariableOp"]
    assert whole and all(op.outputs[0].shape[:1] != [rows] for op in whole)


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
