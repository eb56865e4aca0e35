import numpy as np
import pytest
import tensorflow as tf

from interhat_tf import kernels
from interhat_tf.kernels.gradients import weighted_sum_by_tensorflow
from tests.kernels.reference import gradients_of_gradients, needs_kernels, output_and_gradients

pytestmark = needs_kernels
# B, ..., and k: records of less than a vector, of a rest behind whole ones, without more axes
SHAPES = [((1, 3), 1), ((5, 7, 3), 2), ((33, 16), 3), ((70, 39, 16), 2), ((9,), 4)]


def inputs_of(rng, shape, count):
    arrays = [rng.normal(size=(shape[0], count)), *(rng.normal(size=shape) for _ in range(count))]
    return [tf.constant(array, "float32") for array in arrays]


def by_kernel(weights, *terms):
    return kernels.weighted_sum(weights, terms)


def by_numpy(weights, *terms):
    """Returns the sum, and the gradients of weights and terms, of a gradient of ones."""
    weights, *terms = (np.asarray(x, "float64") for x in (weights, *terms))
    columns = [column.reshape(-1, *[1] * (terms[0].ndim - 1)) for column in weights.T]
    total = sum(column * term for column, term in zip(columns, terms, strict=True))
    of_weights = np.stack([term.reshape(len(term), -1).sum(axis=1) for term in terms], axis=1)
    return [total, of_weights, *(np.broadcast_to(column, total.shape) for column in columns)]


@pytest.mark.parametrize(("shape", "count"), SHAPES, ids=str)
def test_sums_and_their_gradients(rng, shape, count):
    inputs = inputs_of(rng, shape, count)
    found = output_and_gradients(by_kernel, inputs, tf.ones(shape))
    for result, right in zip(found, by_numpy(*inputs), strict=True):
        assert result.shape == right.shape
        np.testing.assert_allclose(result, right, atol=1e-6 * max(np.abs(right).max(), 10))
    gradient = tf.constant(rng.normal(size=shape), "float32")
    found, expected = (
        output_and_gradients(function, inputs, gradient)
        for function in (by_kernel, weighted_sum_by_tensorflow)
    )
    for result, right in zip(found, expected, strict=True):
        np.testing.assert_allclose(result, right, atol=1e-6 * max(np.abs(right).max(), 10))


def test_second_derivatives(rng):
    inputs, given = inputs_of(rng, (6, 5, 3), 2), tf.constant(rng.normal(size=(6, 5, 3)), "float32")

    found, expected = (
        gradients_of_gradients(function, inputs, given)
        for function in (by_kernel, weighted_sum_by_tensorflow)
    )
    for result, right in zip(found, expected, strict=True):
        np.testing.assert_allclose(result, right, rtol=1e-4, atol=1e-4)


def test_an_empty_batch():
    inputs = [tf.zeros((0, 2)), tf.zeros((0, 5, 3)), tf.zeros((0, 5, 3))]
    found = output_and_gradients(by_kernel, inputs, tf.zeros((0, 5, 3)))
    assert [x.shape for x in found] == [(0, 5, 3), (0, 2), (0, 5, 3), (0, 5, 3)]


@pytest.mark.parametrize(
    "shapes",
    [
        [(4, 3), (4, 5), (4, 5)],
        [(3, 2), (4, 5), (4, 5)],
        [(4, 2), (4, 5), (4, 6)],
        [(4, 2), (4, 5), (3, 5)],
        [(2,), (4, 5), (4, 5)],
        [(1, 2), (), ()],
    ],
    ids=str,
)
def test_shapes_that_do_not_fit(shapes):
    with pytest.raises(tf.errors.InvalidArgumentError, match=r"weights must be \(B, k\)"):
        by_kernel(*map(tf.zeros, shapes))
