import keras
import numpy as np
import pytest

from interhat_tf.layers import AttentionalAggregation
from tests.layers.contract import check_layer_contract
from tests.numpy_reference import aggregate, linear, randomise, relu, weights_of

ACTIVATIONS = {"relu": relu, None: linear}


@pytest.fixture
def fields(rng):
    return rng.normal(size=(6, 5, 4)).astype("float32")


def make(fields, **arguments):
    layer = AttentionalAggregation(attention_size=3, **arguments)
    layer(fields)
    return randomise(layer)


@pytest.mark.parametrize("use_bias", [False, True])
@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_equals_numpy(fields, activation, use_bias):
    layer = make(fields, activation=activation, use_bias=use_bias)
    assert ("projection/bias" in weights_of(layer)) == use_bias
    u, alpha = layer(fields)
    expected_u, expected_alpha = aggregate(fields, weights_of(layer), ACTIVATIONS[activation])
    np.testing.assert_allclose(u, expected_u, atol=1e-5)
    np.testing.assert_allclose(alpha, expected_alpha, atol=1e-6)
    np.testing.assert_allclose(np.sum(alpha, axis=-1), 1, rtol=1e-6)


def test_equals_the_equation_worked_by_hand():
    layer = make(np.zeros((1, 2, 2), "float32"))
    layer.context.assign([[1.0], [0.0], [0.0]])
    layer.projection.kernel.assign([[1.0, 0.0, 0.0], [0.0, 0.0, 0.0]])
    # The scores are ReLU of each x's first number: 1 and 0, so alpha = (e, 1) / (e + 1).
    u, alpha = layer(np.array([[[1.0, 10.0], [-5.0, 20.0]]], "float32"))
    np.testing.assert_allclose(alpha, [[0.7310586, 0.2689414]], rtol=1e-6)
    np.testing.assert_allclose(u, [[-0.6136484, 12.689414]], rtol=1e-6)


@pytest.mark.parametrize("use_bias", [False, True])
def test_follows_the_layer_contract(fields, use_bias):
    arguments = {"kernel_regularizer": "l2", "context_regularizer": "l1"}
    check_layer_contract(make(fields, use_bias=use_bias, activation="tanh", **arguments), fields)


@pytest.mark.parametrize(
    ("argument", "penalised"),
    [
        ("kernel_regularizer", ["projection/kernel", "projection/bias"]),
        ("context_regularizer", ["context"]),
    ],
)
def test_each_regulariser_penalises_its_own_weights(fields, argument, penalised):
    layer = make(fields, use_bias=True, **{argument: keras.regularizers.L2(0.1)})
    expected = 0.1 * sum((weights_of(layer)[path] ** 2).sum() for path in penalised)
    np.testing.assert_allclose(sum(layer.losses), expected, rtol=1e-5)
