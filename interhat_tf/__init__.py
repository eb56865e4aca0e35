"""InterHAt: interpretable click-through-rate prediction with hierarchical attention."""

from interhat_tf.crosses import Cross, CrossedField
from interhat_tf.models import InterHAt
from interhat_tf.schema import Field, Schema
from interhat_tf.training.optimizers import Adam, LazyAdam
from interhat_tf.utils.lazy import lazy_attributes

__version__ = "0.2.0"

# Only when asked for: they need TensorFlow, which a model on another backend does not.
__getattr__ = lazy_attributes(
    __name__,
    {
        "TrainingSettings": "interhat_tf.training.settings",
        "align_attention": "interhat_tf.training.align",
        "grow_model": "interhat_tf.training.growth",
        "explain_records": "interhat_tf.explanation.explanation",
        "load_vectors": "interhat_tf.training.pretrained",
        "prepare_click_log": "interhat_tf.input_pipeline.click_log",
        "prepared_dataset": "interhat_tf.input_pipeline.catalog",
        "score": "interhat_tf.scoring.log_scoring",
        "suggest_crosses": "interhat_tf.explanation.suggested_crosses",
        "train": "interhat_tf.training.loop",
    },
)

__all__ = [
    "Adam",
    "Cross",
    "CrossedField",
    "Field",
    "InterHAt",
    "LazyAdam",
    "Schema",
    "TrainingSettings",
    "align_attention",
    "explain_records",
    "grow_model",
    "load_vectors",
    "prepare_click_log",
    "prepared_dataset",
    "score",
    "suggest_crosses",
    "train",
]
