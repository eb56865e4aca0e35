"""The preset `released` against numbers that the authors' own TensorFlow 1 code gave."""

import pathlib

import keras
import numpy as np
import pytest
import tensorflow as tf

from interhat_tf import Field, InterHAt, Schema
from interhat_tf.models import PRESETS
from interhat_tf.training.optimizers import Adam
from tests.numpy_reference import weights_of

RESULTS = np.load(pathlib.Path(__file__).parents[1] / "golden" / "released.npz")
BATCH = {"categorical": RESULTS["X"]}
LABELS = RESULTS["y"][:, None]


@pytest.fixture
def model():
    sizes = (8, 7, 7, 7, 7, 7, 7)  # The fields share a table of 50 rows.
    schema = Schema(Field(f"f{i}", "categorical", size) for i, size in enumerate(sizes))
    model = InterHAt(
        schema,
        **PRESETS["released"].arguments,
        embedding_dim=8,
        num_heads=2,
        attention_size=5,
        order=3,
        # The code's strength is 2e-3; TensorFlow 1 takes w * sum(t**2) / 2.
        aggregation_l2=1e-3,
    )
    # The ids are global: each is a row of the table, whatever its field.
    model.embedding.offsets = np.zeros_like(model.embedding.offsets)
    model.schema = Schema(Field(f"f{i}", "categorical", sum(sizes)) for i in range(len(sizes)))
    model.set_weights([RESULTS[name] for name in weights_of(model)])
    return model


def losses(model):
    logits = model(BATCH)
    logloss = tf.reduce_mean(keras.losses.binary_crossentropy(LABELS, logits, from_logits=True))
    return logloss, tf.add_n(model.losses)


def probabilities(model):
    return tf.sigmoid(model.explain(BATCH)["logits"])


def test_every_recorded_weight_is_used(model):
    recorded = {key for key in RESULTS if "/" in key}
    assert recorded == set(weights_of(model))


def test_probabilities_and_attentions(model):
    explanation = model.explain(BATCH)
    np.testing.assert_allclose(tf.sigmoid(explanation["logits"]), RESULTS["p"], atol=1e-5)
    np.testing.assert_allclose(explanation["order_weights"], RESULTS["ak"], atol=1e-5)
    for order in (1, 2, 3):
        np.testing.assert_allclose(
            explanation["field_weights"][:, order - 1], RESULTS[f"a{order}"], atol=1e-5
        )


def test_losses(model):
    logloss, penalty = losses(model)
    np.testing.assert_allclose(logloss, RESULTS["logloss"], atol=1e-5)
    np.testing.assert_allclose(penalty, RESULTS["reg"], atol=1e-5)


@pytest.mark.parametrize(
    "compiled", [False, pytest.param(True, marks=pytest.mark.slow)], ids=["eager", "xla"]
)
def test_ten_steps_of_adam(model, compiled):
    optimizer = Adam(learning_rate=1e-3, beta_2=0.98, epsilon=1e-8)
    optimizer.build(model.trainable_variables)

    def step():
        with tf.GradientTape() as tape:
            loss = tf.add_n(losses(model))
        gradients = tape.gradient(loss, model.trainable_variables)
        optimizer.apply_gradients(zip(gradients, model.trainable_variables, strict=True))

    if compiled:
        step = tf.function(step, jit_compile=True)
    step()
    np.testing.assert_allclose(probabilities(model), RESULTS["p1"], atol=1e-5)
    for _ in range(9):
        step()
    np.testing.assert_allclose(probabilities(model), RESULTS["p10"], atol=1e-5)
