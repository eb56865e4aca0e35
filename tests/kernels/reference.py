"""What the kernels are held against: the same by TensorFlow's operations, in any precision."""

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


def hierarchy_by_tensorflow(features, kernels, biases, contexts, relu):
    """Returns what `kernels.hierarchy` returns, in the inputs' precision."""
    orders, weights, current = [], [], features
    for i in range(kernels.shape[0]):
        projected = tf.einsum("bmd,ds->bms", current, kernels[i])
        if biases is not None:
            projected += biases[i]
        if relu:
            projected = tf.nn.relu(projected)
        weights.append(tf.nn.softmax(tf.einsum("bms,s->bm", projected, contexts[i])))
        orders.append(tf.einsum("bm,bmd->bd", weights[-1], current))
        current = orders[-1][:, tf.newaxis, :] * features + current
    return tf.stack(orders, 1), tf.stack(weights, 1)


def output_and_gradients(function, inputs, gradient):
    """Returns what a function gives, one tensor or several, and the gradients of its inputs."""
    with tf.GradientTape() as tape:
        tape.watch(inputs)
        output = function(*inputs)
    return [*tf.nest.flatten(output), *tape.gradient(output, inputs, gradient)]


def gradients_of_gradients(function, inputs, given):
    """Returns the gradients of how long the gradients of the inputs are, for a given gradient."""
    with tf.GradientTape() as outer:
        outer.watch([*inputs, given])
        _, *found = output_and_gradients(function, inputs, given)
        length = sum(tf.reduce_sum(x**2) for x in found)
    return outer.gradient(length, [*inputs, given])
