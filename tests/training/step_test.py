"""Tests of the training step."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from interhat_tf import InterHAt
from interhat_tf.training.step import compile_steps
from tests.conftest import random_batch


def test_a_step_goes_down_the_mean_logloss_and_the_penalties(schema, rng):
    model = InterHAt(schema, embedding_dim=4, embedding_l2=0.1, dense_l2=0.1)
    batch, labels = random_batch(schema, rng, 8), np.float32(np.arange(8) % 2)
    with tf.GradientTape() as tape:
        logits = model(batch, training=True)[:, 0]  # (B,)
        losses = tf.nn.sigmoid_cross_entropy_with_logits(labels, logits)  # (B,)
        objective = tf.reduce_mean(losses) + sum(model.losses)
    gradients = tape.gradient(objective, model.trainable_variables)
    expected = [
        np.asarray(v) - 0.5 * np.asarray(tf.convert_to_tensor(g))
        for v, g in zip(model.trainable_variables, gradients, strict=True)
    ]

    optimizer = keras.optimizers.SGD(0.5)
    optimizer.build(model.trainable_variables)
    loss_sum = tf.Variable(0.0, dtype=tf.float64)
    data = tf.data.Dataset.from_tensors((batch, labels))
    compile_steps(model, optimizer, loss_sum)(iter(data), tf.constant(1))
    assert float(loss_sum) == pytest.approx(float(tf.reduce_sum(losses)), rel=1e-6)
    for variable, value in zip(model.trainable_variables, expected, strict=True):
        np.testing.assert_allclose(variable, value, atol=1e-6, err_msg=variable.path)
