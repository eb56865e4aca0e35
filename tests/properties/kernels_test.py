"""The CPU kernels on any shape, held against TensorFlow's operations in double precision."""

import numpy as np
import tensorflow as tf
from hypothesis import given
from hypothesis import strategies as st

from interhat_tf import kernels
from tests.kernels.reference import attention_by_tensorflow, needs_kernels, output_and_gradients

pytestmark = needs_kernels
shapes = st.tuples(
    st.integers(0, 40), st.integers(1, 40), st.integers(1, 4), st.integers(1, 35)
)  # B, m, h, d_K
seeds = st.integers(0, 1000)


def normal(seed, *shapes):
    random = np.random.default_rng(seed)
    return [tf.constant(random.normal(size=shape), "float32") for shape in shapes]


def assert_near(found, exact):
    """Gradients that are 0 in exact arithmetic are sums of what is not small."""
    largest = max(np.abs(values).max(initial=1) for values in exact)
    for result, right in zip(found, exact, strict=True):
        np.testing.assert_allclose(result, right, atol=5e-6 * largest)


@given(shape=shapes, shared=st.booleans(), seed=seeds)
def test_attention(shape, shared, seed):
    batch, fields, num_heads, width = shape
    whole = (batch, fields, num_heads * width)
    keys = (batch, fields, width) if shared else whole
    *inputs, gradient = normal(seed, whole, keys, keys, whole)
    how = {"num_heads": num_heads, "scale": width**-0.5}
    found = output_and_gradients(lambda *x: kernels.attention(*x, **how), inputs, gradient)
    exact = output_and_gradients(
        lambda *x: attention_by_tensorflow(*x, **how),
        [tf.cast(x, "float64") for x in inputs],
        tf.cast(gradient, "float64"),
    )
    assert_near(found, exact)


@given(shape=shapes, dim=st.integers(1, 20), outputs=st.integers(0, 20), seed=seeds)
def test_self_attention(shape, dim, outputs, seed):
    batch, fields, num_heads, width = shape
    whole, relu = num_heads * width, bool(seed % 2)
    weights = [(dim, whole)] * 3 + [(whole,)] * 3 + [(whole, outputs)] * bool(outputs)
    x, *weights, gradient = normal(
        seed, (batch, fields, dim), *weights, (batch, fields, outputs or whole)
    )
    weights = [weight / len(weight) ** 0.5 for weight in weights]
    how = {"num_heads": num_heads, "scale": width**-0.5}

    def exactly(x, *weights):
        projected = [
            tf.matmul(x, kernel) + bias
            for kernel, bias in zip(weights[:3], weights[3:6], strict=True)
        ]
        projected = [tf.nn.relu(y) for y in projected] if relu else projected
        heads = attention_by_tensorflow(*projected, **how)
        return tf.matmul(heads, weights[6]) if outputs else heads

    def by_kernel(x, *weights):
        output = weights[6] if outputs else None
        return kernels.self_attention(x, weights[:3], weights[3:6], output, **how, relu=relu)

    found = output_and_gradients(by_kernel, [x, *weights], gradient)
    exact = output_and_gradients(
        exactly, [tf.cast(y, "float64") for y in (x, *weights)], tf.cast(gradient, "float64")
    )
    assert_near(found, exact)


@given(
    rows=st.integers(1, 3000),
    width=st.integers(1, 40),
    count=st.integers(0, 50),
    l2=st.sampled_from([0.0, 0.3]),
    seed=seeds,
)
def test_adam_of_a_table(rows, width, count, l2, seed):
    random = np.random.default_rng(seed)
    ids = random.integers(rows, size=count).astype("int32")
    table, first, second, values = (
        random.normal(size=size).astype("float32")
        for size in [(rows, width)] * 3 + [(count, width)]
    )
    second = np.abs(second)
    variables = [tf.Variable(array) for array in (table, first, second)]
    slices = tf.IndexedSlices(tf.constant(values), tf.constant(ids))
    kernels.table_adam(*variables, 0.1, slices, beta_1=0.9, beta_2=0.99, epsilon=1e-3, l2=l2)

    table, first, second = (array.astype("float64") for array in (table, first, second))
    gradient = 2 * l2 * table
    np.add.at(gradient, ids, values.astype("float64"))
    first = 0.9 * first + 0.1 * gradient
    second = 0.99 * second + 0.01 * gradient**2
    table = table - 0.1 * first / (np.sqrt(second) + 1e-3)
    for found, exact in zip(variables, (table, first, second), strict=True):
        np.testing.assert_allclose(found, exact, rtol=1e-4, atol=1e-4)
