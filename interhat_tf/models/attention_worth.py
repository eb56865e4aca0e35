"""What a model's predictions owe to attention: how much worse they are with fixed weights."""

from collections.abc import Callable, Iterable
from functools import partial
from typing import Any

import numpy as np
from keras import ops

from interhat_tf.ops import Tensor
from interhat_tf.schema import Batch

Evaluate = Callable[[Iterable[Any], Callable[..., Tensor]], dict[str, float]]
"""A function of batches and of what predicts their logits, (B, 1), to `auc` and `logloss`."""
IDLE = 1e-4
"""AUC and logloss are reported to four digits: an attention that costs less changes neither."""


def attention_worth(model: Any, batches: Iterable[Any], evaluate: Evaluate) -> dict[str, Any]:
    """Compares a model with itself, its attention weights fixed to their means over records.

    Attention can die while a model predicts well: what is pooled then takes over,
    and the weights are the same for all records, or make no difference.

    Args:
        model: An `ExplainingModel`.
        batches: Batches of inputs and labels that can be read several times.
        evaluate: The function that evaluates, such as `training.evaluate_batches`.

    Returns:
        Dictionary of `auc_lost` and `logloss_lost` by fixing each field's weight in
        each order, alpha_1 ... alpha_k, `auc_lost_with_orders` and
        `logloss_lost_with_orders` by fixing alpha_f as well; `spread`, the
        standard deviation of a field's weight relative to its mean, averaged over
        fields and orders by their mean weights; and `idle`: whether fixing the
        fields' weights costs less than 1e-4 of AUC and of logloss.
    """
    weights = _Weights()

    def predict(inputs: Batch, **fixed: np.ndarray) -> Tensor:
        found = model.forward(model.embedding(inputs), **fixed)
        if not fixed:
            weights.add(found)
        return found.logits

    whole = evaluate(batches, predict)
    field_weights, deviations, order_weights = weights.means()  # (k, m) twice, (k,)
    fixed: dict[str, Any] = {"field_weights": field_weights}
    fields = evaluate(batches, partial(predict, **fixed))
    both = evaluate(batches, partial(predict, **fixed, order_weights=order_weights))
    lost = {
        "auc_lost": whole["auc"] - fields["auc"],
        "logloss_lost": fields["logloss"] - whole["logloss"],
    }
    return {
        **lost,
        "auc_lost_with_orders": whole["auc"] - both["auc"],
        "logloss_lost_with_orders": both["logloss"] - whole["logloss"],
        # A field's deviation over its mean, times that mean, is its deviation.
        "spread": float(order_weights @ deviations.sum(axis=1)),
        "idle": max(lost.values()) < IDLE,
    }


class _Weights:
    """The sums of the attention weights of records."""

    def __init__(self) -> None:
        self.sums: list[Any] = [0.0, 0.0, 0.0]
        self.records = 0

    def add(self, found: Any) -> None:
        """Adds those of a batch, of what `ExplainingModel.forward` found."""
        field_weights = np.stack([ops.convert_to_numpy(alpha) for alpha in found.field_weights], 1)
        field_weights = field_weights.astype("float64")  # (B, k, m)
        order_weights = ops.convert_to_numpy(found.order_weights).astype("float64")  # (B, k)
        for i, values in enumerate((field_weights, field_weights**2, order_weights)):
            self.sums[i] = self.sums[i] + values.sum(axis=0)
        self.records += len(order_weights)

    def means(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Returns the means and deviations of the field weights, (k, m), and alpha_f's, (k,)."""
        mean, square, order_mean = (total / self.records for total in self.sums)
        return mean, np.sqrt(np.maximum(square - mean**2, 0)), order_mean
