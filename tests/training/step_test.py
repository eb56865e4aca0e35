"""Tests of the training step."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from interhat_tf import Adam, InterHAt
from interhat_tf.models import DNN
from interhat_tf.training.optimizers import table_penalties
from interhat_tf.training.record_weights import RecordWeights
from interhat_tf.training.step import compile_steps
from interhat_tf.training.teacher import Teacher
from tests.conftest import random_batch


def take_step(model, batch, labels, rate, **how):
    """Takes a step of gradient descent on one batch; returns the sum of its losses."""
    optimizer = keras.optimizers.SGD(rate)
    optimizer.build(model.trainable_variables)
    loss_sum = tf.Variable(0.0, dtype=tf.float64)
    data = tf.data.Dataset.from_tensors((batch, labels))
    compile_steps(model, optimizer, loss_sum, **how)(iter(data), tf.constant(1))
    return float(loss_sum)


def downhill(model, tape, objective, rate):
    """Returns where such a step of an objective leads from the model's present weights."""
    gradients = tape.gradient(objective, model.trainable_variables)
    return [
        np.asarray(v) - rate * np.asarray(tf.convert_to_tensor(g))
        for v, g in zip(model.trainable_variables, gradients, strict=True)
    ]


def assert_at(model, expected, atol):
    for variable, value in zip(model.trainable_variables, expected, strict=True):
        np.testing.assert_allclose(variable, value, atol=atol, err_msg=variable.path)


def test_a_step_goes_down_the_mean_logloss_and_the_penalties(schema, rng):
    model = InterHAt(schema, embedding_dim=4, order=2, embedding_l2=0.1, dense_l2=0.1)
    batch, labels = random_batch(schema, rng, 8), np.float32(np.arange(8) % 2)
    with tf.GradientTape() as tape:
        logits = model(batch, training=True)[:, 0]  # (B,)
        losses = tf.nn.sigmoid_cross_entropy_with_logits(labels, logits)  # (B,)
        objective = tf.reduce_mean(losses) + sum(model.losses)
    expected = downhill(model, tape, objective, 0.5)
    loss_sum = take_step(model, batch, labels, 0.5)
    assert loss_sum == pytest.approx(float(tf.reduce_sum(losses)), rel=1e-6)
    assert_at(model, expected, atol=1e-6)


def test_a_tables_penalty_is_added_once_whoever_adds_it(schema, rng):
    batch, labels = random_batch(schema, rng, 8), np.float32(np.arange(8) % 2)
    tables = []
    for by_optimizer in (False, True):
        keras.utils.set_random_seed(0)
        model = DNN(schema, embedding_dim=2, mlp_units=(3,), embedding_l2=0.1)
        penalties = table_penalties(model) if by_optimizer else {}
        optimizer = Adam(0.1, epsilon=1.0, table_l2=penalties)  # steps as large as gradients
        optimizer.build(model.trainable_variables)
        steps = compile_steps(model, optimizer, tf.Variable(0.0, dtype=tf.float64))
        steps(iter(tf.data.Dataset.from_tensors((batch, labels))), tf.constant(1))
        tables.append(np.asarray(model.embedding.table))
    np.testing.assert_allclose(*tables, atol=1e-6)


@pytest.mark.parametrize(
    ("kept", "microbatch_size", "share"), [(1.0, None, 0.0), (1.0, 4, 0.3), (0.2, None, 0.3)]
)
def test_what_a_teacher_predicts_stands_in_for_labels(schema, rng, kept, microbatch_size, share):
    """Also where the log holds a share of the records without a click."""
    model, teacher = (InterHAt(schema, embedding_dim=4, order=2) for _ in range(2))
    taught, weights = teacher.get_weights(), RecordWeights(1.0, negative=kept)
    batch, labels = random_batch(schema, rng, 8), np.float32(np.arange(8) % 2)
    predicted = tf.sigmoid(teacher(batch)[:, 0] - np.log(kept))  # (B,)
    asked = (1 - share) * predicted + share * labels
    with tf.GradientTape() as tape:
        logits = model(batch, training=True)[:, 0] - np.log(kept)  # (B,)
        losses = tf.nn.sigmoid_cross_entropy_with_logits(asked, logits)  # (B,)
        objective = tf.reduce_mean(losses * np.where(labels == 1, 1, kept))
    expected = downhill(model, tape, objective, 1.0)
    how = {"record_weights": weights, "microbatch_size": microbatch_size}
    take_step(model, batch, labels, 1.0, teacher=Teacher(teacher, share), **how)
    assert_at(model, expected, atol=1e-5)
    for before, now in zip(taught, teacher.get_weights(), strict=True):
        np.testing.assert_array_equal(before, now)


def test_a_step_goes_down_what_layers_add(schema, rng):
    """A layer that adds the mean of what it reads gives its bias the gradient of a mean."""

    class Adds(keras.layers.Dense):
        def call(self, inputs, training=False):
            outputs = super().call(inputs)
            if training:
                self.add_loss(0.5 * keras.ops.mean(outputs))
            return outputs

    class Model(InterHAt):
        def build(self, input_shape=None):
            self.more = Adds(3)
            self.more.build((None, 2))
            super().build(input_shape)

        def call(self, inputs, training=False):
            self.more(inputs["numerical"], training=training)
            return super().call(inputs, training=training)

    batch, labels = random_batch(schema, rng, 8), np.float32(np.arange(8) % 2)
    for microbatch_size in (None, 4):
        model = Model(schema, embedding_dim=4, order=2)
        loss_sum = take_step(model, batch, labels, 1.0, microbatch_size=microbatch_size)
        np.testing.assert_allclose(model.more.bias, np.full(3, -0.5 / 3), rtol=1e-5)
        assert loss_sum < 20, "the records' loglosses alone"
