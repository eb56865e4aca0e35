"""Tests of the loss of two predictions that are pulled to their mean."""

import numpy as np
import pytest
import tensorflow as tf

from interhat_tf import Adam
from interhat_tf.models import DNN, FinalNet
from interhat_tf.training.self_distillation import (
    block_logloss_and_pull,
    check_self_distillation,
    logloss_and_pull,
    mean_logloss_and_pull,
    twice,
)
from interhat_tf.training.step import compile_steps
from tests.conftest import random_batch
from tests.training.runs import make_model, run


def cross_entropy(target, probability):
    return -target * np.log(probability) - (1 - target) * np.log(1 - probability)


def test_loss_and_gradient_are_those_of_the_equations(rng):
    logits, labels = rng.normal(size=(2, 5)) * 3, rng.integers(2, size=5).astype(float)
    p1, p2 = 1 / (1 + np.exp(-logits))
    mean = (p1 + p2) / 2
    variable = tf.Variable(logits.ravel())
    with tf.GradientTape(persistent=True) as tape:
        logloss, pull = mean_logloss_and_pull(tf.identity(variable), tf.constant(labels))
    np.testing.assert_allclose(logloss, cross_entropy(labels, mean))
    np.testing.assert_allclose(pull, cross_entropy(mean, p1) + cross_entropy(mean, p2))
    # With a constant mean, the gradient of H(p, sigmoid(z)) is sigmoid(z) - p.
    np.testing.assert_allclose(tape.gradient(pull, variable), np.concatenate([p1, p2] - mean))
    slope = (mean - labels) / (mean * (1 - mean)) / 2
    expected = [slope * p * (1 - p) for p in (p1, p2)]
    np.testing.assert_allclose(tape.gradient(logloss, variable), np.concatenate(expected))


def test_large_logits_stay_finite():
    logloss, pull = mean_logloss_and_pull(tf.constant([200.0, 180.0]), tf.constant([0.0]))
    assert logloss.numpy() == pytest.approx([180 + np.log(2)], rel=1e-3)
    assert np.isfinite(pull).all()


def test_the_halves_of_a_batch_are_the_same_records(schema, batch):
    for name, values in twice(batch).items():
        np.testing.assert_array_equal(values, np.concatenate([batch[name]] * 2))


def test_a_pull_brings_the_two_predictions_together(schema, rng):
    batch, labels = random_batch(schema, rng, 64), rng.integers(2, size=64).astype("float32")
    data = tf.data.Dataset.from_tensors((batch, labels)).repeat()

    def distance(weight, jit_compile=False):
        model = DNN(schema, embedding_dim=4, mlp_units=(16,), dropout=0.5, batch_norm=True)
        optimizer = Adam(1e-2)
        optimizer.build(model.trainable_variables)
        loss_sum = tf.Variable(0.0, dtype=tf.float64)
        steps = compile_steps(
            model, optimizer, loss_sum, jit_compile=jit_compile, self_distillation=weight
        )
        steps(iter(data), tf.constant(60))
        first, second = np.split(model(twice(batch), training=True).numpy(), 2)
        assert 0 < float(loss_sum) / 60 / 64 < 1  # the logloss alone
        return np.abs(first - second).mean()

    hardly_pulled = distance(1e-3)
    for jit_compile in (False, True):
        assert distance(20.0, jit_compile) < 0.5 * hardly_pulled


def test_a_model_without_dropout_is_refused(rule_data, tmp_path):
    model = make_model(rule_data.schema, dropout=0.0)
    with pytest.raises(ValueError, match="self_distillation needs a model with dropout"):
        run(rule_data, tmp_path, model, self_distillation=1.0)
    assert not list(tmp_path.iterdir())


def test_blocks_are_pulled_to_the_mean_of_their_logits(rng):
    logits, labels = rng.normal(size=(5, 2)) * 3, rng.integers(2, size=5).astype(float)
    p = 1 / (1 + np.exp(-logits))
    mean = 1 / (1 + np.exp(-logits.mean(axis=1)))
    variable = tf.Variable(logits)
    with tf.GradientTape(persistent=True) as tape:
        logloss, pull = block_logloss_and_pull(tf.identity(variable), tf.constant(labels))
    np.testing.assert_allclose(logloss, cross_entropy(labels, mean))
    np.testing.assert_allclose(pull, cross_entropy(mean[:, None], p).sum(axis=1))
    np.testing.assert_allclose(tape.gradient(pull, variable), p - mean[:, None], atol=1e-12)
    slope = np.repeat((mean - labels)[:, None] / 2, 2, axis=1)
    np.testing.assert_allclose(tape.gradient(logloss, variable), slope, atol=1e-12)


def test_blocks_of_a_model_need_no_dropout(schema, batch, rng):
    labels = tf.constant(rng.integers(2, size=16).astype("float32"))
    model = FinalNet(schema, embedding_dim=4, mlp_units=(6,), second_mlp_units=(4,))
    check_self_distillation(model)
    losses, pulls = logloss_and_pull(model, batch, labels)
    expected = tf.nn.sigmoid_cross_entropy_with_logits(labels, model(batch)[:, 0])
    np.testing.assert_allclose(losses, expected, rtol=1e-5)
    assert pulls.shape == (16,)
    with pytest.raises(ValueError, match="needs a model with dropout"):
        check_self_distillation(FinalNet(schema, second_mlp_units=()))
