import numpy as np

from interhat_tf.layers import Centering
from tests.layers.contract import built, check_layer_contract

FIELDS = np.random.default_rng(1).normal(size=(6, 5, 4)).astype("float32")


def test_in_training_the_mean_is_the_batchs():
    layer = Centering()
    np.testing.assert_allclose(
        layer(FIELDS, training=True), FIELDS - FIELDS.mean(axis=0), atol=1e-6
    )
    np.testing.assert_allclose(layer.moving_mean, 0.1 * FIELDS.mean(axis=0), atol=1e-6)


def test_afterwards_it_is_the_moving_mean():
    layer = built(Centering(), FIELDS)
    expected = FIELDS - np.asarray(layer.moving_mean)
    np.testing.assert_allclose(layer(FIELDS), expected, atol=1e-6)


def test_a_batch_without_records_changes_nothing():
    layer = built(Centering(), FIELDS)
    before = np.array(layer.moving_mean)
    assert layer(FIELDS[:0], training=True).shape == (0, 5, 4)
    np.testing.assert_allclose(layer.moving_mean, before, rtol=1e-6)


def test_frozen_it_keeps_its_mean():
    layer = built(Centering(), FIELDS)
    layer.trainable = False
    before = np.array(layer.moving_mean)
    np.testing.assert_allclose(layer(FIELDS, training=True), FIELDS - before, atol=1e-6)
    np.testing.assert_allclose(layer.moving_mean, before, rtol=1e-6)


def test_follows_the_layer_contract():
    check_layer_contract(built(Centering(), FIELDS), FIELDS)
