import numpy as np
import pytest
import tensorflow as tf

from interhat_tf import kernels
from interhat_tf.kernels.gradients import batch_norm_by_tensorflow
from tests.kernels.reference import needs_kernels, output_and_gradients

pytestmark = needs_kernels
# N, n: units of less than a vector, of some that overlap, more rows than are summed up together
SHAPES = [(1, 1), (7, 3), (50, 16), (300, 36), (1000, 7), (33, 200)]
EPSILON = 1e-5


def inputs_of(rng, shape):
    """Returns units, gamma, beta, and the moving mean and variance."""
    units = 2 + 3 * rng.normal(size=shape)
    of_units = [rng.normal(size=shape[1]) for _ in range(3)]
    arrays = [units, *of_units, rng.random(shape[1]) + 0.5]
    return [tf.constant(x, "float32") for x in arrays]


@pytest.mark.parametrize("shape", SHAPES[1:], ids=str)
def test_results_and_their_gradients(rng, shape):
    *inputs, mean, variance = inputs_of(rng, shape)
    gradient = rng.normal(size=shape)

    def by_kernel(*inputs):
        return kernels.batch_norm(*inputs, mean, variance, EPSILON)[0]

    def by_tensorflow(*inputs):
        return batch_norm_by_tensorflow(*inputs, epsilon=EPSILON)

    found = output_and_gradients(by_kernel, inputs, tf.constant(gradient, "float32"))
    exact = [tf.cast(x, "float64") for x in inputs]
    expected = output_and_gradients(by_tensorflow, exact, tf.constant(gradient))
    for result, right in zip(found, expected, strict=True):
        assert result.shape == right.shape
        np.testing.assert_allclose(result, right, atol=2e-5 * max(np.abs(right).max(), 1))


def test_moments_are_the_batch_s_wherever_it_stands(rng):
    """Where the mean of squares less the squared mean would have no figure left."""
    units, *others = inputs_of(rng, (500, 5))
    _, mean, variance = kernels.batch_norm(1e4 + units, *others, EPSILON)
    right = np.asarray(1e4 + units, "float64")
    np.testing.assert_allclose(mean, right.mean(axis=0), rtol=1e-6)
    np.testing.assert_allclose(variance, right.var(axis=0), rtol=1e-3)


def test_one_row_stands_at_its_mean(rng):
    units, gamma, beta, *moving = inputs_of(rng, SHAPES[0])
    outputs, mean, variance = kernels.batch_norm(units, gamma, beta, *moving, EPSILON)
    np.testing.assert_allclose(outputs[0], beta, rtol=1e-6)
    assert (mean.numpy(), variance.numpy()) == (units.numpy()[0], 0)


def test_no_row_has_the_moving_statistics(rng):
    units, *inputs = inputs_of(rng, (0, 20))
    with tf.GradientTape() as tape:
        tape.watch([units, *inputs])
        outputs, mean, variance = kernels.batch_norm(units, *inputs, EPSILON)
    assert outputs.shape == (0, 20)
    np.testing.assert_array_equal(mean, inputs[2])
    np.testing.assert_array_equal(variance, inputs[3])
    of_units, *of_weights = tape.gradient(outputs, [units, *inputs[:2]])
    assert of_units.shape == (0, 20) and not np.any(of_weights)


@pytest.mark.parametrize("seed", range(3))
def test_second_derivatives(seed):
    rng = np.random.default_rng(seed)
    *inputs, mean, variance = inputs_of(rng, (9, 3))
    weights = tf.constant(rng.normal(size=(9, 3)), "float32")

    def of_gradient(function):
        with tf.GradientTape() as outer:
            outer.watch(inputs)
            with tf.GradientTape() as inner:
                inner.watch(inputs)
                total = tf.reduce_sum(function(*inputs) ** 2 * weights)
            first = inner.gradient(total, inputs)
            sizes = sum(tf.reduce_sum(tf.square(gradient)) for gradient in first)
        return outer.gradient(sizes, inputs)

    found = of_gradient(lambda *x: kernels.batch_norm(*x, mean, variance, EPSILON)[0])
    expected = of_gradient(lambda *x: batch_norm_by_tensorflow(*x, epsilon=EPSILON))
    for result, right in zip(found, expected, strict=True):
        np.testing.assert_allclose(result, right, rtol=1e-3, atol=1e-3 * np.abs(right).max())


@pytest.mark.parametrize("wrong", range(1, 5))
def test_shapes_that_do_not_fit_are_named(rng, wrong):
    inputs = inputs_of(rng, (4, 3))
    inputs[wrong] = inputs[wrong][:2]
    with pytest.raises(tf.errors.InvalidArgumentError, match=r"units must be \(N, n\), gamma"):
        kernels.batch_norm(*inputs, EPSILON)
