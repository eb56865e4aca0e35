"""What `explanations` times: how click models and boosted trees train, predict and explain."""

import dataclasses
import functools
import inspect
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
import shap

from experiments.speed.paper_sizes import batches_of
from experiments.speed.timed_cases import Training, seconds_of
from experiments.trees.records import matrix, read_records
from experiments.trees.train import MODELS as TREES
from interhat_tf.explanation.attributions import (
    gradient_times_input,
    integrated_gradients,
    occlusion,
)
from interhat_tf.explanation.batches import estimate_effects, explain_inputs
from interhat_tf.explanation.interactions import field_groups, pair_effects
from interhat_tf.explanation.sampled_shapley import sampled_shapley_values
from interhat_tf.input_pipeline.dataset import PreparedDataset
from interhat_tf.layers import EffectHead
from interhat_tf.models import MODELS, ClickModel
from interhat_tf.models.presets import hyperparameters
from interhat_tf.schema import Batch
from interhat_tf.training.optimizers import Adam

BATCH_SIZE = 1024
# Records that exact effects are against.
BACKGROUND = 32
# What the sum of a record's contributions may differ from its logit by.
TOLERANCE = 1e-3


@dataclasses.dataclass
class Work:
    """One thing that a model does for a number of records.

    Args:
        model: What the model is called.
        what: `"training"`, `"prediction"` or `"explanation"`.
        call: Does it; a function of the number of records.
        method: How it explains; empty for anything else.
        at_once: Records of a call, at most.
    """

    model: str
    what: str
    call: Callable[[int], Any]
    method: str = ""
    at_once: int = 8192


def of_click_model(
    data: PreparedDataset, inputs: Batch, name: str, setting: dict[str, Any]
) -> list[Work]:
    """Returns what a model of the library does; its weights are new: no time depends on them.

    Args:
        data: What it is trained on.
        inputs: The records that it predicts and explains.
        name: Name of the model.
        setting: Its arguments, and its preset if it has one, as flags of `experiments.train`;
            those of training are left out.
    """
    preset = setting.get("preset")
    arguments = {**hyperparameters(data.name, preset or "released", name)[0], **setting}
    known = inspect.signature(MODELS[name]).parameters
    model = MODELS[name](data.schema, **{k: v for k, v in arguments.items() if k in known})
    training = Training(model, Adam(), batches_of(model.schema, BATCH_SIZE))
    batches = data.training_batches(BATCH_SIZE, seed=0).take(4)
    training.batches = iter(batches.cache().repeat())
    title = f"{name}, {preset}" if preset else name
    works = [
        Work(title, "training", lambda n: training.train(max(1, n // BATCH_SIZE)), "", 1 << 20),
        Work(title, "prediction", lambda n: model.predict_on_batch(first(inputs, n))),
    ]
    if hasattr(model, "explain"):
        works += own_explanations(model, title, inputs, batches)
    return [*works, *effects(model, title, inputs)]


def own_explanations(
    model: ClickModel, title: str, inputs: Batch, batches: Iterable[Any]
) -> list[Work]:
    """Returns how an InterHAt explains records, and how it is asked with fields changed."""
    model.adapt(batches)
    found = explain_inputs(model, first(inputs, 100))
    sums = found["bias"] + found["contributions"].sum(axis=(1, 2))  # (100,)
    check_sums(title, sums, found["logits"])
    background = first(inputs, BACKGROUND)
    with_background = {"background": background}
    ways: dict[str, Callable[[Batch], Any]] = {
        "`explain`": functools.partial(explain_inputs, model),
        "gradient × input": functools.partial(gradient_times_input, model),
        "integrated gradients, 32 steps": functools.partial(
            integrated_gradients, model, **with_background
        ),
        "exact effects": functools.partial(occlusion, model, **with_background),
        "SHAP, random orders": functools.partial(sampled_shapley_values, model, **with_background),
        "exact pair effects": functools.partial(pair_effects, model, **with_background),
    }
    return [explanation(title, method, explain, inputs) for method, explain in ways.items()]


def effects(model: ClickModel, title: str, inputs: Batch) -> list[Work]:
    """Returns how a click model estimates effects in one pass, without pairs and with them."""

    def estimate(head: EffectHead, records: Batch) -> Any:
        model.hold_effects(head, {})
        found = estimate_effects(model, records)
        model.drop_effects()  # `explain` would estimate them too
        return found

    pairs = len(field_groups(model.schema, 2))
    heads = {
        "one-pass effects": model.make_effect_head({"num_pairs": 0}),
        "one-pass effects and pairs": model.make_effect_head({"num_pairs": pairs}),
    }
    return [
        explanation(title, method, functools.partial(estimate, head), inputs)
        for method, head in heads.items()
    ]


def explanation(title: str, method: str, explain: Callable[[Batch], Any], inputs: Batch) -> Work:
    """Returns the work of explaining records in one way."""
    return Work(title, "explanation", lambda n: explain(first(inputs, n)), method)


def first(inputs: Batch, rows: int) -> Batch:
    """Returns the first records of inputs."""
    return {kind: values[:rows] for kind, values in inputs.items()}


def of_trees(
    data: PreparedDataset, inputs: Batch, name: str, setting: dict[str, Any]
) -> tuple[list[Work], dict[str, float]]:
    """Trains boosted trees, and returns what they do, and how fast they were trained.

    Args:
        data: What they are trained on.
        inputs: The records that they predict and explain.
        name: `"lightgbm"` or `"ebm"`.
        setting: Their arguments.
    """
    model = TREES[name](data.schema, **setting)
    splits = [read_records(data, split) for split in ("train", "validation")]
    seconds = seconds_of(model.fit, *splits, 0)
    fields = matrix(inputs)  # (n, m)
    check_sums(name, model.contributions(fields[:100]).sum(axis=1), model.logits(fields[:100]))
    works = [Work(name, "prediction", lambda n: model.logits(fields[:n]))]
    for method, explain in EXPLAINERS[name](model).items():
        call = functools.partial(lambda n, explain: explain(fields[:n]), explain=explain)
        works.append(Work(name, "explanation", call, method))
    rows = model.epochs * data.num_rows("train")
    return works, {"seconds": seconds, "epochs": model.epochs, "rows_per_second": rows / seconds}


EXPLAINERS: dict[str, Callable[[Any], dict[str, Callable]]] = {
    "lightgbm": lambda model: {
        "TreeSHAP (`pred_contrib`)": model.contributions,
        "shap's `TreeExplainer`": shap.TreeExplainer(model.booster).shap_values,
    },
    "ebm": lambda model: {
        "`explain_local`": model.model.explain_local,
        "`eval_terms`": model.contributions,
    },
}
"""How boosted trees explain records: from a method's name to a function of their fields."""


def check_sums(name: str, sums: np.ndarray, logits: np.ndarray) -> None:
    """Raises an error if contributions do not sum to the logit: a fast answer may be a wrong one.

    Raises:
        ValueError: If a record's differ by more than `TOLERANCE`.
    """
    if (error := np.abs(sums - logits).max()) > TOLERANCE:
        raise ValueError(f"{name}: contributions miss the logit by {error:.1e}")
