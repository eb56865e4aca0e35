import numpy as np
import pytest
import tensorflow as tf

from interhat_tf import kernels
from interhat_tf.kernels.gradients import inner_products_by_tensorflow
from tests.kernels.reference import gradients_of_gradients, needs_kernels, output_and_gradients

pytestmark = needs_kernels
# B, m, d: records of less than a vector and of a rest, one pair, tiles of fields that are not full
SHAPES = [(1, 2, 1), (5, 3, 4), (33, 10, 16), (70, 13, 5), (17, 39, 8)]
WEIGHTED = pytest.mark.parametrize("weighted", [True, False], ids=["weighted", "plain"])


def inputs_of(rng, shape, weighted):
    weights = rng.normal(size=shape[:2]) if weighted else np.zeros((0, 0))
    return [tf.constant(array, "float32") for array in (rng.normal(size=shape), weights)]


def by_tensorflow(fields, weights=None):
    return inner_products_by_tensorflow(fields, tf.zeros((0, 0)) if weights is None else weights)


def by_numpy(fields, weights, gradient):
    """Returns the products, and the gradients of fields and weights."""
    x, alpha, given = (np.asarray(array, "float64") for array in (fields, weights, gradient))
    (records, count, _), weighted = x.shape, alpha.size > 0
    of_fields, of_weights = np.zeros_like(x), np.zeros_like(alpha)
    products = np.zeros((records, count * (count - 1) // 2))
    for pair, (j, k) in enumerate(zip(*np.triu_indices(count, k=1), strict=True)):
        product = (x[:, j] * x[:, k]).sum(axis=-1)
        both = alpha[:, j] + alpha[:, k] if weighted else np.ones(records)
        products[:, pair] = both * product
        of_fields[:, j] += (given[:, pair] * both)[:, np.newaxis] * x[:, k]
        of_fields[:, k] += (given[:, pair] * both)[:, np.newaxis] * x[:, j]
        if weighted:
            of_weights[:, j] += given[:, pair] * product
            of_weights[:, k] += given[:, pair] * product
    return products, of_fields, of_weights


@WEIGHTED
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_products_and_their_gradients(rng, shape, weighted):
    inputs = inputs_of(rng, shape, weighted)
    records, count, _ = shape
    gradient = tf.constant(rng.normal(size=(records, count * (count - 1) // 2)), "float32")
    found = output_and_gradients(kernels.inner_products, inputs, gradient)
    for result, right in zip(found, by_numpy(*inputs, gradient), strict=True):
        assert result.shape == right.shape
        np.testing.assert_allclose(result, right, atol=2e-6 * np.abs(right).max(initial=5))


def test_none_and_no_weights_are_the_same(rng):
    fields, none = inputs_of(rng, (5, 4, 3), weighted=False)
    products = kernels.inner_products(fields)
    np.testing.assert_array_equal(products, kernels.inner_products(fields, none))
    np.testing.assert_allclose(products, kernels.inner_products(fields, tf.fill((5, 4), 0.5)))


@WEIGHTED
def test_second_derivatives(rng, weighted):
    fields, weights = inputs_of(rng, (6, 4, 3), weighted)
    inputs = [fields, weights] if weighted else [fields]
    given = tf.constant(rng.normal(size=(6, 6)), "float32")
    found, expected = (
        gradients_of_gradients(function, inputs, given)
        for function in (kernels.inner_products, by_tensorflow)
    )
    for result, right in zip(found, expected, strict=True):
        np.testing.assert_allclose(result, right, rtol=1e-4, atol=1e-4)


def test_one_field_has_no_pair():
    assert kernels.inner_products(tf.ones((3, 1, 4)), tf.ones((3, 1))).shape == (3, 0)


def test_an_empty_batch():
    inputs = [tf.zeros((0, 4, 3)), tf.zeros((0, 4))]
    found = output_and_gradients(kernels.inner_products, inputs, tf.zeros((0, 6)))
    assert [x.shape for x in found] == [(0, 6), (0, 4, 3), (0, 4)]


def test_the_graph_knows_the_shape():
    @tf.function(input_signature=[tf.TensorSpec((None, 5, 3)), tf.TensorSpec((None, 5))])
    def products(fields, weights):
        return kernels.inner_products(fields, weights)

    assert products.get_concrete_function().output_shapes == (None, 10)


@pytest.mark.parametrize(
    "shapes", [[(4, 3), (4, 3)], [(4, 3, 2), (4, 2)], [(4, 3, 2), (3, 3)]], ids=str
)
def test_shapes_that_do_not_fit(shapes):
    with pytest.raises(tf.errors.InvalidArgumentError, match=r"fields must be \(B, m, d\)|rank 3"):
        kernels.inner_products(*map(tf.zeros, shapes))
