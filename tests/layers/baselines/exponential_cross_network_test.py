import keras
import numpy as np
import pytest

from interhat_tf.layers import ExponentialCrossNetwork
from tests.layers import reference
from tests.layers.contract import built, check_equation, check_layer_contract, check_penalty

FLAT = np.random.default_rng(1).normal(size=(6, 20)).astype("float32")


def test_equals_the_equation():
    check_equation(
        ExponentialCrossNetwork(2), FLAT, lambda x, w: reference.exponential_cross_network(x, w, 2)
    )


def test_layer_norm_standardises_what_is_scaled_and_shifted():
    check_equation(
        ExponentialCrossNetwork(2, layer_norm=True),
        FLAT,
        lambda x, w: reference.exponential_cross_network(
            x, w, 2, lambda c: (c - c.mean()) / np.sqrt(c.var() + 1e-5)
        ),
    )


def test_by_hand():
    cross = ExponentialCrossNetwork(1)
    cross.build((None, 2))
    weights = ([[10.0], [1.0]], [2.0], [3.0], [0.5, 0.25])
    cross.set_weights([np.array(values) for values in weights])
    # W x = 12, so the factors are 12 + 0.5 and 2 * 12 + 3 + 0.25.
    np.testing.assert_array_equal(cross(np.array([[1.0, 2.0]])), [[13.5, 56.5]])


def test_the_order_doubles_with_each_layer():
    """Three layers are of the eighth degree: twice a large x, with all weights above zero."""
    cross = built(ExponentialCrossNetwork(3), FLAT)
    cross.set_weights([np.abs(weight) for weight in cross.get_weights()])
    large = 1e3 * np.abs(FLAT)
    growth = np.log2(np.asarray(cross(2 * large)) / np.asarray(cross(large)))
    np.testing.assert_allclose(growth, 8, atol=0.05)


def test_follows_the_layer_contract():
    check_layer_contract(built(ExponentialCrossNetwork(2), FLAT), FLAT)


def test_regulariser_is_kept_and_penalises_its_weights():
    layer = ExponentialCrossNetwork(2, kernel_regularizer=keras.regularizers.L2(0.1))
    check_penalty(layer, FLAT, 0.1)


def test_batch_norm_shares_one_mean_and_variance():
    layer = ExponentialCrossNetwork(1, batch_norm=True)
    before = layer(FLAT, training=True)
    assert [w.shape for w in layer.normalizations[0].weights] == [(1,)] * 4
    # All factors scaled alike are the same factors.
    layer.kernels[0].assign(3 * layer.kernels[0])
    np.testing.assert_allclose(layer(FLAT, training=True), before, rtol=1e-3, atol=1e-3)
    assert not np.allclose(layer(FLAT), before, atol=1e-2)


def test_no_record_leaves_the_moving_statistics():
    layer = ExponentialCrossNetwork(1, batch_norm=True)
    layer(FLAT[:0], training=True)
    assert layer.normalizations[0].moving_mean.numpy() == [0]


def test_dropout_acts_in_training_only():
    layer = ExponentialCrossNetwork(2, dropout=0.5)
    np.testing.assert_array_equal(layer(FLAT), layer(FLAT))
    assert not np.allclose(layer(FLAT, training=True), layer(FLAT, training=True))


def test_rejects_an_odd_width():
    with pytest.raises(ValueError, match=r"must be even.*got 3"):
        ExponentialCrossNetwork(2).build((None, 3))
