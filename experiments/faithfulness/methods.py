"""The explanations that are compared: for each record, one value a field."""

import dataclasses

import keras
import numpy as np
import shap

from interhat_tf.explanation import attributions as methods
from interhat_tf.explanation.batches import predict
from interhat_tf.schema import CATEGORICAL, NUMERICAL

Inputs = dict[str, np.ndarray]


@dataclasses.dataclass(frozen=True)
class Method:
    """A method, and what the page says of it."""

    title: str
    signed: bool  # whether what raises the logit is positive, what lowers it negative
    cost: str  # predictions of a record of m fields with b background records, beside its own


METHODS = {
    "attention": Method("attention, weighted by α_f", False, "0"),
    "rollout": Method("attention, rolled out through the heads", False, "0"),
    "contributions": Method("signed contributions", True, "0"),
    "gradient": Method("gradient × input", True, "1 with its gradient"),
    "integrated_gradients": Method("integrated gradients, 32 steps", True, "32 with gradients"),
    "occlusion": Method("occlusion", True, "m · b"),
    "shap": Method("SHAP, permutations", True, "2m · b"),
    "random": Method("random", False, "0"),
}


def attributions(
    model: keras.Model, inputs: Inputs, background: Inputs, seed: int
) -> dict[str, np.ndarray]:
    """Returns the values of every method in `METHODS` for an `InterHAt`, (B, m) each.

    Other values of a field are taken from the background's records.
    """
    shape = len(next(iter(inputs.values()))), len(model.schema.fields)
    found = {
        "attention": methods.attention(model, inputs),
        "rollout": methods.rolled_out_attention(model, inputs),
        "contributions": methods.contributions(model, inputs),
        "gradient": methods.gradient_times_input(model, inputs),
        "integrated_gradients": methods.integrated_gradients(model, inputs, background),
        "occlusion": methods.occlusion(model, inputs, background),
        "shap": shap_values(model, inputs, background, seed),
        "random": np.random.default_rng(seed).random(shape),
    }
    return {name: found[name].astype("float64") for name in METHODS}


def shap_values(model: keras.Model, inputs: Inputs, background: Inputs, seed: int) -> np.ndarray:
    """Returns SHAP's estimate of Shapley values from one permutation and its reverse, (B, m)."""
    columns = len(model.schema.categorical)

    def matrix(given):
        kinds = [kind for kind in (CATEGORICAL, NUMERICAL) if kind in given]
        return np.concatenate([given[kind] for kind in kinds], axis=1)  # (B, m)

    def logits(rows):
        split = {CATEGORICAL: rows[:, :columns].astype("int32"), NUMERICAL: rows[:, columns:]}
        return predict(model, {kind: split[kind] for kind in inputs})

    others = matrix(background)
    explainer = shap.PermutationExplainer(
        logits, shap.maskers.Independent(others, max_samples=len(others)), seed=seed
    )
    evaluations = 2 * others.shape[1] + 1
    return explainer(matrix(inputs), max_evals=evaluations, silent=True).values


def magnitudes(name: str, values: np.ndarray) -> np.ndarray:
    """Returns how much each field counts, in either direction."""
    return np.abs(values) if METHODS[name].signed else values
