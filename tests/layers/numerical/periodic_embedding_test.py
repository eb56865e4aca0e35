import keras
import numpy as np
import pytest

from interhat_tf.layers import PeriodicEmbedding
from tests.layers.contract import built, check_equation, check_layer_contract, check_penalty
from tests.numpy_reference import relu

NUMBERS = np.random.default_rng(1).normal(size=(50, 3)).astype("float32")


def loops(x, weights):
    """Section 3.3, wave after wave."""
    count, dim = weights["rates"].shape[1], weights["vectors"].shape[-1]
    found = np.zeros((*x.shape, dim))
    for row, j in np.ndindex(x.shape):
        found[row, j] = weights["constant"][j, 0]
        for k, rate in enumerate(weights["rates"][j]):
            angle = 2 * np.pi * rate * x[row, j]
            found[row, j] += np.sin(angle) * weights["vectors"][j, k]
            found[row, j] += np.cos(angle) * weights["vectors"][j, count + k]
    return relu(found) if dim > 1 else found


@pytest.mark.parametrize("dim", [1, 4])
def test_equals_the_equation(dim):
    check_equation(PeriodicEmbedding(3, dim, frequencies=5), NUMBERS, loops)


def test_frequencies_start_with_the_given_deviation():
    layer = PeriodicEmbedding(50, 2, frequencies=40, frequency_scale=3.0)
    layer.build()
    assert 2.8 < np.std(layer.rates) < 3.2


def test_follows_the_layer_contract():
    check_layer_contract(built(PeriodicEmbedding(3, 4, frequency_scale=2.0), NUMBERS), NUMBERS)


def test_regulariser_penalises_the_vectors():
    layer = PeriodicEmbedding(3, 4, embeddings_regularizer=keras.regularizers.L2(0.1))
    check_penalty(layer, NUMBERS, 0.1, lambda path: path != "rates")
