import keras
import numpy as np

from interhat_tf.layers import AutoDis
from tests.layers.contract import built, check_equation, check_layer_contract, check_penalty
from tests.numpy_reference import softmax

NUMBERS = np.random.default_rng(1).normal(size=(50, 3)).astype("float32")


def loops(x, weights):
    """Section 3's equations, one number after the other; a = 0.3, tau = 0.5."""
    found = np.zeros((*x.shape, weights["vectors"].shape[-1]))
    for row, j in np.ndindex(x.shape):
        hidden = weights["first"][j] * x[row, j]
        hidden = np.where(hidden > 0, hidden, 0.2 * hidden)
        scores = weights["second"][j].T @ hidden + 0.3 * hidden
        found[row, j] = softmax(scores / 0.5) @ weights["vectors"][j]
    return found


def test_equals_the_equation():
    check_equation(AutoDis(3, 4, meta_embeddings=5, skip=0.3, temperature=0.5), NUMBERS, loops)


def test_a_low_temperature_gives_each_number_one_meta_embedding():
    layer = built(AutoDis(3, 2, meta_embeddings=5, temperature=1e-5), NUMBERS)
    numbers = np.asarray(layer(NUMBERS))
    for j, vectors in enumerate(np.asarray(layer.vectors)):
        distances = np.abs(numbers[:, j, np.newaxis] - vectors).sum(axis=-1)
        np.testing.assert_allclose(distances.min(axis=1), 0, atol=1e-5)


def test_follows_the_layer_contract():
    check_layer_contract(built(AutoDis(3, 4, skip=0.2, temperature=0.7), NUMBERS), NUMBERS)


def test_regulariser_penalises_the_meta_embeddings():
    layer = AutoDis(3, 4, embeddings_regularizer=keras.regularizers.L2(0.1))
    check_penalty(layer, NUMBERS, 0.1, lambda path: path == "vectors")
