"""Training: a loop that resumes exactly, and what `fit` shares with it.

There are two trainers. `train` is for prepared data sets: exact resume, a report,
several devices. Keras' `compile` and `fit` are for batches or arrays of your own;
with `Adam`, `callbacks.WeightAveraging` and `callbacks.EarlyStopping` they take the
same steps, average the same weights and stop at the same epoch.
"""

from interhat_tf.training.optimizers import Adam, LazyAdam
from interhat_tf.utils.lazy import lazy_attributes

_EVALUATION = "interhat_tf.training.evaluation"
__getattr__ = lazy_attributes(
    __name__,
    {
        "EarlyStopping": "interhat_tf.training.early_stopping",
        "TrainingSettings": "interhat_tf.training.settings",
        "WeightAveraging": "interhat_tf.training.averaged_weights",
        "Reliability": "interhat_tf.training.observed_rates",
        "align_attention": "interhat_tf.training.align",
        "calibrate": "interhat_tf.training.calibrating",
        "compare_runs": "interhat_tf.training.run_comparison",
        "evaluate": _EVALUATION,
        "evaluate_batches": _EVALUATION,
        "grow_model": "interhat_tf.training.growth",
        "load_vectors": "interhat_tf.training.pretrained",
        "plot_reliability": "interhat_tf.training.observed_rates",
        "fit_calibration": "interhat_tf.training.calibrating",
        "predict_logits": _EVALUATION,
        "reliability": "interhat_tf.training.observed_rates",
        "reliability_by_value": "interhat_tf.training.observed_rates",
        "train": "interhat_tf.training.loop",
    },
)

__all__ = [
    "Adam",
    "EarlyStopping",
    "LazyAdam",
    "Reliability",
    "TrainingSettings",
    "WeightAveraging",
    "align_attention",
    "calibrate",
    "compare_runs",
    "evaluate",
    "evaluate_batches",
    "fit_calibration",
    "grow_model",
    "load_vectors",
    "plot_reliability",
    "predict_logits",
    "reliability",
    "reliability_by_value",
    "train",
]
