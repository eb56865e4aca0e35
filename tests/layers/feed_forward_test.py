import keras
import numpy as np
import pytest

from interhat_tf.layers import FeedForward
from tests.layers.contract import check_layer_contract
from tests.numpy_reference import feed_forward, randomise, weights_of

pytestmark = pytest.mark.parametrize("hidden_dim", [None, 9], ids=["paper", "released"])


@pytest.fixture
def fields(rng):
    return rng.normal(size=(6, 5, 4)).astype("float32")


def make(fields, hidden_dim, **arguments):
    layer = FeedForward(hidden_dim, **arguments)
    layer(fields)
    return randomise(layer)


def test_equals_numpy(fields, hidden_dim):
    layer = make(fields, hidden_dim)
    np.testing.assert_allclose(layer(fields), feed_forward(fields, weights_of(layer)), atol=1e-5)


def test_follows_the_layer_contract(fields, hidden_dim):
    check_layer_contract(make(fields, hidden_dim, kernel_regularizer="l2"), fields)


def test_regulariser_penalises_projections_but_not_the_layer_norm(fields, hidden_dim):
    layer = make(fields, hidden_dim, kernel_regularizer=keras.regularizers.L2(0.1))
    expected = 0.1 * sum(
        (w**2).sum() for path, w in weights_of(layer).items() if "normalization" not in path
    )
    np.testing.assert_allclose(sum(layer.losses), expected, rtol=1e-5)
