import numpy as np
import pytest
import tensorflow as tf

from interhat_tf import kernels
from tests.kernels.reference import needs_kernels, output_and_gradients

pytestmark = needs_kernels
SHAPES = [  # B, m, d, s, k: rows of less and more than a vector, and all kinds of sizes
    (2, 2, 1, 1, 1),
    (5, 3, 2, 7, 2),
    (33, 7, 5, 3, 4),
    (70, 39, 32, 16, 2),
    (40, 17, 12, 33, 3),
]
EPSILON = 1e-3


def inputs_of(rng, shape, biased=True):
    """Returns features, kernels, biases, contexts, and gammas, betas, means and variances."""
    batch, fields, dim, size, orders = shape
    of_fields = (orders, fields * dim)
    inputs = [
        0.5 + rng.normal(size=(batch, fields, dim)),
        rng.normal(size=(orders, dim, size)) / dim**0.5,
        rng.normal(size=(orders, size)) if biased else np.zeros((0, 0)),
        rng.normal(size=(orders, size)) / size**0.5,
        1 + 0.3 * rng.normal(size=of_fields),
        0.3 * rng.normal(size=of_fields),
        0.3 * rng.normal(size=of_fields),
        1 + rng.random(size=of_fields),
    ]
    return [tf.constant(x, "float32") for x in inputs]


def by_kernel(*inputs, training, relu=True):
    """Returns orders, weights, means, variances and terms."""
    features, weights, biases, contexts, *normalization = inputs
    return kernels.normalized_hierarchy(
        *(features, weights, biases if biases.shape[0] else None, contexts, normalization),
        relu=relu,
        training=training,
        epsilon=EPSILON,
    )


def by_tensorflow(*inputs, training, relu=True):
    """Returns the same in the inputs' precision."""
    first, weights, biases, contexts, gammas, betas, means, variances = inputs
    count, dim = first.shape[1:]
    x, found = first, ([], [], [], [], [])
    for i in range(weights.shape[0]):
        mean, variance = (tf.reshape(of[i], (count, dim)) for of in (means, variances))
        if training:
            mean = tf.reduce_mean(x, axis=0)
            variance = tf.reduce_mean((x - mean) ** 2, axis=0)
        gamma, beta = (tf.reshape(of[i], (count, dim)) for of in (gammas, betas))
        normalized = gamma * (x - mean) / tf.sqrt(variance + EPSILON) + beta
        projected = tf.einsum("bmd,ds->bms", normalized, weights[i])
        projected = projected + biases[i] if biases.shape[0] else projected
        projected = tf.nn.relu(projected) if relu else projected
        alpha = tf.nn.softmax(tf.einsum("bms,s->bm", projected, contexts[i]))
        order = tf.einsum("bm,bmd->bd", alpha, x)
        terms = tf.einsum("bm,bmd->bmd", alpha, x)
        flat = [tf.reshape(tf.stop_gradient(of), (-1,)) for of in (mean, variance)]
        for to, result in zip(found, (order, alpha, *flat, terms), strict=True):
            to.append(result)
        x = order[:, tf.newaxis, :] * first + x
    orders, alphas, mean, variance, terms = found
    return (tf.stack(orders, 1), tf.stack(alphas, 1), tf.stack(mean), tf.stack(variance), terms)


def gradients_of(rng, shape):
    """Returns the gradients of what has one: orders, weights and terms."""
    batch, fields, dim, _, orders = shape
    shapes = [(batch, orders, dim), (batch, orders, fields), *[(batch, fields, dim)] * orders]
    return [tf.constant(rng.normal(size=of), "float32") for of in shapes]


def results_and_gradients(function, inputs, gradients, **options):
    differentiated, moving = inputs[:6], inputs[6:]

    def results(*differentiated):
        orders, weights, *_, terms = function(*differentiated, *moving, **options)
        return [orders, weights, *terms]

    return output_and_gradients(results, differentiated, gradients)


@pytest.mark.parametrize("training", [False, True], ids=["moving", "batch"])
@pytest.mark.parametrize("relu", [False, True], ids=["linear", "relu"])
@pytest.mark.parametrize("biased", [False, True], ids=["no bias", "bias"])
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_results_and_their_gradients(rng, shape, biased, relu, training):
    inputs, gradients = inputs_of(rng, shape, biased), gradients_of(rng, shape)
    options = {"training": training, "relu": relu}
    found = results_and_gradients(by_kernel, inputs, gradients, **options)
    inputs, gradients = [[tf.cast(x, "float64") for x in xs] for xs in (inputs, gradients)]
    expected = results_and_gradients(by_tensorflow, inputs, gradients, **options)
    for result, exact in zip(found, expected, strict=True):
        if exact is None:  # the gradient of biases that are not there
            assert result is None
            continue
        assert result.shape == exact.shape
        np.testing.assert_allclose(result, exact, atol=5e-5 * max(np.abs(exact).max(), 1))


