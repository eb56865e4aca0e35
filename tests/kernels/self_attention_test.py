import numpy as np
import pytest
import tensorflow as tf

from interhat_tf import kernels
from tests.kernels.reference import attention_by_tensorflow, needs_kernels, output_and_gradients

pytestmark = needs_kernels
PROJECTED = [  # B, m, d, h, d_K
    (1, 1, 1, 1, 1),
    (5, 3, 2, 2, 1),
    (3, 17, 16, 2, 16),
    (33, 36, 12, 3, 30),
    (19, 40, 5, 1, 50),
    (70, 21, 8, 2, 20),
]


@pytest.mark.parametrize("outputs", [0, 1, 12, 20])
@pytest.mark.parametrize("form", ["plain", "biases", "relu"])
@pytest.mark.parametrize("batch, fields, dim, num_heads, width", PROJECTED, ids=str)
def test_self_attention_and_its_gradient(rng, batch, fields, dim, num_heads, width, form, outputs):
    whole, biased = num_heads * width, form != "plain"
    inputs = [rng.normal(size=(batch, fields, dim))]
    inputs += [rng.normal(size=(dim, whole)) * dim**-0.5 for _ in range(3)]
    inputs += [rng.normal(size=whole) for _ in range(3 * biased)]
    inputs += [rng.normal(size=(whole, outputs)) * whole**-0.5] if outputs else []
    inputs = [tf.constant(x, "float32") for x in inputs]
    gradient = tf.constant(rng.normal(size=(batch, fields, outputs or whole)), "float32")
    arguments = {"num_heads": num_heads, "scale": width**-0.5}

    def by_tensorflow(x, query, key, value, *others):
        projected = [tf.matmul(x, kernel) for kernel in (query, key, value)]
        if biased:
            projected = [y + bias for y, bias in zip(projected, others[:3], strict=True)]
        if form == "relu":
            projected = [tf.nn.relu(y) for y in projected]
        heads = attention_by_tensorflow(*projected, **arguments)
        return tf.matmul(heads, others[-1]) if outputs else heads

    def by_ours(x, query, key, value, *others):
        return kernels.self_attention(
            x,
            [query, key, value],
            others[:3] if biased else None,
            others[-1] if outputs else None,
            **arguments,
            relu=form == "relu",
        )

    found = output_and_gradients(by_ours, inputs, gradient)
    expected = output_and_gradients(
        by_tensorflow, [tf.cast(x, "float64") for x in inputs], tf.cast(gradient, "float64")
    )
    np.testing.assert_allclose(found[0], expected[0], atol=3e-6 * np.abs(expected[0]).max())
    # Softmax does not change with the keys' bias: its gradient, 0, is a sum of what is not small.
    largest = max(np.abs(exact).max() for exact in expected[1:])
    for result, exact in zip(found[1:], expected[1:], strict=True):
        np.testing.assert_allclose(result, exact, atol=3e-6 * largest)


def test_the_gradient_of_shared_weights_can_be_repeated(rng):
    """Whatever the threads, parts of a batch are added up in the same order."""
    shapes = [(300, 17, 12), *[(12, 32)] * 3]
    inputs = [tf.constant(rng.normal(size=shape), "float32") for shape in shapes]
    first, second = (
        output_and_gradients(
            lambda x, *weights: kernels.self_attention(x, weights, None, None, 2, 0.25, relu=True),
            inputs,
            tf.ones((300, 17, 32)),
        )
        for _ in range(2)
    )
    for one, other in zip(first, second, strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize(
    "inputs, kernel, last_kernel, bias, output_kernel, scale, message",
    [
        ((3, 4), (4, 6), (4, 6), (6,), (6, 4), 1.0, r"be \(B, m, d\) and \(d, 2 \* d_K\)"),
        ((2, 3, 4), (5, 6), (5, 6), (6,), (6, 4), 1.0, r"be \(B, m, d\) and \(d, 2 \* d_K\)"),
        ((2, 3, 4), (4, 5), (4, 5), (5,), (5, 4), 1.0, r"be \(B, m, d\) and \(d, 2 \* d_K\)"),
        ((2, 3, 4), (4, 6), (4, 8), (6,), (6, 4), 1.0, "kernels must be alike"),
        ((2, 3, 4), (4, 6), (4, 6), (4,), (6, 4), 1.0, r"biases \(h \* d_K\)"),
        ((2, 3, 4), (4, 6), (4, 6), (6,), (5, 4), 1.0, r"output's kernel must be \(h \* d_K, d"),
        ((2, 3, 4), (4, 6), (4, 6), (6,), (6, 4), 0.0, "scale must be positive, got 0"),
    ],
)
def test_projections_that_do_not_fit(
    inputs, kernel, last_kernel, bias, output_kernel, scale, message
):
    weights = [tf.zeros(shape) for shape in (kernel, kernel, last_kernel)]
    with pytest.raises(tf.errors.InvalidArgumentError, match=message):
        kernels.self_attention(
            *(tf.zeros(inputs), weights, [tf.zeros(bias)] * 3, tf.zeros(output_kernel)),
            *(2, scale, False),
        )
