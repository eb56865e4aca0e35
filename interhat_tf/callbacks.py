"""Keras callbacks."""

from interhat_tf.explanation.callback import AttentionHeatmaps

__all__ = ["AttentionHeatmaps"]
