import numpy as np
import pytest
import tensorflow as tf

from interhat_tf import kernels
from tests.kernels.reference import needs_kernels

pytestmark = needs_kernels
SEED = tf.constant([7, 2**31 - 2])


def by_tensorflow(inputs, rate, seed):
    return tf.nn.experimental.stateless_dropout(inputs, rate, seed)


@pytest.mark.parametrize("rate", [0.0, 0.1, 0.5, 0.999])
@pytest.mark.parametrize("shape", [(1,), (3,), (64,), (67, 5), (9, 17, 33), (2048, 200)], ids=str)
def test_drops_what_tensorflow_drops(rng, shape, rate):
    inputs = tf.constant(rng.normal(size=shape), "float32")
    found = kernels.dropout(inputs, rate, SEED)
    assert found.shape == inputs.shape
    np.testing.assert_array_equal(found, by_tensorflow(inputs, rate, SEED))


def test_another_seed_drops_others(rng):
    inputs = tf.ones((1000,))
    found = [kernels.dropout(inputs, 0.5, tf.constant([n, n])) for n in (1, 2)]
    assert 0.3 < np.mean(found[0] == found[1]) < 0.7
    assert 0.4 < np.mean(found[0] == 0) < 0.6


def test_a_count_that_passes_its_lower_half(rng):
    """Where the lower 64 bits of the count are full, the upper ones go on."""
    from interhat_tf.kernels.operations import _load

    inputs, key = tf.ones((4000,)), tf.constant([5], "uint64")
    counter = tf.constant([2**64 - 100, 3], "uint64")
    found = _load().interhat_dropout(inputs=inputs, key=key, counter=counter, rate=0.5, scale=2.0)
    numbers = tf.raw_ops.StatelessRandomUniformV2(shape=(4000,), key=key, counter=counter, alg=1)
    np.testing.assert_array_equal(found, np.where(numbers.numpy() >= 0.5, 2.0, 0.0))


def test_gradients_are_dropped_alike(rng):
    inputs = tf.constant(rng.normal(size=(50, 7)), "float32")

    def first_and_second(function):
        with tf.GradientTape() as outer:
            outer.watch(inputs)
            with tf.GradientTape() as inner:
                inner.watch(inputs)
                loss = tf.reduce_sum(function(inputs, 0.3, SEED) ** 3)
            first = inner.gradient(loss, inputs)
            length = tf.reduce_sum(first**2)
        return first, outer.gradient(length, inputs)

    for found, expected in zip(
        *map(first_and_second, (kernels.dropout, by_tensorflow)), strict=True
    ):
        np.testing.assert_allclose(found, expected, rtol=1e-6)


def test_what_is_not_a_number_is_dropped_or_stays():
    inputs = tf.fill((100,), float("nan"))
    found = kernels.dropout(inputs, 0.5, SEED).numpy()
    np.testing.assert_array_equal(found, by_tensorflow(inputs, 0.5, SEED))
    assert 0 < np.isnan(found).sum() < 100


def test_nothing_of_nothing():
    assert kernels.dropout(tf.zeros((0, 3)), 0.5, SEED).shape == (0, 3)
