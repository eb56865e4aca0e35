"""What an exported model returns."""

from typing import Any

import tensorflow as tf

from interhat_tf.schema import Batch

REASONS = ("order_weights", "field_weights", "effects", "pair_effects")
"""(B, k), (B, k, m), (B, m) and (B, pairs), the last two of a model with effects of its own."""


def explained(model: Any, inputs: Batch) -> dict[str, tf.Tensor]:
    """Returns the probability, (B,), calibrated if the model is, and the `REASONS` for it.

    Args:
        model: A model with `explain`, or one with `explain_effects`.
        inputs: Tensors of `categorical`, (B, C), and `numerical`, (B, N).
    """
    explain = model.explain if hasattr(model, "explain") else model.explain_effects
    explanation = explain(inputs)
    reasons = {name: explanation[name] for name in REASONS if name in explanation}
    return {"probability": _probability(model, explanation["logits"]), **reasons}


def predicted(model: Any, inputs: Batch) -> dict[str, tf.Tensor]:
    """Returns the probability, (B,), calibrated if the model is, at a lower cost.

    Args:
        model: Any model that returns logits, (B, 1).
        inputs: As for `explained`.
    """
    return {"probability": _probability(model, model(inputs)[:, 0])}


def calibration_of(model: Any) -> str:
    """Returns what an exported file says of its probabilities.

    Args:
        model: Any model.
    """
    return str(getattr(model, "calibration", None) or "not calibrated")


def _probability(model, logits):
    calibration = getattr(model, "calibration", None)
    return calibration.probability_tensor(logits) if calibration else tf.sigmoid(logits)
