"""The second derivatives of the kernels, which TensorFlow's operations compute."""

import numpy as np
import pytest
import tensorflow as tf

from interhat_tf import kernels
from tests.kernels.reference import attention_by_tensorflow, hierarchy_by_tensorflow, needs_kernels

pytestmark = needs_kernels


def first_and_second(function, inputs):
    """Returns the gradient of a function of a result, and the gradient of one of that."""
    with tf.GradientTape() as outer:
        outer.watch(inputs)
        with tf.GradientTape() as inner:
            inner.watch(inputs)
            loss = tf.reduce_sum(tf.sin(function(*inputs)))
        gradients = inner.gradient(loss, inputs)
        total = tf.add_n([tf.reduce_sum(tf.cos(gradient) * gradient) for gradient in gradients])
    return [*gradients, *outer.gradient(total, inputs)]


def assert_same(function, inputs, expected):
    """Holds a kernel's derivatives, in eager mode and in a graph, against those in float64."""
    inputs = [tf.constant(x, "float32") for x in inputs]
    exact = first_and_second(expected, [tf.cast(x, "float64") for x in inputs])

    @tf.function(autograph=False)
    def in_a_graph(*inputs):
        return first_and_second(function, list(inputs))

    for found in (first_and_second(function, inputs), in_a_graph(*inputs)):
        for result, right in zip(found, exact, strict=True):
            np.testing.assert_allclose(result, right, atol=1e-5 * max(np.abs(right).max(), 1))


@pytest.mark.parametrize("keys", [6, 3], ids=["keys of heads", "shared keys"])
def test_attention(rng, keys):
    inputs = [rng.normal(size=(5, 4, size)) for size in (6, keys, keys)]
    assert_same(
        lambda *inputs: kernels.attention(*inputs, 2, 0.7),
        inputs,
        lambda *inputs: attention_by_tensorflow(*inputs, 2, 0.7),
    )


def test_one_tensor_as_queries_keys_and_values(rng):
    assert_same(
        lambda x: kernels.attention(x, x, x, 2, 0.7),
        [rng.normal(size=(5, 4, 6))],
        lambda x: attention_by_tensorflow(x, x, x, 2, 0.7),
    )


@pytest.mark.parametrize("outputs", [0, 5])
@pytest.mark.parametrize("biased", [False, True])
def test_self_attention(rng, biased, outputs):
    inputs = [rng.normal(size=(5, 4, 6)), *(rng.normal(size=(6, 8)) / 3 for _ in range(3))]
    inputs += [rng.normal(size=8) / 3 for _ in range(3 * biased)]
    inputs += [rng.normal(size=(8, outputs)) / 3] if outputs else []

    def by_kernel(x, query, key, value, *others):
        biases, output = others[:3] if biased else None, others[-1] if outputs else None
        return kernels.self_attention(x, [query, key, value], biases, output, 2, 0.7, relu=biased)

    def by_tensorflow(x, query, key, value, *others):
        projected = [tf.matmul(x, kernel) for kernel in (query, key, value)]
        if biased:
            projected = [tf.nn.relu(y + b) for y, b in zip(projected, others[:3], strict=True)]
        heads = attention_by_tensorflow(*projected, 2, 0.7)
        return tf.matmul(heads, others[-1]) if outputs else heads

    assert_same(by_kernel, inputs, by_tensorflow)


@pytest.mark.parametrize("biased", [False, True])
def test_hierarchy(rng, biased):
    inputs = [rng.normal(size=(5, 4, 3)), rng.normal(size=(2, 3, 6)) / 2]
    inputs += [rng.normal(size=(2, 6)) for _ in range(1 + biased)]

    def pooled(function):
        def both(features, kernels, *others):
            biases = others[0] if biased else None
            orders, weights = function(features, kernels, biases, others[-1], relu=biased)
            return tf.concat([orders, weights], axis=-1)

        return both

    assert_same(pooled(kernels.hierarchy), inputs, pooled(hierarchy_by_tensorflow))


def test_jacobian_and_forward_mode(rng):
    query = tf.constant(rng.normal(size=(2, 3, 4)), "float32")

    def jacobian_and_jvp(function):
        with tf.GradientTape() as tape:
            tape.watch(query)
            output = function(query, query, query, 2, 0.7)
        with tf.autodiff.ForwardAccumulator(query, tf.ones_like(query)) as forward:
            again = function(query, query, query, 2, 0.7)
        return tape.jacobian(output, query), forward.jvp(again)

    expected = jacobian_and_jvp(attention_by_tensorflow)
    for found, exact in zip(jacobian_and_jvp(kernels.attention), expected, strict=True):
        np.testing.assert_allclose(found, exact, atol=1e-5)
