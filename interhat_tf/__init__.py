"""InterHAt: interpretable click-through-rate prediction with hierarchical attention."""

from interhat_tf.models import InterHAt
from interhat_tf.optimizers import Adam
from interhat_tf.schema import Field, Schema

__version__ = "0.1.0"

__all__ = ["Adam", "Field", "InterHAt", "Schema"]
