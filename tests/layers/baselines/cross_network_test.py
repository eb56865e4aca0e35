import keras
import numpy as np

from interhat_tf.layers import CrossNetwork
from tests.layers import reference
from tests.layers.contract import built, check_equation, check_layer_contract, check_penalty

FLAT = np.random.default_rng(1).normal(size=(6, 20)).astype("float32")


def test_equals_loops_over_the_equation():
    check_equation(CrossNetwork(3), FLAT, lambda x, w: reference.cross_network(x, w, 3))


def test_follows_the_layer_contract():
    check_layer_contract(built(CrossNetwork(3), FLAT), FLAT)


def test_regulariser_is_kept_and_penalises_its_weights():
    layer = CrossNetwork(3, kernel_regularizer=keras.regularizers.L2(0.1))
    check_penalty(layer, FLAT, 0.1)


def test_by_hand():
    vector, cross = np.array([[1.0, 2.0]]), CrossNetwork(1)
    cross.build((None, 2))
    cross.set_weights([np.array([[10.0], [1.0]]), np.array([0.5, 0.25])])
    # x^T w = 12; 12 x + b + x.
    np.testing.assert_array_equal(cross(vector), [[13.5, 26.25]])