@pytest.mark.parametrize("training", [False, True], ids=["moving", "batch"])
def test_moments_that_were_used(rng, training):
    inputs = inputs_of(rng, (50, 4, 3, 5, 3))
    found = by_kernel(*inputs, training=training)
    expected = by_tensorflow(*(tf.cast(x, "float64") for x in inputs), training=training)
    np.testing.assert_allclose(found.means, expected[2], rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose(found.variances, expected[3], rtol=1e-5)


def test_moments_far_from_zero(rng):
    """Where the mean of squares less the squared mean would have no figure left."""
    features, *others = inputs_of(rng, (500, 3, 4, 5, 1))
    found = by_kernel(1e4 + features, *others, training=True)
    variance = np.var(np.asarray(1e4 + features, "float64"), axis=0)
    np.testing.assert_allclose(found.variances[0], variance.ravel(), rtol=1e-3)


def test_orders_alone_have_gradients(rng):
    """Of a loss that has no need of weights and terms."""
    inputs = inputs_of(rng, (9, 4, 3, 5, 2))
    found, expected = (
        output_and_gradients(
            lambda *inputs, function=function: [function(*inputs, training=True)[0]],
            inputs[:1],
            [tf.ones((9, 2, 3))],
        )
        for function in (
            lambda features, **options: by_kernel(features, *inputs[1:], **options),
            lambda features, **options: by_tensorflow(features, *inputs[1:], **options),
        )
    )
    np.testing.assert_allclose(found[0], expected[0], atol=1e-5)
    np.testing.assert_allclose(found[1], expected[1], atol=1e-5)


def test_a_field_that_is_no_number_spoils_its_record_alone(rng):
    features, *others = inputs_of(rng, (20, 7, 4, 5, 2))
    wrong = features.numpy()
    wrong[7, 3, 2] = np.nan
    orders, weights, _, _, terms = by_kernel(tf.constant(wrong), *others, training=False)
    for result in (orders, weights, *terms):
        found = np.isnan(result).reshape(20, -1)
        assert found[7].any() and not np.delete(found, 7, axis=0).any()


def test_the_same_numbers_come_again(rng):
    shape = (300, 9, 4, 8, 3)
    inputs, gradients = inputs_of(rng, shape), gradients_of(rng, shape)
    first, *others = (
        results_and_gradients(by_kernel, inputs, gradients, training=True) for _ in range(5)
    )
    for other in others:
        for one, again in zip(first, other, strict=True):
            np.testing.assert_array_equal(one, again)


def test_an_empty_batch_keeps_the_moving_moments(rng):
    shape = (0, 3, 4, 5, 2)
    inputs = inputs_of(rng, shape)
    found = by_kernel(*inputs, training=True)
    np.testing.assert_array_equal(found.means, inputs[6])
    np.testing.assert_array_equal(found.variances, inputs[7])
    *_, of_inputs = results_and_gradients(
        by_kernel, inputs, gradients_of(rng, shape), training=True
    )
    assert np.all(of_inputs == 0)


@pytest.mark.parametrize("training", [False, True], ids=["moving", "batch"])
def test_second_derivatives(rng, training):
    shape = (6, 3, 2, 4, 2)
    inputs = inputs_of(rng, shape)
    of_orders, of_weights, *of_terms = gradients_of(rng, shape)

    def gradient_of(function):
        """Returns the gradients of how long the gradients of the inputs are."""
        given = [of_orders, of_weights, *of_terms]
        with tf.GradientTape() as outer:
            outer.watch([*inputs, *given])
            found = results_and_gradients(function, inputs, given, training=training)
            of_inputs = found[len(given) :]
            length = sum(tf.reduce_sum(x**2) for x in of_inputs)
        return outer.gradient(length, [*inputs[:6], *given])

    for found, expected in zip(gradient_of(by_kernel), gradient_of(by_tensorflow), strict=True):
        np.testing.assert_allclose(found, expected, rtol=1e-3, atol=1e-3)


FITTING = [(6, 3, 4), (2, 4, 5), (2, 5), (2, 5), *[(2, 12)] * 4]


@pytest.mark.parametrize(
    "number, shape, message",
    [
        (0, (6, 3), r"features must be \(B, m, d\)"),
        (1, (2, 3, 5), r"kernels \(k, d, s\)"),
        (2, (2, 4), r"contexts must be \(k, s\)"),
        (3, (1, 5), r"contexts must be \(k, s\)"),
        *[
            (number, (2, 11), r"what normalises 2 orders must be \(k, m \* d\)")
            for number in range(4, 8)
        ],
    ],
)
def test_shapes_that_do_not_fit(number, shape, message):
    shapes = [*FITTING[:number], shape, *FITTING[number + 1 :]]
    with pytest.raises(tf.errors.InvalidArgumentError, match=message):
        by_kernel(*map(tf.zeros, shapes), training=True)
