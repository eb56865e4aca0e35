import keras
import numpy as np

from interhat_tf.layers import QuadraticLayer
from tests.layers import reference
from tests.layers.contract import built, check_equation, check_layer_contract, check_penalty

FLAT = np.random.default_rng(1).normal(size=(6, 20)).astype("float32")


def test_equals_the_equation():
    check_equation(QuadraticLayer(3), FLAT, lambda x, w: reference.quadratic_layer(x, w, 3))


def test_by_hand():
    layer = QuadraticLayer(2)
    layer.build((None, 1))
    layer.set_weights([np.array([[10.0, -1.0]]), np.array([0.5, 1.0])])
    # For 2: 2 * (20.5 + 0) + 2, since the second map, -2 + 1, is below zero.
    np.testing.assert_array_equal(layer(np.array([[2.0]])), [[43.0]])


def test_follows_the_layer_contract():
    check_layer_contract(built(QuadraticLayer(3), FLAT), FLAT)


def test_regulariser_is_kept_and_penalises_its_weights():
    check_penalty(QuadraticLayer(3, kernel_regularizer=keras.regularizers.L2(0.1)), FLAT, 0.1)


def test_normalises_with_batch_statistics_in_training():
    layer = QuadraticLayer(3, batch_norm=True)
    assert not np.allclose(layer(FLAT), layer(FLAT, training=True), atol=1e-2)
    # Shifting and scaling what is normalised changes nothing.
    before, maps = layer(FLAT, training=True), layer.maps.dense[0]
    maps.kernel.assign(3 * maps.kernel)
    maps.bias.assign(3 * maps.bias + 7)
    np.testing.assert_allclose(layer(FLAT, training=True), before, rtol=1e-3, atol=1e-3)


def test_dropout_acts_in_training_only():
    layer = QuadraticLayer(3, dropout=0.5)
    np.testing.assert_array_equal(layer(FLAT), layer(FLAT))
    assert not np.allclose(layer(FLAT, training=True), layer(FLAT, training=True))
