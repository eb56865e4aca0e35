import numpy as np
import pytest

from interhat_tf.layers import BucketEmbedding, PiecewiseLinearEmbedding

BINNED = [BucketEmbedding, PiecewiseLinearEmbedding]


def adapted(kind, numbers, bins=4):
    layer = kind(np.shape(numbers)[1], 2, bins=bins)
    layer.build()
    layer.adapt(np.array(numbers))
    return layer


@pytest.mark.parametrize("kind", BINNED)
def test_bins_have_as_many_of_the_numbers_each(kind, rng):
    numbers = np.exp(rng.normal(size=(4000, 2)) * [1, 3])
    edges = np.asarray(adapted(kind, numbers).edges)
    for column, of_field in zip(numbers.T, edges, strict=True):
        counts, _ = np.histogram(column, of_field)
        np.testing.assert_allclose(counts, 1000, atol=2)


@pytest.mark.parametrize(
    ("kind", "edges"),
    [(PiecewiseLinearEmbedding, [0, 2, 4, 6, 8]), (BucketEmbedding, [0, 4, 4, 4, 4])],
)
def test_missing_numbers_are_in_no_bin(kind, edges):
    layer = adapted(kind, [[0.0, np.nan], [np.nan, np.nan], [8.0, np.nan]])
    np.testing.assert_array_equal(layer.edges, [edges, [0, 0, 0, 0, 0]])
    assert np.isfinite(layer(np.array([[3.0, 3.0], [-1.0, -1.0]]))).all()


@pytest.mark.parametrize("kind", BINNED)
def test_vectors_are_no_numbers_before_the_bins_are_known(kind):
    layer = kind(1, 2)
    layer.build()
    assert np.isnan(layer(np.array([[0.5]]))).all()
