"""The explanations that are compared: for each record, one value a field."""

import dataclasses

import keras
import numpy as np

from experiments.faithfulness.tree_models import TreeModel
from interhat_tf.explanation import attributions as methods
from interhat_tf.explanation.batches import estimate_effects
from interhat_tf.explanation.sampled_shapley import sampled_shapley_values

Inputs = dict[str, np.ndarray]
Values = dict[str, np.ndarray]


# How attention is trained: with the model alone, aligned from the first epoch on, or afterwards.
HOW_TRAINED = PLAIN, ALIGNED, CONTINUED = "plain", "aligned", "continued"
# On real logs, as `TrainingSettings` has it: chosen on validation, see TRIALS.md.
ALIGNMENT = {"effect_weight": 0.05, "effect_donors": 8}
# Which arguments a run has: `tuned` itself aligns attention after its training.
NOT_ALIGNED = {"effect_weight": 0.0}
OF_RUNS = {
    PLAIN: NOT_ALIGNED,
    ALIGNED: {**ALIGNMENT, "alignment_epochs": 0},
    CONTINUED: NOT_ALIGNED,
}


@dataclasses.dataclass(frozen=True)
class Method:
    """A method, and what the page says of it."""

    title: str
    signed: bool  # whether what raises the logit is positive, what lowers it negative
    cost: str  # predictions of a record of m fields with b background records, beside its own


METHODS = {
    "attention": Method("attention, weighted by α_f", False, "0"),
    "rollout": Method("attention, rolled out through the heads", False, "0"),
    "contributions": Method("contributions, from zero", True, "0"),
    "contributions_average": Method("contributions, from the average record", True, "0"),
    "gradient": Method("gradient × input", True, "1 with its gradient"),
    "integrated_gradients": Method("integrated gradients, 32 steps", True, "32 with gradients"),
    "occlusion": Method("occlusion", True, "m · b"),
    "effects": Method("one-pass effects", True, "0"),
    "shap": Method("SHAP, random orders", True, "m · b"),
    "tree_shap": Method("TreeSHAP of LightGBM", True, "0"),
    "ebm": Method("EBM's terms", True, "0"),
    "constant": Method("the same order for all records, by mean occlusion", False, "m · b"),
    "random": Method("random", False, "0"),
}


def attributions(
    model: keras.Model | TreeModel, inputs: Inputs, background: Inputs, seed: int
) -> Values:
    """Returns the values of each method of `METHODS` that a model has, (B, m) each.

    Other values of a field are taken from the background's records.
    """
    if isinstance(model, TreeModel):
        found = {model.method: model.attributions(inputs)}
    else:
        found = of_interhat(model, inputs, background)
    found["occlusion"] = methods.occlusion(model, inputs, background)
    found["shap"] = sampled_shapley_values(model, inputs, background, seed)
    found["random"] = np.random.default_rng(seed).random(found["occlusion"].shape)
    return {name: found[name].astype("float64") for name in METHODS if name in found}


def of_interhat(model: keras.Model, inputs: Inputs, background: Inputs) -> Values:
    """Returns the values of an `InterHAt`'s own methods; of effects, if it holds an effect head."""
    found = {
        "attention": methods.attention(model, inputs),
        "rollout": methods.rolled_out_attention(model, inputs),
        "contributions": methods.contributions(with_base(model, "zero", background), inputs),
        "contributions_average": methods.contributions(
            with_base(model, "average", background), inputs
        ),
        "gradient": methods.gradient_times_input(model, inputs),
        "integrated_gradients": methods.integrated_gradients(model, inputs, background),
    }
    if model.effect_head is not None:
        found["effects"] = estimate_effects(model, inputs)["effects"]
    return found


def with_base(model: keras.Model, base: str, records: Inputs) -> keras.Model:
    """Returns an `InterHAt` of the same weights whose contributions are against a base.

    Args:
        model: The model.
        base: `"zero"`, or `"average"`: the average of the records.
        records: The records.
    """
    copy = untrained(model, contribution_base=base)
    weights = {weight.path: weight for weight in model.weights}
    for weight in copy.weights:
        if weight.path in weights:  # only one of two bases has an average record
            weight.assign(weights[weight.path])
    copy.adapt([records])
    return copy


def untrained(model: keras.Model, **changes: object) -> keras.Model:
    """Returns a model of the same arguments but for the changes, with first weights of its own."""
    return type(model).from_config({**model.get_config(), **changes})


def magnitudes(name: str, values: np.ndarray) -> np.ndarray:
    """Returns how much each field counts, in either direction."""
    return np.abs(values) if METHODS[name].signed else values
