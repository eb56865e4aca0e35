"""The CPU kernels as functions of tensors, with their gradients."""

import functools
from collections.abc import Sequence
from typing import Any, NamedTuple

import tensorflow as tf

from interhat_tf.errors import KernelError
from interhat_tf.kernels import gradients, library


def attention(
    query: tf.Tensor, key: tf.Tensor, value: tf.Tensor, num_heads: int, scale: float
) -> tf.Tensor:
    """Returns the head outputs of the fields of a record.

        A_i = softmax(scale Q_i K_i^T),  H_i = A_i V_i

    Args:
        query: float32 queries of h heads side by side, (B, m, h * d_K).
        key: Keys, of the same shape; or (B, m, d_K), the same for all heads.
        value: Values, of the shape of `key`.
        num_heads: Number of heads h.
        scale: Factor of the scores.

    Returns:
        [H_1; ...; H_h], (B, m, h * d_K).

    Raises:
        tf.errors.InvalidArgumentError: If the shapes do not fit together.
    """
    return _load().interhat_attention(
        query=query, key=key, value=value, num_heads=num_heads, scale=scale
    )


def self_attention(
    inputs: tf.Tensor,
    kernels: Sequence[tf.Tensor],
    biases: Sequence[tf.Tensor] | None,
    output_kernel: tf.Tensor | None,
    num_heads: int,
    scale: float,
    relu: bool,
) -> tf.Tensor:
    """Returns the head outputs of the fields of a record, which are projected here.

        Q = act(X W_Q + b_Q),  K = act(X W_K + b_K),  V = act(X W_V + b_V)

    then `attention`, and the head outputs times W_m, in one operation that
    writes none of these to memory.

    Args:
        inputs: float32 fields X, (B, m, d).
        kernels: W_Q, W_K and W_V, each (d, h * d_K).
        biases: b_Q, b_K and b_V, each (h * d_K,), or `None` for none.
        output_kernel: W_m, (h * d_K, d'), or `None` for none.
        num_heads: Number of heads h.
        scale: Factor of the scores, positive.
        relu: Whether act is a ReLU; otherwise there is none.

    Returns:
        [H_1; ...; H_h] W_m, (B, m, d'); without W_m, [H_1; ...; H_h], (B, m, h * d_K).

    Raises:
        tf.errors.InvalidArgumentError: If the shapes do not fit together, or the
            scale is not positive.
    """
    query, key, value = kernels
    query_bias, key_bias, value_bias = biases or [tf.zeros((0,))] * 3
    return _load().interhat_self_attention(
        inputs=inputs,
        query_kernel=query,
        key_kernel=key,
        value_kernel=value,
        query_bias=query_bias,
        key_bias=key_bias,
        value_bias=value_bias,
        output_kernel=tf.zeros((0, 0)) if output_kernel is None else output_kernel,
        num_heads=num_heads,
        scale=scale,
        relu=relu,
    )


def hierarchy(
    features: tf.Tensor,
    kernels: tf.Tensor,
    biases: tf.Tensor | None,
    contexts: tf.Tensor,
    relu: bool,
) -> tuple[tf.Tensor, tf.Tensor]:
    """Returns the orders of InterHAt's hierarchy, and the weights that pool them.

        alpha_i = softmax_j(c_i . act(W_i^T x_i[j] + b_i)),  u_i = sum_j alpha_i[j] x_i[j]
        x_{i+1}[j] = u_i * x_1[j] + x_i[j]

    in one operation, which writes no x_i to memory.

    Args:
        features: float32 features of the first order, (B, m, d).
        kernels: W_1 to W_k, (k, d, s).
        biases: b_1 to b_k, (k, s), or `None` for none.
        contexts: c_1 to c_k, (k, s).
        relu: Whether act is a ReLU; otherwise there is none.

    Returns:
        u_1 to u_k, (B, k, d), and alpha_1 to alpha_k, (B, k, m).

    Raises:
        tf.errors.InvalidArgumentError: If the shapes do not fit together.
    """
    biases = tf.zeros((0, 0)) if biases is None else biases
    return _load().interhat_hierarchy(
        features=features, kernels=kernels, biases=biases, contexts=contexts, relu=relu
    )


class NormalizedOrders(NamedTuple):
    """What `normalized_hierarchy` returns.

    Args:
        orders: u_1 to u_k, (B, k, d).
        weights: alpha_1 to alpha_k, (B, k, m).
        means: The means of the features of each order, (k, m * d): a batch's in training,
            otherwise those that were given. They and the variances have no gradient.
        variances: Their variances.
        terms: What the sums u_i are of: t_1 to t_k, (B, m, d) each.
    """

    orders: tf.Tensor
    weights: tf.Tensor
    means: tf.Tensor
    variances: tf.Tensor
    terms: list[tf.Tensor]


