"""The attention of a record's fields to each other."""

from collections.abc import Callable
from typing import Any

import keras
from keras import ops

from interhat_tf.ops.dispatch import Tensor, kernel_serves

WIDE = 8
"""Width of a head from which one kernel for projections and attention is the faster one."""


def multi_head_self_attention(
    inputs: Tensor,
    query: keras.layers.Dense,
    key: keras.layers.Dense,
    value: keras.layers.Dense,
    output: keras.layers.Dense | None = None,
    *,
    num_heads: int,
    temperature: float,
    dropout: keras.layers.Dropout | None = None,
    training: bool = False,
    return_weights: bool = False,
) -> tuple[Tensor, Tensor | None]:
    """Lets every field of a record attend to every field, in several heads.

        Q = query(X),  K = key(X),  V = value(X)
        A_i = softmax(Q_i K_i^T / temperature),  H_i = A_i V_i
        output([H_1; ...; H_h])

    Args:
        inputs: The fields X, (B, m, d).
        query: Projection of d to h * d_K units.
        key: Another one, of the same activation and with a bias if `query` has one.
        value: Another one.
        output: Projection of the head outputs, to d' units. Defaults to none.
        num_heads: Number of heads h.
        temperature: Divisor of the scores, positive.
        dropout: What drops attention weights in training. Defaults to nothing.
        training: Whether the model is being trained.
        return_weights: Whether the attention weights are asked for.

    Returns:
        (B, m, d'), or without `output` the head outputs, (B, m, h * d_K); and the
        attention weights A before dropout, (B, h, m, m), rows being queries, or
        `None` if they are not asked for.
    """
    options: dict[str, Any] = {
        "num_heads": num_heads,
        "temperature": temperature,
        "dropout": dropout,
        "training": training,
        "return_weights": return_weights,
    }
    key_dim = query.units // num_heads
    # Products of linear projections, of width d, cost less than projections of width d_K.
    if output and key_dim >= inputs.shape[-1] and _are_linear(query, key, value, output):
        query_kernel, output_kernel = _fold(query, key, value, output, num_heads)
        folded = _by_row(lambda rows: ops.matmul(rows, query_kernel), inputs)  # (B, m, h * d)
        heads, weights = multi_head_attention(folded, inputs, inputs, shared=True, **options)
        return _by_row(lambda rows: ops.matmul(rows, output_kernel), heads), weights
    one_kernel = key_dim >= WIDE and query.activation in (
        keras.activations.linear,
        keras.activations.relu,
    )
    if one_kernel and _kernel_attends(inputs, training, dropout, return_weights):
        return _by_one_kernel(inputs, query, key, value, output, num_heads, temperature), None
    if output is None:
        return multi_head_attention(query(inputs), key(inputs), value(inputs), **options)
    projected = [_by_row(project, inputs) for project in (query, key, value)]  # (B, m, h * d_K)
    heads, weights = multi_head_attention(*projected, **options)
    return _by_row(output, heads), weights


