"""Gradients of the CPU kernels: by kernels once, by TensorFlow's operations from then on."""

import contextlib
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import tensorflow as tf


def register(operations: Any) -> None:
    """Tells TensorFlow the gradients of attention, and the gradients of those.

    Args:
        operations: What `tf.load_op_library` returned.
    """
    _register(
        "InterhatAttention",
        operations.interhat_attention_gradient,
        attention_by_tensorflow,
        ("num_heads", "scale"),
    )
    _register(
        "InterhatSelfAttention",
        operations.interhat_self_attention_gradient,
        self_attention_by_tensorflow,
        ("num_heads", "scale", "relu"),
    )
    _register(
        "InterhatHierarchy",
        operations.interhat_hierarchy_gradient,
        hierarchy_by_tensorflow,
        ("relu",),
    )
    _register(
        "InterhatInnerProducts",
        operations.interhat_inner_products_gradient,
        inner_products_by_tensorflow,
        (),
    )
    _register_normalized_hierarchy(operations.interhat_normalized_hierarchy_gradient)
    _register_augru(operations.interhat_augru_gradient)
    _register_batch_norm(operations.interhat_batch_norm_gradient)
    _register_dice(operations.interhat_dice_gradient)
    _register_dropout(operations.interhat_dropout)
    _register_weighted_sum(operations.interhat_weighted_sum_gradient)


def attention_by_tensorflow(
    query: tf.Tensor, key: tf.Tensor, value: tf.Tensor, *, num_heads: int, scale: float
) -> tf.Tensor:
    """Returns the same as the kernel `attention`, by operations that have all derivatives."""
    shape = tf.shape(query)
    width = shape[2] // num_heads

    def split(projected: tf.Tensor) -> tf.Tensor:
        heads = tf.reshape(projected, (shape[0], shape[1], -1, width))
        return tf.transpose(heads, (0, 2, 1, 3))  # (B, h, m, w), or (B, 1, m, w)

    scores = scale * tf.matmul(split(query), split(key), transpose_b=True)
    heads = tf.matmul(tf.nn.softmax(scores), split(value))  # (B, h, m, w)
    return tf.reshape(tf.transpose(heads, (0, 2, 1, 3)), shape)


def self_attention_by_tensorflow(
    inputs: tf.Tensor, *weights: tf.Tensor, num_heads: int, scale: float, relu: bool
) -> tf.Tensor:
    """Returns the same as the kernel `self_attention`, by operations that have all derivatives."""
    *projections, output_kernel = weights
    projected = []
    for kernel, bias in zip(projections[:3], projections[3:], strict=True):
        rows = tf.matmul(inputs, kernel)  # (B, m, h * d_K)
        rows = rows + bias if bias.shape[0] else rows
        projected.append(tf.nn.relu(rows) if relu else rows)
    heads = attention_by_tensorflow(*projected, num_heads=num_heads, scale=scale)
    return tf.matmul(heads, output_kernel) if output_kernel.shape[0] else heads


def hierarchy_by_tensorflow(
    features: tf.Tensor, kernels: tf.Tensor, biases: tf.Tensor, contexts: tf.Tensor, *, relu: bool
) -> tuple[tf.Tensor, tf.Tensor]:
    """Returns the same as the kernel `hierarchy`, by operations that have all derivatives."""
    orders, weights, of_order = [], [], features
    for i in range(kernels.shape[0]):
        rows = tf.matmul(of_order, kernels[i])  # (B, m, s)
        rows = rows + biases[i] if biases.shape[0] else rows
        scores = tf.linalg.matvec(tf.nn.relu(rows) if relu else rows, contexts[i])  # (B, m)
        alpha = tf.nn.softmax(scores)
        orders.append(tf.linalg.matvec(of_order, alpha, transpose_a=True))  # (B, d)
        weights.append(alpha)
        of_order = orders[-1][:, tf.newaxis] * features + of_order  # (B, m, d)
    return tf.stack(orders, axis=1), tf.stack(weights, axis=1)  # (B, k, d), (B, k, m)


