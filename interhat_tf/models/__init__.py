"""Click-through-rate models, and a registry of them by name."""

from functools import partial

from interhat_tf.models.interhat import PRESETS, InterHAt

MODELS = {
    "interhat": InterHAt,
    "interhat_s": partial(InterHAt, self_attention=False),
}
"""What builds each model from a schema and its arguments."""

__all__ = ["MODELS", "PRESETS", "InterHAt"]