def normalized_hierarchy(
    features: tf.Tensor,
    kernels: tf.Tensor,
    biases: tf.Tensor | None,
    contexts: tf.Tensor,
    normalization: Sequence[tf.Tensor],
    *,
    relu: bool,
    training: bool,
    epsilon: float,
) -> NormalizedOrders:
    """Returns the same as `hierarchy`, with scores of batch-normalised features.

        n_i[j] = gamma_i[j] * (x_i[j] - mean_i[j]) / sqrt(variance_i[j] + epsilon) + beta_i[j]
        alpha_i = softmax_j(c_i . act(W_i^T n_i[j] + b_i))
        t_i[j] = alpha_i[j] x_i[j],  u_i = sum_j t_i[j],  x_{i+1}[j] = u_i * x_1[j] + x_i[j]

    Args:
        features: float32 features of the first order, (B, m, d).
        kernels: W_1 to W_k, (k, d, s).
        biases: b_1 to b_k, (k, s), or `None` for none.
        contexts: c_1 to c_k, (k, s).
        normalization: gamma, beta, and the moving means and variances, (k, m * d) each.
        relu: Whether act is a ReLU; otherwise there is none.
        training: Whether mean and variance are the batch's; otherwise the moving ones serve,
            and so they do where the batch is empty.
        epsilon: Term added to variances.

    Raises:
        tf.errors.InvalidArgumentError: If the shapes do not fit together.
    """
    gammas, betas, means, variances = normalization
    found = _load().interhat_normalized_hierarchy(
        features=features,
        kernels=kernels,
        biases=tf.zeros((0, 0)) if biases is None else biases,
        contexts=contexts,
        gammas=gammas,
        betas=betas,
        means=means,
        variances=variances,
        k=kernels.shape[0],
        relu=relu,
        training=training,
        epsilon=epsilon,
    )
    return NormalizedOrders(*found)


def augru(
    inputs: tf.Tensor,
    attention: tf.Tensor,
    kernel: tf.Tensor,
    recurrent_kernel: tf.Tensor,
    bias: tf.Tensor,
) -> tf.Tensor:
    """Returns the states of the recurrence whose equations `AUGRU` has.

    Args:
        inputs: The sequences i_t, oldest first, float32 (B, L, d).
        attention: The attention a_t, (B, L).
        kernel: [W_u, W_r, W_h], (d, 3 n).
        recurrent_kernel: [U_u, U_r, U_h], (n, 3 n).
        bias: b, (3 n,).

    Returns:
        h_1 to h_L, (B, L, n).

    Raises:
        tf.errors.InvalidArgumentError: If the shapes do not fit together.
    """
    return _load().interhat_augru(
        inputs=inputs,
        attention=attention,
        kernel=kernel,
        recurrent_kernel=recurrent_kernel,
        bias=bias,
    )


def batch_norm(
    units: tf.Tensor,
    gamma: tf.Tensor,
    beta: tf.Tensor,
    moving_mean: tf.Tensor,
    moving_variance: tf.Tensor,
    epsilon: float,
) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
    """Returns a batch's units, normalised, and the mean and the variance that it has.

        f(s) = gamma (s - mean) / sqrt(variance + epsilon) + beta

    Args:
        units: float32 units s, (N, n).
        gamma: (n,).
        beta: (n,).
        moving_mean: What serves where there is no row, (n,).
        moving_variance: Likewise.
        epsilon: Term added to the variance.

    Returns:
        f(s), (N, n), mean and variance, (n,) each, which have no gradient.

    Raises:
        tf.errors.InvalidArgumentError: If the shapes do not fit together.
    """
    found = _load().interhat_batch_norm(
        units=units,
        gamma=gamma,
        beta=beta,
        moving_mean=moving_mean,
        moving_variance=moving_variance,
        epsilon=epsilon,
    )
    return found.outputs, found.mean, found.variance


