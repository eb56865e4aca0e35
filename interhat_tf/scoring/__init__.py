"""Scores a log: its rows with the probability, the reasons and what is unknown in them."""

from interhat_tf.utils.lazy import lazy_attributes

__getattr__ = lazy_attributes(__name__, {"score": "interhat_tf.scoring.log_scoring"})

__all__ = ["score"]
