import numpy as np
import pytest
import tensorflow as tf

from interhat_tf import kernels
from tests.kernels.reference import needs_kernels, output_and_gradients

pytestmark = needs_kernels
# N, n: units of less than a vector, of some that overlap, more rows than are summed up together
SHAPES = [(1, 1), (7, 3), (50, 16), (300, 36), (1000, 7), (33, 200)]
EPSILON = 1e-8


def inputs_of(rng, shape, share=0.7):
    """Returns units, alpha, what is present, and the moving mean and variance."""
    units = tf.constant(2 + rng.normal(size=shape), "float32")
    of_units = [rng.normal(size=shape[1]), rng.normal(size=shape[1]), rng.random(shape[1]) + 0.5]
    alpha, mean, variance = (tf.constant(x, "float32") for x in of_units)
    present = rng.random(shape[0]) < share
    present[0] = share > 0
    return units, alpha, tf.constant(present), mean, variance


def by_kernel(*inputs):
    return kernels.dice(*inputs, EPSILON)


def by_tensorflow(units, alpha, present, mean, variance):
    """Returns f(s), mean and variance in the units' precision."""
    if np.any(present):
        # Not `tf.nn.moments`, whose variance has no second derivatives.
        mean = tf.reduce_mean(units[present], axis=0)
        variance = tf.reduce_mean((units[present] - mean) ** 2, axis=0)
    p = tf.sigmoid((units - mean) / tf.sqrt(variance + EPSILON))
    return units * (alpha + (1 - alpha) * p), mean, variance


def results_and_gradients(function, inputs, gradient):
    """Returns f(s), and the gradients of units and alpha."""
    units, alpha, *others = inputs
    return output_and_gradients(
        lambda units, alpha: function(units, alpha, *others)[0], [units, alpha], gradient
    )


def exact(inputs):
    return [tf.cast(x, "float64") if x.dtype == tf.float32 else x for x in inputs]


@pytest.mark.parametrize("share", [0.0, 0.7, 1.0], ids=["none", "some", "all"])
@pytest.mark.parametrize("shape", SHAPES[1:], ids=str)
def test_results_and_their_gradients(rng, shape, share):
    inputs = inputs_of(rng, shape, share)
    gradient = tf.constant(rng.normal(size=shape), "float32")
    found = results_and_gradients(by_kernel, inputs, gradient)
    expected = results_and_gradients(by_tensorflow, exact(inputs), tf.cast(gradient, "float64"))
    for result, right in zip(found, expected, strict=True):
        assert result.shape == right.shape
        np.testing.assert_allclose(result, right, atol=2e-5 * max(np.abs(right).max(), 1))
    found, expected = by_kernel(*inputs), by_tensorflow(*exact(inputs))
    for result, right in zip(found[1:], expected[1:], strict=True):
        np.testing.assert_allclose(result, right, rtol=1e-5, atol=1e-6)


def test_one_row_stands_at_its_mean(rng):
    units, alpha, *others = inputs_of(rng, SHAPES[0])
    outputs, mean, variance = by_kernel(units, alpha, *others)
    np.testing.assert_allclose(outputs, units * (alpha + 1) / 2, rtol=1e-6)
    assert (mean.numpy(), variance.numpy()) == (units.numpy()[0], 0)


def test_moments_far_from_zero(rng):
    """Where the mean of squares less the squared mean would have no figure left."""
    units, *others = inputs_of(rng, (500, 5), share=1)
    _, mean, variance = by_kernel(1e4 + units, *others)
    right = np.asarray(1e4 + units, "float64")
    np.testing.assert_allclose(mean, right.mean(axis=0), rtol=1e-6)
    np.testing.assert_allclose(variance, right.var(axis=0), rtol=1e-3)


def test_units_far_from_their_mean(rng):
    """Where the exponential of their distance would pass the largest number."""
    units, alpha, _, mean, variance = inputs_of(rng, (20, 20))
    present = tf.zeros(20, "bool")
    found = by_kernel(1e4 * (units - 2), alpha, present, mean, variance)[0]
    expected = by_tensorflow(1e4 * (units - 2), alpha, present, mean, variance)[0]
    np.testing.assert_allclose(found, expected, rtol=1e-5)


def test_a_unit_that_is_no_number_spoils_itself_alone_where_it_does_not_count(rng):
    units, alpha, present, *moving = inputs_of(rng, (40, 20))
    wrong, counts = units.numpy(), present.numpy()
    wrong[7, 3], counts[7] = np.nan, False
    outputs, mean, _ = by_kernel(tf.constant(wrong), alpha, tf.constant(counts), *moving)
    assert np.argwhere(np.isnan(outputs)).tolist() == [[7, 3]]
    assert np.isfinite(mean).all()


def test_the_same_numbers_come_again(rng):
    inputs, gradient = inputs_of(rng, (3000, 36)), tf.ones((3000, 36))
    first, *others = (results_and_gradients(by_kernel, inputs, gradient) for _ in range(5))
    for other in others:
        for one, again in zip(first, other, strict=True):
            np.testing.assert_array_equal(one, again)


def test_an_empty_batch_keeps_the_moving_moments(rng):
    units, alpha, present, *moving = inputs_of(rng, (4, 5))
    inputs = units[:0], alpha, present[:0], *moving
    outputs, *moments = by_kernel(*inputs)
    assert outputs.shape == (0, 5)
    for found, expected in zip(moments, moving, strict=True):
        np.testing.assert_array_equal(found, expected)
    *_, of_alpha = results_and_gradients(by_kernel, inputs, tf.zeros((0, 5)))
    np.testing.assert_array_equal(of_alpha, np.zeros(5))


@pytest.mark.parametrize("share", [0.0, 0.7], ids=["none", "some"])
def test_second_derivatives(rng, share):
    units, alpha, *others = inputs_of(rng, (6, 3), share)
    given = tf.constant(rng.normal(size=(6, 3)), "float32")

    def gradients_of_gradients(function):
        """Returns the gradients of how long the gradients of units and alpha are."""
        with tf.GradientTape() as outer:
            outer.watch([units, alpha, given])
            _, *found = results_and_gradients(function, [units, alpha, *others], given)
            length = sum(tf.reduce_sum(x**2) for x in found)
        return outer.gradient(length, [units, alpha, given])

    found, expected = map(gradients_of_gradients, (by_kernel, by_tensorflow))
    for result, right in zip(found, expected, strict=True):
        np.testing.assert_allclose(result, right, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize(
    "number, shape", [(0, (5,)), (1, (4,)), (2, (4,)), (3, (2,)), (4, (3, 1))], ids=str
)
def test_shapes_that_do_not_fit(number, shape):
    shapes = [(5, 3), (3,), (5,), (3,), (3,)]
    shapes[number] = shape
    inputs = [tf.zeros(shape, "bool" if i == 2 else "float32") for i, shape in enumerate(shapes)]
    with pytest.raises(tf.errors.InvalidArgumentError, match=r"units must be \(N, n\)"):
        by_kernel(*inputs)
