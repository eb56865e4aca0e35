import numpy as np

from interhat_tf.layers import ElementwiseProduct
from tests.layers import reference
from tests.layers.contract import built, check_equation, check_layer_contract

FIELDS = np.random.default_rng(1).normal(size=(6, 5, 4)).astype("float32")


def test_equals_loops_over_the_equation():
    check_equation(ElementwiseProduct(), FIELDS, lambda x, w: reference.elementwise_product(x))


def test_follows_the_layer_contract():
    check_layer_contract(built(ElementwiseProduct(), FIELDS), FIELDS)


def test_by_hand():
    fields = np.array([[[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]]])
    np.testing.assert_array_equal(ElementwiseProduct()(fields), [[[3, 8], [5, 12], [15, 24]]])
