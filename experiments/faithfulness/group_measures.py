"""What is asked of explanations of pairs and triples of fields, and of orders."""

import dataclasses
import itertools
from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
from scipy import stats

from experiments.faithfulness.methods import Inputs, Values, with_base
from experiments.faithfulness.tree_models import TreeModel
from interhat_tf.explanation import attributions
from interhat_tf.explanation.batches import estimate_effects, explain_inputs
from interhat_tf.explanation.interactions import field_groups, pair_effects, triple_effects
from interhat_tf.explanation.orders import order_shares
from interhat_tf.explanation.shapley import shapley_interactions


@dataclasses.dataclass(frozen=True)
class GroupMethod:
    """A method of naming groups of fields, and what the page says of it."""

    title: str
    on_the_logit: bool  # whether its values are amounts of the logit
    cost: str  # predictions of a record of m fields with b background records, beside its own


PAIR_METHODS = {
    "attention": GroupMethod("attention, the product of the two weights", False, "0"),
    "contributions": GroupMethod("contributions, the product of the two sizes", False, "0"),
    "pair_effects": GroupMethod("pair effects, exact", True, "m (m + 1) / 2 · b"),
    "one_pass": GroupMethod("one-pass pair effects", True, "0"),
    "ebm": GroupMethod("EBM's pair terms", True, "0"),
    "random": GroupMethod("random", False, "0"),
}


def pair_values(
    model: keras.Model | TreeModel, inputs: Inputs, background: Inputs, seed: int
) -> Values:
    """Returns the values of all pairs of fields by each method that a model has, (B, pairs).

    The pairs are in the order of `field_groups`.
    """
    found = {"pair_effects": pair_effects(model, inputs, background)}
    if isinstance(model, TreeModel):
        if model.method == "ebm":
            found["ebm"] = model.pair_effects(inputs)
    else:
        averaged = with_base(model, "average", background)
        found["attention"] = products(attributions.attention(model, inputs))
        found["contributions"] = products(np.abs(attributions.contributions(averaged, inputs)))
        if model.effect_head is not None and model.effect_head.num_pairs:
            found["one_pass"] = estimate_effects(model, inputs)["pair_effects"]
    found["random"] = np.random.default_rng(seed).random(found["pair_effects"].shape)
    return {name: found[name].astype("float64") for name in PAIR_METHODS if name in found}


def products(values: np.ndarray) -> np.ndarray:
    """Returns the products of the values of each pair of fields, (B, pairs) of (B, m).

    Example:

    >>> products(np.array([[1.0, 2.0, 5.0]]))
    array([[ 2.,  5., 10.]])
    """
    one, other = np.triu_indices(values.shape[1], 1)
    return values[:, one] * values[:, other]


def planted_pairs(groups: Sequence[Sequence[int]]) -> set[tuple[int, int]]:
    """Returns the pairs within groups of fields' numbers, as positions from 0.

    Example:

    >>> sorted(planted_pairs([(1,), (3, 4)]))
    [(2, 3)]
    """
    pairs = itertools.chain.from_iterable(itertools.combinations(g, 2) for g in groups)
    return {(one - 1, other - 1) for one, other in pairs}


def naming(values: np.ndarray, planted: np.ndarray) -> dict[str, Any]:
    """Returns how far values of groups of fields, (B, groups), name the n that are planted.

    Args:
        values: A value a group.
        planted: Which groups are planted, (groups,).

    Returns:
        Dictionary of `found`, whether the planted ones have the largest sizes, averaged over the
        records; `precision`, the share of them among the n largest of single records; and
        `rank`, their mean rank in single records, less what it is at best, so that the best is 1.

    Example:

    >>> naming(np.array([[3.0, -4.0, 0.1], [0.0, -5.0, 7.0]]), np.array([False, True, False]))
    {'found': True, 'precision': 0.5, 'rank': 1.5}
    """
    sizes, number = np.abs(values), int(planted.sum())
    largest = np.argsort(-sizes.mean(axis=0), kind="stable")[:number]
    ranks = stats.rankdata(-sizes, axis=1)  # (B, groups); those of equal sizes are averaged
    of_planted = ranks[:, planted]  # (B, n)
    return {
        "found": bool(planted[largest].all()),
        "precision": float((of_planted <= number).mean()),
        "rank": float(of_planted.mean() - (number - 1) / 2),
    }


def against_coalitions(name: str, values: np.ndarray, exact: np.ndarray) -> dict[str, float]:
    """Returns how far a method's values of pairs agree with exact ones, both (B, pairs).

    That is Kendall's `tau` of their sizes, the mean over the records, and `r2` of the values, of
    a method that gives amounts of the logit.
    """
    taus = [
        stats.kendalltau(np.abs(own), np.abs(others)).statistic
        for own, others in zip(values, exact, strict=True)
    ]
    found = {"tau": float(np.nan_to_num(taus).mean())}
    if PAIR_METHODS[name].on_the_logit:
        found["r2"] = float(1 - np.square(values - exact).mean() / exact.var())
    return found


def precision_of_first(number: int, values: np.ndarray, exact: np.ndarray) -> float:
    """Returns the share of a record's first pairs that are among as many exact ones, its mean.

    Example:

    >>> precision_of_first(2, np.array([[3.0, 0.1, -2.0]]), np.array([[1.0, -5.0, 2.0]]))
    0.5
    """
    firsts = [np.argsort(-np.abs(v), axis=1, kind="stable")[:, :number] for v in (values, exact)]
    common = [len(set(one) & set(other)) for one, other in zip(*firsts, strict=True)]
    return float(np.mean(common) / number)


def exact_interactions(model: keras.Model, inputs: Inputs, background: Inputs) -> np.ndarray:
    """Returns the Shapley interactions of all pairs, exact over all coalitions, (B, pairs)."""
    found = shapley_interactions(model, inputs, background)
    return np.stack([found[pair] for pair in field_groups(model.schema, 2)], axis=1)


def triples_found(
    model: keras.Model | TreeModel, inputs: Inputs, background: Inputs, group: Sequence[int]
) -> dict[str, Any]:
    """Returns how far exact triple effects name a planted triple of fields' numbers."""
    names = [model.schema.field_names[number - 1] for number in group]
    planted = np.array([g == tuple(names) for g in field_groups(model.schema, 3)])
    return naming(triple_effects(model, inputs, background), planted)


def orders_of(model: keras.Model | TreeModel, inputs: Inputs, donors: Inputs) -> dict[str, Any]:
    """Returns the orders that are named: their `shares`, and an InterHAt's mean `alpha_f`."""
    found = {"shares": order_shares(model, inputs, donors, pooled=True).round(4).tolist()}
    if hasattr(model, "explain"):
        weights = explain_inputs(model, inputs)["order_weights"].mean(axis=0)  # (k,)
        found["alpha_f"] = weights.astype("float64").round(4).tolist()
    return found
