"""The orders of InterHAt's hierarchy, u_1 to u_k (Section 3.3)."""

from collections.abc import Sequence
from typing import NamedTuple

import keras
from keras import ops

from interhat_tf.layers.attentional_aggregation import AttentionalAggregation
from interhat_tf.layers.cross_layer import CrossLayer
from interhat_tf.ops import Tensor, hierarchy, kernel_serves, normalized_hierarchy


class PooledOrders(NamedTuple):
    """The hierarchy of a batch, order by order.

    Args:
        orders: u_1 to u_k, (B, k, d).
        weights: alpha_1 to alpha_k, (B, m) each.
        features: X_1 to X_k, (B, m, d) each.
        weighted: alpha_1 X_1 to alpha_k X_k, (B, m, d) each, where a kernel wrote them.
            Defaults to `None`.
    """

    orders: Tensor
    weights: list[Tensor]
    features: list[Tensor]
    weighted: list[Tensor] | None = None

    @property
    def terms(self) -> list[Tensor]:
        """The weighted features that the orders are sums of, (B, m, d) of each order."""
        if self.weighted is not None:
            return self.weighted
        pairs = zip(self.weights, self.features, strict=True)
        return [ops.expand_dims(alpha, -1) * x for alpha, x in pairs]


def pool_orders(
    aggregations: Sequence[AttentionalAggregation],
    cross: CrossLayer,
    first: Tensor,
    field_weights: Tensor | None = None,
    training: bool = False,
) -> PooledOrders:
    """Pools the features of each order, and makes those of the next (Equations 1 to 3).

        alpha_i, u_i = aggregate_i(X_i),  X_{i+1} = u_i * X_1 + X_i

    One kernel does so for all orders at once, where it serves.

    Args:
        aggregations: Those of order 1 to k, built.
        cross: What makes X_{i+1}.
        first: The features of the first order X_1, (B, m, d).
        field_weights: Weights in place of alpha_1 to alpha_k, (k, m). Defaults to `None`.
        training: Whether the model is being trained. Defaults to `False`.
    """
    together = field_weights is None and kernel_serves(first, training)
    if together and _have_a_kernel(aggregations, first):
        return _pool_at_once(aggregations, cross, first, training)
    features, orders, alphas = [first], [], []
    for i, aggregate in enumerate(aggregations):
        if i:
            features.append(cross(orders[-1], first, features[-1]))  # (B, m, d)
        weights = None if field_weights is None else field_weights[i : i + 1]  # (1, m)
        u, alpha = aggregate(features[-1], weights=weights, training=training)
        orders.append(u)  # (B, d)
        alphas.append(alpha)  # (B, m)
    return PooledOrders(ops.stack(orders, axis=1), alphas, features)


def _pool_at_once(
    aggregations: Sequence[AttentionalAggregation],
    cross: CrossLayer,
    first: Tensor,
    training: bool,
) -> PooledOrders:
    projections = [of_order.projection for of_order in aggregations]
    contexts = [of_order.context for of_order in aggregations]
    weighted = None
    if aggregations[0].batch_norm:
        normalizations = [of_order.normalization for of_order in aggregations]
        # As in Keras' layer, what is frozen stays as it is.
        of_batch = training and normalizations[0].trainable
        found = normalized_hierarchy(first, projections, contexts, normalizations, of_batch)
        orders, alphas, weighted = found.orders, found.weights, found.terms
        if of_batch:
            moments = ops.unstack(found.means), ops.unstack(found.variances)
            for normalization, *of_order in zip(normalizations, *moments, strict=True):
                normalization.move_towards(*of_order)
    else:
        orders, alphas = hierarchy(first, projections, contexts)
    features = [first]
    for u in ops.unstack(orders, axis=1)[:-1]:  # (B, d)
        features.append(cross(u, first, features[-1]))  # (B, m, d)
    return PooledOrders(orders, ops.unstack(alphas, axis=1), features, weighted)


def _have_a_kernel(aggregations: Sequence[AttentionalAggregation], first: Tensor) -> bool:
    """Returns whether the kernels have what the aggregations are, one like the other."""
    linear_or_relu = keras.activations.linear, keras.activations.relu
    plain = all(
        not of_order.gated and of_order.activation in linear_or_relu for of_order in aggregations
    )
    frozen = {of_order.batch_norm and of_order.normalization.trainable for of_order in aggregations}
    return plain and len(frozen) == 1 and first.shape[1] > 1
