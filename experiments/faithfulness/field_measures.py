"""What is asked of explanations that give each field of a record a value."""

import dataclasses
import itertools
from collections.abc import Callable, Sequence

import keras
import numpy as np

from experiments.faithfulness.methods import (
    METHODS,
    Inputs,
    Values,
    attributions,
    magnitudes,
    untrained,
)
from experiments.faithfulness.tree_models import TreeModel
from interhat_tf.calibration import probability
from interhat_tf.explanation.attributions import occlusion
from interhat_tf.explanation.batches import predict
from interhat_tf.explanation.field_sets import mean_logits
from interhat_tf.explanation.rank_correlation import rank_correlations


@dataclasses.dataclass(frozen=True)
class Backgrounds:
    """Records whose values take the place of others.

    Args:
        own: Those that the methods are given.
        other: As many others, to see what becomes of the explanations.
        exact: More others, that exact effects are against.
    """

    own: Inputs
    other: Inputs
    exact: Inputs


@dataclasses.dataclass(frozen=True)
class Explained:
    """A model's explanations of some records, and what they are compared with.

    Args:
        values: By each method, (B, m).
        other: The same against other background records.
        untrained: The same of a model of the same form with its first weights; none of trees.
        curves: Each method's `curves_of`.
        effects: The exact effects of the fields, (B, m).
        side: 1 where the model says more than of the background, else -1, (B,).
    """

    values: Values
    other: Values
    untrained: Values
    curves: dict[str, dict[str, np.ndarray]]
    effects: np.ndarray
    side: np.ndarray


def explain(
    model: keras.Model | TreeModel,
    inputs: Inputs,
    backgrounds: Backgrounds,
    seed: int,
    attribute: Callable[..., Values] = attributions,
) -> Explained:
    """Explains records by all methods that a model has.

    Args:
        model: The model.
        inputs: The records.
        backgrounds: What explanations and exact effects are against.
        seed: Seed of what is random.
        attribute: Called as `attribute(model, inputs, background, seed)`.
    """
    # Other seeds for other explanations, so that what is random is so.
    values = attribute(model, inputs, backgrounds.own, seed)
    of_untrained = {}
    if not isinstance(model, TreeModel):
        keras.utils.set_random_seed(seed)
        of_untrained = attribute(untrained(model), inputs, backgrounds.own, seed + 2000)
    start = predict(model, backgrounds.exact).mean()
    return Explained(
        values=values,
        other=attribute(model, inputs, backgrounds.other, seed + 1000),
        untrained=of_untrained,
        curves=curves_of(model, inputs, backgrounds.own, values),
        effects=occlusion(model, inputs, backgrounds.exact),
        side=np.where(predict(model, inputs) >= start, 1.0, -1.0),
    )


def measures(name: str, explained: Explained) -> dict[str, float]:
    """Returns what is measured of a method, means over the records.

    Returns:
        Dictionary of the areas under `deletion` and `insertion`; the rank correlations of the
        sizes of the values with the sizes of the exact `effects`, with those against other
        `background` records, and, if there is one, with those of an `untrained` model, by its
        size, which a method that explains the model would have near 0; and `wrong_signs`.
    """
    values, effects = explained.values[name], explained.effects
    sizes = magnitudes(name, values)
    found = {kind: float(curve.mean()) for kind, curve in explained.curves[name].items()}
    others = {"effects": np.abs(effects), "background": magnitudes(name, explained.other[name])}
    found |= {key: float(rank_correlations(sizes, v).mean()) for key, v in others.items()}
    if name in explained.untrained:
        correlations = rank_correlations(sizes, magnitudes(name, explained.untrained[name]))
        found["untrained"] = float(np.abs(correlations).mean())
    claimed = values if METHODS[name].signed else explained.side[:, np.newaxis] * sizes
    return {**found, "wrong_signs": wrong_signs(sizes, claimed, effects)}


def wrong_signs(sizes: np.ndarray, claimed: np.ndarray, effects: np.ndarray) -> float:
    """Returns in what share of the records the first field does the opposite of what is said.

    That is the faithfulness violation of Liu et al. (ICML 2022): of the field of the largest
    size, the sign that is claimed is not that of its exact effect. A method without signs claims
    that fields support the prediction.

    Args:
        sizes: How much each field counts, (B, m).
        claimed: With a sign, (B, m).
        effects: The exact effects, (B, m).

    Example:

    >>> sizes = np.array([[3.0, 1.0], [1.0, 2.0]])
    >>> wrong_signs(sizes, np.array([[3.0, 1.0], [1.0, -2.0]]), np.array([[0.4, -1], [1, 0.1]]))
    0.5
    """
    first = sizes.argmax(axis=1)[:, np.newaxis]  # (B, 1)
    products = np.take_along_axis(claimed * effects, first, axis=1)  # (B, 1)
    return float((products < 0).mean())


def curves_of(
    model: keras.Model | TreeModel, inputs: Inputs, background: Inputs, attributed: Values
) -> dict[str, dict[str, np.ndarray]]:
    """Returns the deletion and the insertion curve of every method, (m + 1,) each.

    A curve is the mean over the records of the share that is left of the
    prediction: 1 is the probability of the whole record, 0 that of the
    background, both averaged over the records towards their own side.
    """
    start = probability(predict(model, background)).mean()
    whole = probability(predict(model, inputs))  # (B,)
    side = np.where(whole >= start, 1.0, -1.0)  # (B,)
    total = (side * (whole - start)).mean()
    found = {}
    for name, values in attributed.items():
        support = side[:, np.newaxis] * values if METHODS[name].signed else values
        order = np.argsort(-support, axis=1, kind="stable")  # (B, m)
        ranks = np.argsort(order, axis=1)[:, np.newaxis]  # 0 for what supports most, (B, 1, m)
        steps = np.arange(values.shape[1] + 1)[:, np.newaxis]  # (m + 1, 1)
        found[name] = {}
        for kind, removed in (("deletion", ranks < steps), ("insertion", ranks >= steps)):
            left = mean_logits(model, inputs, background, removed, probability)  # (B, m + 1)
            found[name][kind] = (side @ (left - start)) / len(side) / total  # (m + 1,)
    return found


def agreement(values: Sequence[np.ndarray]) -> dict[str, float]:
    """Returns how far the explanations of different models agree on the same records.

    That is the mean over records and pairs of models of Spearman's rank `correlation`, and of
    whether the same field is the `first`. Values are (B, m) for each model.

    Example:

    >>> one, other = np.array([[3.0, 2.0, 1.0]]), np.array([[9.0, 1.0, 4.0]])
    >>> agreement([one, other])
    {'correlation': 0.5, 'first': 1.0}
    """
    pairs = list(itertools.combinations(values, 2))
    correlations = [rank_correlations(one, other).mean() for one, other in pairs]
    firsts = [(one.argmax(axis=1) == other.argmax(axis=1)).mean() for one, other in pairs]
    return {"correlation": float(np.mean(correlations)), "first": float(np.mean(firsts))}
