import keras
import numpy as np

from interhat_tf.layers import FeatureGate
from tests.layers import reference
from tests.layers.contract import check_layer_contract
from tests.numpy_reference import randomise, weights_of

RNG = np.random.default_rng(1)
FLAT = RNG.normal(size=(6, 20)).astype("float32")
CONTEXT = RNG.normal(size=(6, 4)).astype("float32")


def made(**arguments):
    layer = FeatureGate(7, **arguments)
    layer(FLAT, CONTEXT)
    return randomise(layer)


def test_equals_the_equation():
    layer = made()
    expected = reference.feature_gate(FLAT, CONTEXT, weights_of(layer))
    np.testing.assert_allclose(layer(FLAT, CONTEXT), expected, rtol=1e-4, atol=1e-5)


def test_by_hand():
    gate = FeatureGate(1)
    gate.build((None, 2), (None, 1))
    three = np.log(3.0)
    gate.set_weights([np.ones((1, 1)), np.zeros(1), np.array([[three, -three]]), np.zeros(2)])
    # sigmoid(log 3) is 3 / 4 and sigmoid(-log 3) a quarter; no context below zero passes the ReLU.
    outputs = gate(np.array([[8.0, 8.0], [8.0, 8.0]]), np.array([[1.0], [-1.0]]))
    np.testing.assert_allclose(outputs, [[12.0, 4.0], [8.0, 8.0]], rtol=1e-6)


def test_follows_the_layer_contract():
    check_layer_contract(made(), FLAT, CONTEXT)


def test_regulariser_is_kept_and_penalises_its_weights():
    layer = made(kernel_regularizer=keras.regularizers.L2(0.1))
    expected = 0.1 * sum((w**2).sum() for w in weights_of(layer).values())
    np.testing.assert_allclose(sum(layer.losses), expected, rtol=1e-5)
    check_layer_contract(layer, FLAT, CONTEXT)
