"""Attention by TensorFlow's operations, to hold the kernels against, in any precision."""

import pytest
import tensorflow as tf

from interhat_tf import kernels

needs_kernels = pytest.mark.skipif(
    not kernels.LIBRARY.exists(), reason="not built: python -m interhat_tf.kernels"
)


def attention_by_tensorflow(query, key, value, num_heads, scale):
    """Returns what `kernels.attention` returns, in the inputs' precision."""
    fields, width = query.shape[1], query.shape[2] // num_heads

    def split(x):
        heads = x.shape[2] // width
        return tf.transpose(tf.reshape(x, (-1, fields, heads, width)), (0, 2, 1, 3))

    scores = tf.matmul(split(query) * tf.cast(scale, query.dtype), split(key), transpose_b=True)
    heads = tf.matmul(tf.nn.softmax(scores), split(value))  # (B, h, m, d_K)
    return tf.reshape(tf.transpose(heads, (0, 2, 1, 3)), query.shape)


def output_and_gradients(function, inputs, gradient):
    with tf.GradientTape() as tape:
        tape.watch(inputs)
        output = function(*inputs)
    return [output, *tape.gradient(output, inputs, gradient)]
