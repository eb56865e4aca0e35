"""InterHAt: interpretable click-through-rate prediction with hierarchical attention."""

import importlib

from interhat_tf.models import InterHAt
from interhat_tf.optimizers import Adam, LazyAdam
from interhat_tf.schema import Field, Schema

__version__ = "0.1.0"

__all__ = [
    "Adam",
    "Field",
    "InterHAt",
    "LazyAdam",
    "Schema",
    "explain_records",
    "prepare_click_log",
]

# Only when asked for: they need TensorFlow, which a model on another backend does not.
_LATER = {
    "explain_records": "interhat_tf.explanation",
    "prepare_click_log": "interhat_tf.click_log",
}


def __getattr__(name):
    if name in _LATER:
        return getattr(importlib.import_module(_LATER[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
