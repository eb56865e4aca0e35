"""The orders of InterHAt's hierarchy, all of them at once, by a CPU kernel.

Layers make them one by one where `kernel_serves` says that none serves.
"""

from collections.abc import Sequence
from typing import Any

import keras
from keras import ops

from interhat_tf.ops.dispatch import Tensor


def hierarchy(
    features: Tensor,
    projections: Sequence[keras.layers.Dense],
    contexts: Sequence[keras.Variable],
) -> tuple[Tensor, Tensor]:
    """Returns the orders of InterHAt's hierarchy and their weights.

        alpha_i = softmax_j(c_i . act(W_i^T x_i[j] + b_i)),  u_i = sum_j alpha_i[j] x_i[j]
        x_{i+1}[j] = u_i * x_1[j] + x_i[j]

    Args:
        features: Features of the first order, (B, m, d).
        projections: Those of the k orders, d to s units: W_i, b_i and act, a ReLU or none.
        contexts: c_1 to c_k, (s, 1) each.

    Returns:
        u_1 to u_k, (B, k, d), and alpha_1 to alpha_k, (B, k, m).
    """
    from interhat_tf import kernels

    relu = projections[0].activation is keras.activations.relu
    return kernels.hierarchy(features, *_stacked(projections, contexts), relu=relu)


def normalized_hierarchy(
    features: Tensor,
    projections: Sequence[keras.layers.Dense],
    contexts: Sequence[keras.Variable],
    normalizations: Sequence[keras.layers.BatchNormalization],
    of_batch: bool,
) -> Any:
    """Returns what `hierarchy` does, with scores of batch-normalised features.

        alpha_i = softmax_j(c_i . act(W_i^T BN_i(x_i)[j] + b_i))

    Args:
        features: Features of the first order, (B, m, d).
        projections: As in `hierarchy`.
        contexts: As in `hierarchy`.
        normalizations: BN_1 to BN_k, of m * d numbers each.
        of_batch: Whether the batch's mean and variance serve, not the moving ones.

    Returns:
        The kernel's `NormalizedOrders`.
    """
    from interhat_tf import kernels

    return kernels.normalized_hierarchy(
        features,
        *_stacked(projections, contexts),
        [
            _stack([getattr(of_order, name) for of_order in normalizations])  # (k, m * d)
            for name in ("gamma", "beta", "moving_mean", "moving_variance")
        ],
        relu=projections[0].activation is keras.activations.relu,
        training=of_batch,
        epsilon=normalizations[0].epsilon,
    )


def _stacked(
    projections: Sequence[keras.layers.Dense], contexts: Sequence[keras.Variable]
) -> tuple[Tensor, Tensor | None, Tensor]:
    """Returns kernels, (k, d, s), biases, (k, s) or `None`, and contexts, (k, s)."""
    return (
        _stack([projection.kernel for projection in projections]),
        _stack([projection.bias for projection in projections])
        if projections[0].use_bias
        else None,
        ops.squeeze(_stack(contexts), -1),
    )


def _stack(variables):
    return ops.stack([variable.value for variable in variables])
