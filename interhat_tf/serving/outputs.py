"""What an exported model returns."""

from typing import Any

import tensorflow as tf

from interhat_tf.schema import Batch


def explained(model: Any, inputs: Batch) -> dict[str, tf.Tensor]:
    """Returns the probability, (B,), the order weights, (B, k), and the field weights, (B, k, m).

    Args:
        model: A model with `explain`.
        inputs: Tensors of `categorical`, (B, C), and `numerical`, (B, N).
    """
    explanation = model.explain(inputs)
    return {
        "probability": tf.sigmoid(explanation["logits"]),
        "order_weights": explanation["order_weights"],
        "field_weights": explanation["field_weights"],
    }


def predicted(model: Any, inputs: Batch) -> dict[str, tf.Tensor]:
    """Returns the probability, (B,), at a lower cost.

    Args:
        model: Any model that returns logits, (B, 1).
        inputs: As for `explained`.
    """
    return {"probability": tf.sigmoid(model(inputs)[:, 0])}