def normalized_hierarchy_by_tensorflow(
    features: tf.Tensor,
    kernels: tf.Tensor,
    biases: tf.Tensor,
    contexts: tf.Tensor,
    *normalization: tf.Tensor,
    relu: bool,
    training: bool,
    epsilon: float,
) -> tuple[tf.Tensor, tf.Tensor, list[tf.Tensor]]:
    """Returns orders, weights and terms of the kernel, by operations that have all derivatives."""
    shape, of_order = tf.shape(features), features
    orders, weights, terms = [], [], []
    for i in range(kernels.shape[0]):
        flat = tf.reshape(of_order, (shape[0], -1))  # (B, m * d)
        gamma, beta, mean, variance = (of_orders[i] for of_orders in normalization)
        if training:
            mean = tf.reduce_mean(flat, axis=0)
            variance = tf.reduce_mean(tf.square(flat - mean), axis=0)
        normalized = gamma * (flat - mean) / tf.sqrt(variance + epsilon) + beta
        rows = tf.matmul(tf.reshape(normalized, shape), kernels[i])  # (B, m, s)
        rows = rows + biases[i] if biases.shape[0] else rows
        alpha = tf.nn.softmax(tf.linalg.matvec(tf.nn.relu(rows) if relu else rows, contexts[i]))
        weights.append(alpha)  # (B, m)
        terms.append(alpha[..., tf.newaxis] * of_order)  # (B, m, d)
        orders.append(tf.reduce_sum(terms[-1], axis=1))  # (B, d)
        of_order = orders[-1][:, tf.newaxis] * features + of_order  # (B, m, d)
    return tf.stack(orders, axis=1), tf.stack(weights, axis=1), terms  # (B, k, d), (B, k, m)


def augru_by_tensorflow(
    inputs: tf.Tensor,
    attention: tf.Tensor,
    kernel: tf.Tensor,
    recurrent_kernel: tf.Tensor,
    bias: tf.Tensor,
) -> tf.Tensor:
    """Returns the same as the kernel `augru`, by operations that have all derivatives."""
    state, states = tf.zeros((tf.shape(inputs)[0], tf.shape(recurrent_kernel)[0]), inputs.dtype), []
    for t in range(inputs.shape[1]):
        of_value = tf.split(tf.matmul(inputs[:, t], kernel) + bias, 3, axis=-1)  # (B, n) each
        of_state = tf.split(tf.matmul(state, recurrent_kernel), 3, axis=-1)  # (B, n) each
        update, reset = (tf.sigmoid(of_value[i] + of_state[i]) for i in range(2))  # (B, n)
        candidate = tf.tanh(of_value[2] + reset * of_state[2])  # (B, n)
        state += attention[:, t, tf.newaxis] * update * (candidate - state)  # (B, n)
        states.append(state)
    return tf.stack(states, axis=1)  # (B, L, n)


def batch_norm_by_tensorflow(
    units: tf.Tensor, gamma: tf.Tensor, beta: tf.Tensor, *, epsilon: float
) -> tf.Tensor:
    """Returns f(s) of the kernel `batch_norm`, by operations that have all derivatives."""
    centred = units - tf.reduce_mean(units, axis=0)  # (N, n)
    variance = tf.reduce_mean(tf.square(centred), axis=0)  # (n,)
    return gamma * centred / tf.sqrt(variance + epsilon) + beta


