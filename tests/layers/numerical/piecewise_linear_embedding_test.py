import keras
import numpy as np

from interhat_tf.layers import PiecewiseLinearEmbedding
from tests.layers.contract import check_layer_contract, check_penalty
from tests.numpy_reference import randomise, weights_of

NUMBERS = np.random.default_rng(1).normal(size=(50, 3)).astype("float32")


def make(**arguments):
    layer = PiecewiseLinearEmbedding(3, 4, bins=5, **arguments)
    layer.build()
    randomise(layer).adapt(NUMBERS[:25])
    return layer


def loops(x, weights):
    """Equation 1, bin after bin, with ends that are closed."""
    found = np.zeros((*x.shape, weights["vectors"].shape[-1]))
    for row, j in np.ndindex(x.shape):
        found[row, j] = weights["constant"][j, 0]
        for vector, start, end in zip(
            weights["vectors"][j], weights["edges"][j], weights["edges"][j][1:], strict=False
        ):
            if x[row, j] >= end:
                found[row, j] += vector
            elif x[row, j] > start:
                found[row, j] += vector * (x[row, j] - start) / (end - start)
    return found


def test_equals_the_equation():
    layer = make()
    expected = loops(NUMBERS.astype("float64"), weights_of(layer))
    assert (np.asarray(layer.edges)[:, 0] > NUMBERS).any(), "no number is below the first edge"
    np.testing.assert_allclose(layer(NUMBERS), expected, rtol=1e-4, atol=1e-4)


def test_by_hand():
    layer = PiecewiseLinearEmbedding(1, 1, bins=2)
    layer.build()
    weights = [[[4.0], [-6.0]]], [[[10.0]]], [[1.0, 3.0, 6.0]]
    layer.set_weights([np.array(values) for values in weights])
    numbers = np.array([[0.0], [1.0], [1.5], [3.0], [4.0], [6.0], [60.0]])
    np.testing.assert_array_equal(np.ravel(layer(numbers)), [10, 10, 11, 14, 12, 8, 8])


def test_a_bin_without_a_width_adds_nothing():
    layer = PiecewiseLinearEmbedding(1, 1, bins=3)
    layer.build()
    weights = [[[4.0], [100.0], [8.0]]], [[[0.0]]], [[0.0, 1.0, 1.0, 2.0]]
    layer.set_weights([np.array(values) for values in weights])
    np.testing.assert_array_equal(np.ravel(layer(np.array([[0.5], [1.0], [1.5]]))), [2, 4, 8])


def test_follows_the_layer_contract():
    check_layer_contract(make(), NUMBERS)


def test_regulariser_penalises_the_vectors():
    layer = make(embeddings_regularizer=keras.regularizers.L2(0.1))
    check_penalty(layer, NUMBERS, 0.1, lambda path: path != "edges")