def multi_head_attention(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    *,
    num_heads: int,
    temperature: float,
    shared: bool = False,
    dropout: keras.layers.Dropout | None = None,
    training: bool = False,
    return_weights: bool = False,
) -> tuple[Tensor, Tensor | None]:
    """Lets every field of a record attend to every field, in several heads.

        A_i = softmax(Q_i K_i^T / temperature),  H_i = A_i V_i

    Args:
        query: Queries of h heads side by side, (B, m, h * w).
        key: Keys, of the same shape; if they are shared, (B, m, w).
        value: Values, of the shape of `key`.
        num_heads: Number of heads h.
        temperature: Divisor of the scores, positive.
        shared: Whether all heads have the same keys and values. Defaults to `False`.
        dropout: What drops attention weights in training. Defaults to nothing.
        training: Whether the model is being trained.
        return_weights: Whether the attention weights are asked for.

    Returns:
        The head outputs [H_1; ...; H_h], (B, m, h * w), and A, (B, h, m, m), or `None`.
    """
    if _kernel_attends(query, training, dropout, return_weights):
        from interhat_tf import kernels

        return kernels.attention(query, key, value, num_heads, 1 / temperature), None
    fields, width = query.shape[1], query.shape[-1] // num_heads
    query = _split_heads(query / temperature, num_heads, (0, 2, 1, 3))  # (B, h, m, w)
    if shared:
        # One product per record has all heads, with h * m in place of h and m.
        query = ops.reshape(query, (-1, num_heads * fields, width))  # (B, h * m, w)
        key = ops.transpose(key, (0, 2, 1))  # (B, w, m)
    else:
        key = _split_heads(key, num_heads, (0, 2, 3, 1))  # (B, h, w, m)
        value = _split_heads(value, num_heads, (0, 2, 1, 3))  # (B, h, m, w)
    scores = ops.matmul(query, key)  # (B, h, m, m), or (B, h * m, m)
    # Keras warns of a softmax over one element, as a record of one field would have it. The
    # weight 1 is computed from the scores, so that their gradient is zero and not missing.
    weights = ops.softmax(scores, axis=-1) if fields > 1 else ops.exp(scores - scores)
    kept = dropout(weights, training=True) if dropout and training else weights
    heads = ops.reshape(ops.matmul(kept, value), (-1, num_heads, fields, width))  # (B, h, m, w)
    heads = ops.transpose(heads, (0, 2, 1, 3))  # (B, m, h, w)
    return (
        ops.reshape(heads, (-1, fields, num_heads * width)),  # (B, m, h * w)
        ops.reshape(weights, (-1, num_heads, fields, fields)) if return_weights else None,
    )


def _kernel_attends(inputs, training, dropout, return_weights):
    """Returns whether a CPU kernel computes attention, whose weights nobody sees or drops."""
    return not (return_weights or _drops(dropout, training)) and kernel_serves(inputs, training)


def _drops(dropout, training):
    return bool(training and dropout and dropout.rate)


def _are_linear(*projections):
    linear = keras.activations.linear
    return all(p.activation is linear and not p.use_bias for p in projections)


def _fold(query, key, value, output, num_heads):
    """Returns projections to queries and of head outputs for which X itself is keys and values.

    `Q K^T = X (W_Q W_K^T) X^T`, and `A V W_m = A X (W_V W_m)`, head by head.
    """
    dim, key_dim = query.kernel.shape[0], query.units // num_heads
    query, key, value = (
        ops.reshape(projection.kernel, (dim, num_heads, key_dim))
        for projection in (query, key, value)
    )
    query, key, value = (ops.transpose(w, (1, 0, 2)) for w in (query, key, value))  # (h, d, d_K)
    to_query = ops.matmul(query, ops.swapaxes(key, -1, -2))  # (h, d, d)
    to_query = ops.reshape(ops.transpose(to_query, (1, 0, 2)), (dim, -1))  # (d, h * d)
    output = ops.reshape(output.kernel, (num_heads, key_dim, -1))  # (h, d_K, d')
    output = ops.matmul(value, output)  # (h, d, d')
    return to_query, ops.reshape(output, (num_heads * dim, -1))  # (h * d, d')


def _by_one_kernel(inputs, query, key, value, output, num_heads, temperature):
    """Returns (B, m, d'), projections included, by one CPU kernel."""
    from interhat_tf import kernels

    tensor, projections = ops.convert_to_tensor, (query, key, value)
    outputs = kernels.self_attention(
        inputs,
        [tensor(projection.kernel) for projection in projections],
        [tensor(projection.bias) for projection in projections] if query.use_bias else None,
        tensor(output.kernel) if output else None,
        num_heads,
        1 / temperature,
        relu=query.activation is keras.activations.relu,
    )
    if not output:
        return outputs
    return output.activation(outputs + output.bias if output.use_bias else outputs)


def _by_row(function: Callable, fields: Tensor) -> Tensor:
    """Applies a function to all records' fields as rows of one matrix, (B * m, ...), in one go."""
    rows = function(ops.reshape(fields, (-1, fields.shape[-1])))
    return ops.reshape(rows, (-1, fields.shape[1], rows.shape[-1]))  # (B, m, ...)


def _split_heads(projected, num_heads, order):
    fields, width = projected.shape[1], projected.shape[-1] // num_heads
    heads = ops.reshape(projected, (-1, fields, num_heads, width))  # (B, m, h, w)
    return ops.transpose(heads, order)
