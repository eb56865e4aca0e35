"""Keras callbacks."""

from interhat_tf.explanation.callback import AttentionHeatmaps
from interhat_tf.training.averaged_weights import WeightAveraging
from interhat_tf.training.early_stopping import EarlyStopping

__all__ = ["AttentionHeatmaps", "EarlyStopping", "WeightAveraging"]
