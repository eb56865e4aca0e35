import keras
import numpy as np

from interhat_tf.layers import BucketEmbedding
from tests.layers.contract import check_equation, check_layer_contract, check_penalty

NUMBERS = np.random.default_rng(1).normal(size=(50, 3)).astype("float32")


def loops(x, weights):
    """One vector after the other: of the last bucket whose first edge the number has reached."""
    edges = weights["edges"]
    found = np.zeros((*x.shape, weights["vectors"].shape[-1]))
    for row, j in np.ndindex(x.shape):
        bucket = sum(x[row, j] >= edge for edge in edges[j][1:-1])
        found[row, j] = weights["vectors"][j, bucket]
    return found


def test_equals_the_equation():
    check_equation(BucketEmbedding(3, 4, bins=5), NUMBERS, loops)


def test_by_hand():
    layer = BucketEmbedding(1, 1, bins=3)
    layer.build()
    layer.set_weights([np.array([[[1.0], [2.0], [3.0]]]), np.array([[0.0, 1.0, 5.0, 9.0]])])
    numbers = np.array([[-7.0], [0.0], [0.99], [1.0], [5.0], [9.0], [70.0]])
    np.testing.assert_array_equal(np.ravel(layer(numbers)), [1, 1, 1, 2, 3, 3, 3])


def test_equal_quantiles_share_a_bucket():
    layer = BucketEmbedding(1, 2, bins=4)
    layer.build()
    layer.adapt(np.array([[0.0]] * 9 + [[7.0]]))
    first, second, third = np.asarray(layer(np.array([[0.0], [6.9], [7.0]])))
    np.testing.assert_array_equal(first, second)
    np.testing.assert_array_equal(first, third)


def test_rounding_puts_a_frequent_number_in_no_other_bucket():
    counts = np.log1p(np.random.default_rng(1).poisson(3, (1000, 1))).astype("float32")
    layer = BucketEmbedding(1, 2, bins=8)
    layer.build()
    layer.adapt(counts)
    known = np.unique(counts)[:, np.newaxis]
    assert len(np.unique(layer(known), axis=0)) >= 6
    for other in (np.nextafter(known, -np.inf), np.nextafter(known, np.inf)):
        np.testing.assert_array_equal(layer(other), layer(known))


def test_follows_the_layer_contract():
    layer = BucketEmbedding(3, 4, bins=5)
    layer.build()
    layer.adapt(NUMBERS)
    check_layer_contract(layer, NUMBERS)


def test_regulariser_penalises_the_vectors():
    layer = BucketEmbedding(3, 4, embeddings_regularizer=keras.regularizers.L2(0.1))
    check_penalty(layer, NUMBERS, 0.1, lambda path: path != "edges")
