import numpy as np
import pytest
import tensorflow as tf

from interhat_tf import kernels
from tests.kernels.reference import gradients_of_gradients, needs_kernels, output_and_gradients
from tests.layers import reference

pytestmark = needs_kernels
SHAPES = [  # B, L, d, n: states of less and more than a vector, more records than go together
    (1, 1, 1, 1),
    (5, 3, 2, 3),
    (40, 6, 16, 16),
    (70, 5, 10, 12),
    (33, 4, 17, 20),
    (9, 2, 33, 7),
]


def inputs_of(rng, shape):
    """Returns inputs, attention, kernel, recurrent kernel and bias."""
    batch, length, dim, units = shape
    inputs = [
        rng.normal(size=(batch, length, dim)),
        rng.random(size=(batch, length)) * (rng.random(size=(batch, length)) < 0.8),
        rng.normal(size=(dim, 3 * units)) / dim**0.5,
        rng.normal(size=(units, 3 * units)) / units**0.5,
        rng.normal(size=3 * units),
    ]
    return [tf.constant(x, "float32") for x in inputs]


def by_tensorflow(inputs, attention, kernel, recurrent_kernel, bias):
    """Returns the states in the inputs' precision."""
    state, states = tf.zeros((len(inputs), len(bias) // 3), inputs.dtype), []
    for t in range(inputs.shape[1]):
        value = tf.split(tf.einsum("bd,dg->bg", inputs[:, t], kernel) + bias, 3, axis=1)
        of_state = tf.split(tf.einsum("bn,ng->bg", state, recurrent_kernel), 3, axis=1)
        moved = attention[:, t : t + 1] * tf.sigmoid(value[0] + of_state[0])
        reset = tf.sigmoid(value[1] + of_state[1])
        state = (1 - moved) * state + moved * tf.tanh(value[2] + reset * of_state[2])
        states.append(state)
    return tf.stack(states, axis=1)


def gradient_of(rng, shape):
    return tf.constant(rng.normal(size=(*shape[:2], shape[3])), "float32")


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_states_and_their_gradients(rng, shape):
    inputs, gradient = inputs_of(rng, shape), gradient_of(rng, shape)
    found = output_and_gradients(kernels.augru, inputs, gradient)
    exact = [tf.cast(x, "float64") for x in inputs]
    expected = output_and_gradients(by_tensorflow, exact, tf.cast(gradient, "float64"))
    for result, right in zip(found, expected, strict=True):
        assert result.shape == right.shape
        np.testing.assert_allclose(result, right, atol=1e-5 * max(np.abs(right).max(), 1))


def test_states_are_those_of_the_equations(rng):
    inputs = inputs_of(rng, (6, 4, 3, 5))
    names = ("kernel", "recurrent_kernel", "bias")
    weights = {name: x.numpy() for name, x in zip(names, inputs[2:], strict=True)}
    states = kernels.augru(*inputs)
    for record in range(6):
        expected = reference.augru(*(x[record].numpy() for x in inputs[:2]), weights)
        np.testing.assert_allclose(states[record], expected, rtol=1e-5, atol=1e-6)


def test_a_state_without_attention_stays_as_it_is(rng):
    inputs, attention, *weights = inputs_of(rng, (50, 4, 3, 5))
    attention = attention.numpy()
    attention[:, 2:] = 0
    states = kernels.augru(inputs, tf.constant(attention), *weights)
    np.testing.assert_array_equal(states[:, 3], states[:, 1])


def test_gates_that_are_shut_or_open_throughout(rng):
    """Where the exponential of what a gate is of would pass the largest number."""
    inputs, attention, *weights = inputs_of(rng, (20, 3, 4, 8))
    given = [1e4 * inputs, attention, *weights]
    found = output_and_gradients(kernels.augru, given, tf.ones((20, 3, 8)))
    expected = output_and_gradients(by_tensorflow, given, tf.ones((20, 3, 8)))
    for result, right in zip(found, expected, strict=True):
        assert np.isfinite(result).all()
        np.testing.assert_allclose(result, right, rtol=1e-4, atol=1e-4)


def test_a_value_that_is_no_number_spoils_its_record_alone(rng):
    inputs, *others = inputs_of(rng, (40, 5, 3, 4))
    wrong = inputs.numpy()
    wrong[7, 3, 2] = np.nan
    found = np.isnan(kernels.augru(tf.constant(wrong), *others))
    assert found[7, 3:].all() and not found[7, :3].any()
    assert not np.delete(found, 7, axis=0).any()


def test_the_same_numbers_come_again(rng):
    shape = (300, 6, 5, 7)
    inputs, gradient = inputs_of(rng, shape), gradient_of(rng, shape)
    first, *others = (output_and_gradients(kernels.augru, inputs, gradient) for _ in range(5))
    for other in others:
        for one, again in zip(first, other, strict=True):
            np.testing.assert_array_equal(one, again)


def test_an_empty_batch(rng):
    shape = (0, 3, 4, 5)
    states, *gradients = output_and_gradients(
        kernels.augru, inputs_of(rng, shape), gradient_of(rng, shape)
    )
    assert states.shape == (0, 3, 5)
    assert [gradient.shape for gradient in gradients] == [x.shape for x in inputs_of(rng, shape)]
    assert not any(np.any(gradient) for gradient in gradients)


def test_second_derivatives(rng):
    shape = (6, 4, 2, 3)
    inputs, given = inputs_of(rng, shape), gradient_of(rng, shape)

    found, expected = (
        gradients_of_gradients(function, inputs, given)
        for function in (kernels.augru, by_tensorflow)
    )
    for result, right in zip(found, expected, strict=True):
        np.testing.assert_allclose(result, right, rtol=1e-3, atol=1e-4)


FITTING = [(6, 3, 4), (6, 3), (4, 15), (5, 15), (15,)]


@pytest.mark.parametrize(
    "number, shape, message",
    [
        (0, (6, 3), r"inputs must be \(B, L, d\)"),
        (4, (16,), r"the bias \(3 n,\)"),
        (1, (6, 2), r"attention must be \(B, L\)"),
        (2, (3, 15), r"kernels \(d, 3 n\)"),
        (3, (5, 12), r"and \(n, 3 n\)"),
    ],
)
def test_shapes_that_do_not_fit(number, shape, message):
    shapes = [*FITTING[:number], shape, *FITTING[number + 1 :]]
    with pytest.raises(tf.errors.InvalidArgumentError, match=message):
        kernels.augru(*map(tf.zeros, shapes))