def dice(
    units: tf.Tensor,
    alpha: tf.Tensor,
    present: tf.Tensor,
    moving_mean: tf.Tensor,
    moving_variance: tf.Tensor,
    epsilon: float,
) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
    """Returns Dice of a batch's units, and the mean and the variance that it has.

        f(s) = s (alpha + (1 - alpha) sigmoid((s - mean) / sqrt(variance + epsilon)))

    Args:
        units: float32 units s, (N, n).
        alpha: (n,).
        present: Which rows count in mean and variance, (N,) booleans.
        moving_mean: What serves where no row counts, (n,).
        moving_variance: Likewise.
        epsilon: Term added to the variance.

    Returns:
        f(s), (N, n), mean and variance, (n,) each, which have no gradient.

    Raises:
        tf.errors.InvalidArgumentError: If the shapes do not fit together.
    """
    found = _load().interhat_dice(
        units=units,
        alpha=alpha,
        present=present,
        moving_mean=moving_mean,
        moving_variance=moving_variance,
        epsilon=epsilon,
    )
    return found.outputs, found.mean, found.variance


def dropout(inputs: tf.Tensor, rate: float, seed: tf.Tensor) -> tf.Tensor:
    """Returns what `tf.nn.experimental.stateless_dropout` does, bit for bit.

    Args:
        inputs: float32 numbers, of any shape.
        rate: Share of them that become 0, at least 0 and less than 1; the others are divided by
            1 - rate.
        seed: Two integers.
    """
    key, counter = tf.raw_ops.StatelessRandomGetKeyCounter(seed=seed)
    return _load().interhat_dropout(
        inputs=inputs, key=key, counter=counter, rate=rate, scale=1 / (1 - rate)
    )


def weighted_sum(weights: tf.Tensor, terms: Sequence[tf.Tensor]) -> tf.Tensor:
    """Returns the sum of tensors, each times a weight of every record.

    Args:
        weights: float32 weights, (B, k).
        terms: k tensors of one shape, (B, ...).

    Raises:
        tf.errors.InvalidArgumentError: If the shapes do not fit together.
    """
    return _load().interhat_weighted_sum(weights=weights, terms=terms)


def inner_products(fields: tf.Tensor, weights: tf.Tensor | None = None) -> tf.Tensor:
    """Returns the inner product of each pair of a record's fields, times the weights of both.

        p_jl = (alpha_j + alpha_l) <x_j, x_l>,  j < l

    Args:
        fields: float32 fields x, (B, m, d).
        weights: Weights alpha, (B, m). Defaults to `None`: the products alone.

    Returns:
        p_12, p_13, ..., p_1m, p_23, ..., (B, m (m - 1) / 2).

    Raises:
        tf.errors.InvalidArgumentError: If the shapes do not fit together.
    """
    weights = tf.zeros((0, 0)) if weights is None else weights
    return _load().interhat_inner_products(fields=fields, weights=weights)


def table_adam(
    table: tf.Variable,
    first_moment: tf.Variable,
    second_moment: tf.Variable,
    rate: tf.Tensor | float,
    gradient: tf.IndexedSlices,
    beta_1: float,
    beta_2: float,
    epsilon: float,
    l2: float,
    average: tf.Variable | None = None,
    share: tf.Tensor | float = 0.0,
) -> None:
    """Updates a float32 table and its moments by Adam, all rows of them.

    Args:
        table: The `tf.Variable`, (rows, ...).
        first_moment: That of the first moments.
        second_moment: That of the second moments.
        rate: The step size with the corrections of the moments' bias, a scalar.
        gradient: `tf.IndexedSlices`; the values of an id that stands several
            times in it are summed.
        beta_1: Decay of the first moments.
        beta_2: Decay of the second moments.
        epsilon: Term added to the root of the second moments.
        l2: Strength of the penalty `l2 * sum(table**2)`, whose gradient is added.
        average: That of a decaying average, which takes in the new table. Defaults to none.
        share: The new table's share in it, a scalar.

    Raises:
        tf.errors.InvalidArgumentError: If an id is outside the table, or shapes
            do not fit together.
    """
    variables = [table, first_moment, second_moment, *([] if average is None else [average])]
    _load().interhat_table_adam(
        variables=[variable.handle for variable in variables],
        rate=rate,
        share=share,
        ids=tf.cast(gradient.indices, tf.int32),
        values=gradient.values,
        beta_1=beta_1,
        beta_2=beta_2,
        epsilon=epsilon,
        l2=l2,
    )


@functools.cache
def _load() -> Any:
    advice = f"build it again with `interhat kernels`, or set {library.SWITCH}=0 to do without"
    if not library.is_whole(library.LIBRARY):
        raise KernelError(f"{library.LIBRARY} is cut off or damaged; {advice}")
    try:
        operations = tf.load_op_library(str(library.LIBRARY))
    except tf.errors.OpError as error:
        raise KernelError(f"{library.LIBRARY} cannot be loaded ({error}); {advice}") from error
    gradients.register(operations)
    return operations