def dice_by_tensorflow(
    units: tf.Tensor,
    alpha: tf.Tensor,
    present: tf.Tensor,
    mean: tf.Tensor,
    variance: tf.Tensor,
    *,
    epsilon: float,
) -> tf.Tensor:
    """Returns f(s) of the kernel `dice`, by operations that have all derivatives."""
    of_rows = tf.cast(present, units.dtype)[:, tf.newaxis]  # (N, 1)
    shares = of_rows / tf.maximum(tf.reduce_sum(of_rows), 1)  # (N, 1)
    if_any = tf.reduce_any(present)
    mean = tf.where(if_any, tf.reduce_sum(shares * units, axis=0), mean)
    of_batch = tf.reduce_sum(shares * tf.square(units - mean), axis=0)  # (n,)
    variance = tf.where(if_any, of_batch, variance)
    p = tf.sigmoid((units - mean) / tf.sqrt(variance + epsilon))  # (N, n)
    return units * (alpha + (1 - alpha) * p)


def weighted_sum_by_tensorflow(weights: tf.Tensor, *terms: tf.Tensor) -> tf.Tensor:
    """Returns the same as the kernel `weighted_sum`, by operations that have all derivatives."""
    stacked = tf.stack(terms, axis=1)  # (B, k, ...)
    return tf.einsum("bk,bk...->b...", weights, stacked)


def inner_products_by_tensorflow(fields: tf.Tensor, weights: tf.Tensor) -> tf.Tensor:
    """Returns the same as the kernel `inner_products`, by operations that have all derivatives."""
    products = tf.matmul(fields, fields, transpose_b=True)  # (B, m, m)
    if weights.shape[1]:
        products *= weights[:, tf.newaxis] + weights[:, :, tf.newaxis]
    count = fields.shape[1]
    first, second = np.triu_indices(count, k=1)
    flat = tf.reshape(products, (-1, count * count))
    return tf.gather(flat, first * count + second, axis=1)  # (B, m (m - 1) / 2)


def _register(name: str, by_kernel: Callable, by_tensorflow: Callable, attributes: tuple) -> None:
    def first(operation: tf.Operation, *gradients: tf.Tensor) -> Any:
        return by_kernel(*operation.inputs, *gradients, **_of(operation, attributes))

    def second(operation: tf.Operation, *gradients: tf.Tensor) -> Any:
        count, options = len(gradients), _of(operation, attributes)
        return _gradients_of_gradients(
            lambda *inputs: by_tensorflow(*inputs, **options),
            operation.inputs[:count],
            operation.inputs[count:],
            gradients,
        )

    _tell(name, first, second)


def _register_normalized_hierarchy(by_kernel: Callable) -> None:
    attributes, count = ("relu", "training", "epsilon"), 6  # of inputs that have a gradient

    def first(operation: tf.Operation, *gradients: tf.Tensor) -> Any:
        pooled, weights, means, variances, *_ = operation.outputs
        of_pooled, of_weights, _, _, *of_terms = gradients
        found = by_kernel(
            *operation.inputs[:count],
            means,
            variances,
            pooled,
            weights,
            of_pooled,
            of_weights,
            of_terms,
            **_of(operation, attributes),
        )
        return [*found, None, None]

    def second(operation: tf.Operation, *gradients: tf.Tensor) -> Any:
        moments, options = operation.inputs[count : count + 2], _of(operation, attributes)
        found = _gradients_of_gradients(
            lambda *inputs: normalized_hierarchy_by_tensorflow(*inputs, *moments, **options),
            operation.inputs[:count],
            operation.inputs[count + 4 :],
            gradients,
        )
        return [*found[:count], *[None] * 4, *found[count:]]

    _tell("InterhatNormalizedHierarchy", first, second)


def _register_augru(by_kernel: Callable) -> None:
    def first(operation: tf.Operation, gradient: tf.Tensor) -> Any:
        return by_kernel(*operation.inputs, *operation.outputs, gradient)

    def second(operation: tf.Operation, *gradients: tf.Tensor) -> Any:
        *inputs, _, given = operation.inputs
        found = _gradients_of_gradients(augru_by_tensorflow, inputs, [given], gradients)
        return [*found[:-1], None, found[-1]]

    _tell("InterhatAugru", first, second)


