import numpy as np

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
