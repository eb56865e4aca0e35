import keras
import numpy as np
import pytest
import tensorflow as tf

from interhat_tf.layers import AttentionalAggregation, ValuePooling
from tests.layers.contract import check_layer_contract
from tests.numpy_reference import aggregate, inside, randomise, weights_of

POOLINGS = ("mean", "sum", "max", "attention")
LENGTHS = np.array([3, 0, 5, 1])
PRESENT = np.arange(5) < LENGTHS[:, None]


def make(pooling, dtype=None):
    vectors = np.random.default_rng(1).normal(size=(4, 5, 6)).astype("float32")
    layer = ValuePooling(pooling, attention_size=3, dtype=dtype)
    layer(vectors, PRESENT)
    return randomise(layer), vectors


def pooled(x, layer):
    """A record's vector and its values' shares, of the values x that it has, (n, d)."""
    if not len(x):
        return np.zeros(x.shape[1]), np.zeros(0)
    if layer.pooling == "attention":
        u, alpha = aggregate(x[None], inside(weights_of(layer), "attention"))
        return u[0], alpha[0]
    if layer.pooling == "max":
        return x.max(axis=0), np.bincount(x.argmax(axis=0), minlength=len(x)) / x.shape[1]
    return getattr(x, layer.pooling)(axis=0), np.full(len(x), 1 / len(x))


@pytest.mark.parametrize("pooling", POOLINGS)
def test_equals_numpy_record_by_record(pooling):
    layer, vectors = make(pooling)
    found, shares = layer(vectors, PRESENT)
    for record, length in enumerate(LENGTHS):
        u, of_values = pooled(vectors[record, :length], layer)
        np.testing.assert_allclose(found[record], u, rtol=1e-5, atol=1e-6)
        np.testing.assert_allclose(shares[record, :length], of_values, rtol=1e-5)
        assert not np.any(shares[record, length:])


@pytest.mark.parametrize("dtype", ["float32", "mixed_float16"])
@pytest.mark.parametrize("pooling", POOLINGS)
def test_padding_changes_nothing(pooling, dtype):
    layer, vectors = make(pooling, dtype)
    other = np.where(PRESENT[:, :, None], vectors, np.float32(100.0))
    for of_padding, of_other in zip(layer(vectors, PRESENT), layer(other, PRESENT), strict=True):
        np.testing.assert_array_equal(of_padding, of_other)
    longer = np.concatenate([vectors, vectors], axis=1)
    present = np.concatenate([PRESENT, np.zeros_like(PRESENT)], axis=1)
    u, shares = layer(longer, present)
    np.testing.assert_allclose(u, layer(vectors, PRESENT)[0], rtol=1e-6, atol=1e-6)
    assert not np.any(shares[:, 5:])


@pytest.mark.parametrize("pooling", POOLINGS)
def test_padding_has_no_gradient(pooling):
    layer, vectors = make(pooling)
    vectors = tf.constant(vectors)
    with tf.GradientTape() as tape:
        tape.watch(vectors)
        total = tf.reduce_sum(layer(vectors, PRESENT)[0] ** 2)
    gradient = np.asarray(tape.gradient(total, vectors))
    assert np.isfinite(gradient).all()
    assert not gradient[~PRESENT].any()
    assert gradient[PRESENT].any(axis=1).all() or pooling == "max"


@pytest.mark.parametrize("pooling", POOLINGS)
def test_follows_the_layer_contract(pooling):
    layer, vectors = make(pooling)
    check_layer_contract(layer, vectors, PRESENT)


def test_attention_is_the_papers_over_the_values():
    layer, vectors = make("attention")
    assert isinstance(layer.attention, AttentionalAggregation)
    u, alpha = layer(vectors, np.ones_like(PRESENT))
    expected_u, expected_alpha = layer.attention(vectors)
    np.testing.assert_allclose(u, expected_u, rtol=1e-6)
    np.testing.assert_allclose(alpha, expected_alpha, rtol=1e-6)


def test_a_field_of_one_value_needs_no_attention():
    layer = ValuePooling("attention")
    u, shares = layer(keras.ops.ones((2, 1, 3)), np.array([[True], [False]]))
    assert not layer.weights
    np.testing.assert_array_equal(u, [[1, 1, 1], [0, 0, 0]])
    np.testing.assert_array_equal(shares, [[1], [0]])


def test_values_that_share_a_maximum_share_it_evenly():
    _, shares = ValuePooling("max")(keras.ops.ones((1, 3, 2)), np.array([[True, True, False]]))
    np.testing.assert_array_equal(shares, [[0.5, 0.5, 0]])


def test_there_is_no_such_pooling():
    with pytest.raises(ValueError, match="one of mean, sum, max, attention; got 'last'"):
        ValuePooling("last")