def _register_batch_norm(by_kernel: Callable) -> None:
    def first(operation: tf.Operation, gradient: tf.Tensor, *_: tf.Tensor) -> Any:
        moments, options = operation.outputs[1:], _of(operation, ("epsilon",))
        return [*by_kernel(*operation.inputs[:3], *moments, gradient, **options), None, None]

    def second(operation: tf.Operation, *gradients: tf.Tensor) -> Any:
        *inputs, _, _, given = operation.inputs
        options = _of(operation, ("epsilon",))
        *of_inputs, of_given = _gradients_of_gradients(
            lambda *inputs: batch_norm_by_tensorflow(*inputs, **options),
            inputs,
            [given],
            gradients,
        )
        return [*of_inputs, None, None, of_given]

    _tell("InterhatBatchNorm", first, second)


def _register_dice(by_kernel: Callable) -> None:
    def first(operation: tf.Operation, gradient: tf.Tensor, *_: tf.Tensor) -> Any:
        units, alpha, present, *_ = operation.inputs
        moments = operation.outputs[1:]
        options = _of(operation, ("epsilon",))
        found = by_kernel(units, alpha, present, *moments, gradient, **options)
        return [*found, None, None, None]

    def second(operation: tf.Operation, *gradients: tf.Tensor) -> Any:
        units, alpha, *others, given = operation.inputs
        options = _of(operation, ("epsilon",))
        of_units, of_alpha, of_given = _gradients_of_gradients(
            lambda *inputs: dice_by_tensorflow(*inputs, *others, **options),
            [units, alpha],
            [given],
            gradients,
        )
        return [of_units, of_alpha, None, None, None, of_given]

    _tell("InterhatDice", first, second)


def _register_dropout(by_kernel: Callable) -> None:
    def of_dropout(operation: tf.Operation, gradient: tf.Tensor) -> Any:
        """It is linear in what it drops."""
        _, *drawn = operation.inputs
        return [by_kernel(gradient, *drawn, **_of(operation, ("rate", "scale"))), None, None]

    with contextlib.suppress(KeyError):
        tf.RegisterGradient("InterhatDropout")(of_dropout)


def _register_weighted_sum(by_kernel: Callable) -> None:
    def first(operation: tf.Operation, gradient: tf.Tensor) -> Any:
        weights, *terms = operation.inputs
        of_weights, of_terms = by_kernel(weights, terms, gradient)
        return [of_weights, *of_terms]

    def second(operation: tf.Operation, *gradients: tf.Tensor) -> Any:
        *inputs, given = operation.inputs
        return _gradients_of_gradients(weighted_sum_by_tensorflow, inputs, [given], gradients)

    _tell("InterhatWeightedSum", first, second)


def _gradients_of_gradients(
    outputs_of: Callable,
    inputs: Sequence[tf.Tensor],
    given: Sequence[tf.Tensor],
    gradients: Sequence[tf.Tensor],
) -> list[tf.Tensor]:
    """Returns the gradients of what a kernel's gradient is computed from: inputs, what is given.

    No kernel computes this: what it is the gradient of is computed again, in the open.
    """
    # Keys and values may be one tensor; each is to have its own gradient.
    inputs, given = [[tf.identity(x) for x in tensors] for tensors in (inputs, given)]
    with tf.GradientTape() as outer:
        outer.watch([inputs, given])
        with tf.GradientTape() as inner:
            inner.watch(inputs)
            outputs = outputs_of(*inputs)
        zero = tf.UnconnectedGradients.ZERO
        found = inner.gradient(tf.nest.flatten(outputs), inputs, given, zero)
    return outer.gradient(found, [*inputs, *given], list(gradients), zero)


def _tell(name: str, first: Callable, second: Callable) -> None:
    """Tells TensorFlow the gradient of a kernel, and the gradient of that."""
    for of, function in ((name, first), (f"{name}Gradient", second)):
        with contextlib.suppress(KeyError):  # an earlier import of this module has told it
            tf.RegisterGradient(of)(function)


def _of(operation, attributes):
    return {name: operation.get_attr(name) for name in attributes}
