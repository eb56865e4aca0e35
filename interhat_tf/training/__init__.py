"""Training: the loop with its checkpoints, the step, optimizers, metrics, several devices."""

from interhat_tf.training.optimizers import Adam, LazyAdam
from interhat_tf.utils.lazy import lazy_attributes

_LOOP = "interhat_tf.training.loop"
__getattr__ = lazy_attributes(
    __name__,
    {"TrainingSettings": _LOOP, "evaluate": _LOOP, "predict_logits": _LOOP, "train": _LOOP},
)

__all__ = ["Adam", "LazyAdam", "TrainingSettings", "evaluate", "predict_logits", "train"]
