import keras
import numpy as np
import pytest
import tensorflow as tf

from interhat_tf.layers.batch_normalization import BatchNormalization


def test_it_normalises_with_the_momentum_and_epsilon_of_the_benchmark(rng):
    layer, x = BatchNormalization(), rng.normal(3, 2, (50, 4)).astype("float32")
    expected = (x - x.mean(axis=0)) / np.sqrt(x.var(axis=0) + 1e-5)
    np.testing.assert_allclose(layer(x, training=True), expected, atol=1e-5)
    np.testing.assert_allclose(layer.moving_mean, 0.1 * x.mean(axis=0), rtol=1e-5)
    np.testing.assert_allclose(layer.moving_variance, 0.9 + 0.1 * x.var(axis=0), rtol=1e-5)


def test_a_batch_without_records_leaves_the_statistics(rng):
    layer, x = BatchNormalization(), rng.normal(3, 2, (50, 4)).astype("float32")
    layer(x, training=True)
    before = [np.array(weight) for weight in layer.weights]
    assert layer(x[:0], training=True).shape == (0, 4)
    for weight, same in zip(layer.weights, before, strict=True):
        np.testing.assert_allclose(weight, same, rtol=1e-6)


@pytest.mark.parametrize("kernels", ["0", "1"], ids=["TensorFlow's operations", "kernel"])
@pytest.mark.parametrize("arguments", [{}, {"center": False, "scale": False}], ids=str)
def test_it_trains_as_keras_layer_does(arguments, kernels, rng, monkeypatch):
    monkeypatch.setenv("INTERHAT_KERNELS", kernels)
    x, g = (tf.constant(rng.normal(3, 2, (2, 25, 4)), "float32") for _ in range(2))
    ours = BatchNormalization(**arguments)
    theirs = keras.layers.BatchNormalization(momentum=0.9, epsilon=1e-5, **arguments)
    found, expected = [], []
    for layer, results in ((ours, found), (theirs, expected)):
        layer.build(x.shape)
        with tf.GradientTape() as tape:
            tape.watch(x)
            outputs = layer(x, training=True)
        results += [outputs, *tape.gradient(outputs, [x, *layer.trainable_variables], g)]
        results += [tf.constant(weight) for weight in layer.weights]
    for result, right in zip(found, expected, strict=True):
        np.testing.assert_allclose(result, right, rtol=1e-4, atol=1e-5)


def test_what_is_frozen_has_the_moving_statistics(rng):
    layer, x = BatchNormalization(trainable=False), rng.normal(3, 2, (50, 4)).astype("float32")
    np.testing.assert_allclose(layer(x, training=True), x / np.sqrt(1 + 1e-5), rtol=1e-5)
    np.testing.assert_array_equal(layer.moving_mean, np.zeros(4))


def test_half_precision_is_normalised_in_single(rng):
    layer = BatchNormalization(dtype="mixed_bfloat16")
    x = 1000 + rng.normal(size=(500, 3)).astype("float32")
    outputs = layer(tf.constant(x, "bfloat16"), training=True)
    assert outputs.dtype == "bfloat16" and layer.moving_mean.dtype == "float32"
    rounded = tf.cast(tf.constant(x, "bfloat16"), "float64")
    np.testing.assert_allclose(layer.moving_mean, 0.1 * np.mean(rounded, axis=0), rtol=1e-5)
