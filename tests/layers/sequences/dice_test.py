import keras
import numpy as np
import pytest
import tensorflow as tf

from interhat_tf.layers import MLP, Dice
from tests.layers import reference
from tests.layers.contract import built, check_equation, check_layer_contract, check_penalty
from tests.layers.sequences.histories import PRESENT, VALUES
from tests.numpy_reference import dense, inside, weights_of

FLAT = VALUES.reshape(-1, 6)


def test_equals_the_equation():
    check_equation(Dice(), FLAT, reference.dice)
    check_equation(Dice(), VALUES, reference.dice)


def test_follows_the_layer_contract():
    check_layer_contract(built(Dice(), FLAT), FLAT)


def test_regulariser_is_kept_and_penalises_alpha():
    layer = Dice(alpha_regularizer=keras.regularizers.L2(0.1))
    check_penalty(layer, FLAT, 0.1, lambda path: path == "alpha")


@pytest.mark.parametrize("kernels", ["0", "1"], ids=["TensorFlow's operations", "kernel"])
def test_training_has_the_statistics_of_what_is_present_alone(kernels, monkeypatch):
    monkeypatch.setenv("INTERHAT_KERNELS", kernels)
    layer = built(Dice(), VALUES)
    rows = VALUES[PRESENT].astype("float64")  # (9, 6)
    p = reference.sigmoid((rows - rows.mean(axis=0)) / rows.std(axis=0))
    alpha = weights_of(layer)["alpha"]
    before = layer.normalization.moving_mean.numpy()
    found = layer(VALUES, PRESENT, training=True)
    expected = p * rows + (1 - p) * alpha * rows
    np.testing.assert_allclose(found[PRESENT], expected, rtol=1e-4, atol=1e-5)
    moved = 0.9 * before + 0.1 * rows.mean(axis=0)
    np.testing.assert_allclose(layer.normalization.moving_mean, moved, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("rows", [0, 4])
def test_statistics_of_nothing_are_the_moving_ones(rows):
    layer = built(Dice(), VALUES)
    before = weights_of(layer)
    found = layer(VALUES[:rows], np.zeros_like(PRESENT[:rows]), training=True)
    assert np.isfinite(found).all()
    for path, values in weights_of(layer).items():
        np.testing.assert_allclose(values, before[path], rtol=1e-6, err_msg=path)


@pytest.mark.parametrize("compiled", [False, True])  # XLA has no kernels
@pytest.mark.parametrize("present", [PRESENT, np.zeros_like(PRESENT), None])
def test_gradient_is_that_of_the_equation(present, compiled):
    """Written out where it is computed; here TensorFlow derives it, statistics and all."""
    layer = built(Dice(), VALUES)
    weights = tf.constant(np.random.default_rng(0).normal(size=VALUES.shape), "float32")
    inputs = tf.constant(VALUES)
    rows = inputs[present] if present is not None else tf.reshape(inputs, (-1, 6))
    nothing = rows.shape[0] == 0
    still = [tf.constant(layer.normalization.moving_mean), layer.normalization.moving_variance]

    def by_equation(inputs, alpha):
        rows = inputs[present] if present is not None else tf.reshape(inputs, (-1, 6))
        mean, variance = still if nothing else tf.nn.moments(rows, 0)
        p = tf.sigmoid((inputs - mean) / tf.sqrt(variance + 1e-8))
        return inputs * (p + (1 - p) * alpha)

    def by_layer(inputs, alpha):
        return layer(inputs, present, training=True)

    def gradients(outputs_of):
        with tf.GradientTape() as tape:
            tape.watch(inputs)
            total = tf.reduce_sum(outputs_of(inputs, layer.alpha.value) * weights)
        return tape.gradient(total, [inputs, layer.alpha.value])

    expected = gradients(by_equation)
    compute = tf.function(gradients, jit_compile=True) if compiled else gradients
    for of_layer, of_equation in zip(compute(by_layer), expected, strict=True):
        np.testing.assert_allclose(of_layer, of_equation, rtol=1e-4, atol=1e-5)


def test_half_precision_is_near():
    layer, half = built(Dice(), VALUES), built(Dice(dtype="mixed_float16"), VALUES)
    half.set_weights(layer.get_weights())
    np.testing.assert_allclose(half(VALUES), layer(VALUES), atol=0.02)


def test_an_mlp_has_one_for_each_layer():
    layer = built(MLP((5, 3), activation="dice"), FLAT)
    weights, expected = weights_of(layer), FLAT.astype("float64")
    for i in (1, 2):
        hidden = dense(expected, weights, f"dense_{i}")
        expected = reference.dice(hidden, inside(weights, f"activation_{i}"))
    np.testing.assert_allclose(layer(FLAT), expected, rtol=1e-4, atol=1e-5)
    check_layer_contract(layer, FLAT)
    assert not np.allclose(layer(FLAT, training=True), expected, atol=0.01)
