import numpy as np
import pytest
import tensorflow as tf

from interhat_tf import kernels
from tests.kernels.reference import (
    hierarchy_by_tensorflow,
    needs_kernels,
    output_and_gradients,
)

pytestmark = needs_kernels
SHAPES = [  # B, m, d, s, k: less and more than a vector of records, and all kinds of sizes
    (1, 2, 1, 1, 1),
    (5, 3, 2, 7, 2),
    (33, 7, 5, 3, 4),
    (40, 39, 12, 16, 3),
    (17, 13, 9, 17, 1),
]


def inputs_of(rng, shape, biased):
    batch, fields, dim, size, orders = shape
    inputs = [
        rng.normal(size=(batch, fields, dim)),
        rng.normal(size=(orders, dim, size)) / dim**0.5,
        *([rng.normal(size=(orders, size))] if biased else []),
        rng.normal(size=(orders, size)),
    ]
    return [tf.constant(x, "float32") for x in inputs]


def split(inputs, biased):
    features, weights, *biases, contexts = inputs
    return features, weights, biases[0] if biased else None, contexts


@pytest.mark.parametrize("relu", [False, True], ids=["linear", "relu"])
@pytest.mark.parametrize("biased", [False, True], ids=["no bias", "bias"])
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_orders_weights_and_their_gradients(rng, shape, biased, relu):
    batch, fields, dim, _, orders = shape
    inputs = inputs_of(rng, shape, biased)
    gradients = [
        tf.constant(rng.normal(size=(batch, orders, size)), "float32") for size in (dim, fields)
    ]
    found = output_and_gradients(
        lambda *inputs: kernels.hierarchy(*split(inputs, biased), relu=relu), inputs, gradients
    )
    expected = output_and_gradients(
        lambda *inputs: hierarchy_by_tensorflow(*split(inputs, biased), relu=relu),
        [tf.cast(x, "float64") for x in inputs],
        [tf.cast(x, "float64") for x in gradients],
    )
    for result, exact in zip(found, expected, strict=True):
        assert result.shape == exact.shape
        # Without a ReLU a bias moves all scores alike: its gradient is a sum that is to be 0.
        np.testing.assert_allclose(result, exact, atol=5e-5 * max(np.abs(exact).max(), 1))


def test_orders_alone_have_gradients(rng):
    """Of a loss that has no need of the weights."""
    inputs = inputs_of(rng, (9, 4, 3, 5, 2), biased=True)
    found, expected = (
        output_and_gradients(
            lambda *inputs, function=function: [function(*inputs, relu=True)[0]],
            inputs,
            [tf.ones((9, 2, 3))],
        )
        for function in (kernels.hierarchy, hierarchy_by_tensorflow)
    )
    for result, exact in zip(found, expected, strict=True):
        np.testing.assert_allclose(result, exact, atol=1e-4)


def test_a_field_that_is_no_number_spoils_its_record_alone(rng):
    features, *weights = inputs_of(rng, (20, 7, 4, 5, 2), biased=True)
    wrong = features.numpy()
    wrong[7, 3, 2] = np.nan
    for result in kernels.hierarchy(wrong, *weights, relu=True):
        found = np.isnan(result).reshape(20, -1)
        assert found[7].any() and not np.delete(found, 7, axis=0).any()


def test_weights_may_settle_on_one_field():
    features = tf.constant([[[1.0], [5.0]]])
    kernel = tf.constant([[[1e4]]])
    orders, weights = kernels.hierarchy(features, kernel, None, tf.ones((1, 1)), relu=False)
    np.testing.assert_allclose(weights, [[[0.0, 1.0]]], atol=1e-37)
    np.testing.assert_allclose(orders, [[[5.0]]])


def test_the_same_numbers_come_again(rng):
    inputs = inputs_of(rng, (300, 9, 4, 8, 3), biased=True)
    gradients = [tf.ones((300, 3, 4)), tf.ones((300, 3, 9))]
    first, *others = (
        output_and_gradients(
            lambda *inputs: kernels.hierarchy(*inputs, relu=True), inputs, gradients
        )
        for _ in range(5)
    )
    for other in others:
        for one, again in zip(first, other, strict=True):
            np.testing.assert_array_equal(one, again)


def test_an_empty_batch_has_empty_results(rng):
    inputs = inputs_of(rng, (0, 3, 4, 5, 2), biased=True)
    found = output_and_gradients(
        lambda *inputs: kernels.hierarchy(*inputs, relu=True),
        inputs,
        [tf.zeros((0, 2, 4)), tf.zeros((0, 2, 3))],
    )
    orders, weights, *of_inputs = found
    assert orders.shape == (0, 2, 4) and weights.shape == (0, 2, 3)
    assert all(np.all(gradient == 0) for gradient in of_inputs)


@pytest.mark.parametrize(
    "shapes, message",
    [
        (((2, 3), (1, 3, 5), (1, 5), (1, 5)), r"features must be \(B, m, d\)"),
        (((2, 3, 4), (1, 3, 5), (1, 5), (1, 5)), r"kernels \(k, d, s\)"),
        (((2, 3, 4), (2, 4, 5), (1, 5), (2, 5)), r"contexts must be \(k, s\)"),
        (((2, 3, 4), (2, 4, 5), (2, 5), (2, 4)), r"contexts must be \(k, s\)"),
    ],
)
def test_shapes_that_do_not_fit(shapes, message):
    with pytest.raises(tf.errors.InvalidArgumentError, match=message):
        kernels.hierarchy(*map(tf.zeros, shapes), relu=True)
