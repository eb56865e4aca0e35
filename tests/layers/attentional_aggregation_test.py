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


@pytest.mark.parametrize("gated", [False, True])
@pytest.mark.parametrize("batch_norm", [False, True])
def test_gate_and_batch_norm_equal_numpy(fields, gated, batch_norm):
    layer = make(fields, use_bias=True, gated=gated, batch_norm=batch_norm, activation="tanh")
    assert ("gate/bias" in weights_of(layer)) == gated
    assert ("normalization/gamma" in weights_of(layer)) == batch_norm
    expected_u, expected_alpha = aggregate(fields, weights_of(layer), np.tanh)
    u, alpha = layer(fields)
    np.testing.assert_allclose(u, expected_u, atol=1e-5)
    np.testing.assert_allclose(alpha, expected_alpha, atol=1e-6)


def test_batch_norm_makes_the_weights_independent_of_the_vectors_scale(fields):
    layer = make(fields, batch_norm=True)
    _, alpha = layer(fields, training=True)
    small = np.arange(1, 21).reshape(5, 4) * fields + 3.0  # each number with its own scale
    _, same = layer(small.astype("float32"), training=True)
    np.testing.assert_allclose(alpha, same, atol=1e-4)
    assert np.std(alpha) > 0.05


def test_given_weights_take_the_place_of_its_own(fields):
    layer = make(fields)
    given = np.array([[0.5, 0.5, 0.0, 0.0, 0.0]], "float32")
    pooled, _ = layer(fields, weights=given)
    np.testing.assert_allclose(pooled, fields[:, :2].mean(axis=1), atol=1e-6)


def test_one_vector_is_its_own_aggregation(fields):
    u, alpha = make(fields[:, :1])(fields[:, :1])
    np.testing.assert_array_equal(u, fields[:, 0])
    np.testing.assert_array_equal(alpha, np.ones((6, 1)))


@pytest.mark.parametrize("use_bias", [False, True])
def test_follows_the_layer_contract(fields, use_bias):
    arguments = {"kernel_regularizer": "l2", "context_regularizer": "l1"}
    arguments |= {"gated": use_bias, "batch_norm": not use_bias}
    check_layer_contract(make(fields, use_bias=use_bias, activation="tanh", **arguments), fields)


@pytest.mark.parametrize(
    ("argument", "penalised"),
    [
        (
            "kernel_regularizer",
            ["projection/kernel", "projection/bias", "gate/kernel", "gate/bias"],
        ),
        ("context_regularizer", ["context"]),
    ],
)
def test_each_regulariser_penalises_its_own_weights(fields, argument, penalised):
    layer = make(fields, use_bias=True, gated=True, **{argument: keras.regularizers.L2(0.1)})
    expected = 0.1 * sum((weights_of(layer)[path] ** 2).sum() for path in penalised)
    np.testing.assert_allclose(sum(layer.losses), expected, rtol=1e-5)
