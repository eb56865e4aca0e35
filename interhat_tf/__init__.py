"""InterHAt: interpretable click-through-rate prediction with hierarchical attention."""

from interhat_tf.models import InterHAt
from interhat_tf.optimizers import Adam
from interhat_tf.schema import Field, Schema

__version__ = "0.1.0"

__all__ = ["Adam", "Field", "InterHAt", "Schema", "prepare_click_log"]


def __getattr__(name):
    # Only when asked for: it needs TensorFlow, which a model on another backend does not.
    if name == "prepare_click_log":
        from interhat_tf.click_log import prepare_click_log

        return prepare_click_log
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
