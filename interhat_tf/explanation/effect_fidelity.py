"""How well an effect head's estimates agree with exact effects."""

from typing import TYPE_CHECKING, Any

import numpy as np

from interhat_tf.explanation.attributions import occlusion
from interhat_tf.explanation.interactions import field_groups, pair_effects
from interhat_tf.explanation.rank_correlation import rank_correlations
from interhat_tf.explanation.sampled_shapley import sampled_shapley_values
from interhat_tf.explanation.selection import first_records
from interhat_tf.layers import EffectHead

if TYPE_CHECKING:
    from interhat_tf.input_pipeline.dataset import PreparedDataset
    from interhat_tf.models import ClickModel

RECORDS = BACKGROUND = 128
"""Validation records whose effects are compared, and training records that these are against."""
PAIRS = 45
"""Pairs that are compared, drawn at random if there are more, whose exact effects cost too much."""

NO_EFFECT = 1e-3
"""What is no effect on a logit, for any purpose."""


def effect_fidelity(
    model: "ClickModel", head: EffectHead, data: "PreparedDataset", kind: str
) -> dict[str, Any]:
    """Compares a head's estimates with exact effects on validation records.

    Args:
        model: The model.
        head: A head that was fitted to it.
        data: The `PreparedDataset`.
        kind: `"occlusion"` or `"shapley"`.

    Returns:
        Dictionary of the `kind`; `records` and `background`, the numbers of records;
        `r2` and `rank_correlation`, as `agreement` has them; and for a head with
        pairs, `pair_r2` and `pair_rank_correlation` of so many `pairs`.
    """
    inputs = first_records(data, "validation", RECORDS)
    background = first_records(data, "train", BACKGROUND)
    described = model.describe(inputs)
    found = {k: np.asarray(v) for k, v in head(described.fields, described.summary).items()}
    if kind == "shapley":
        exact = sampled_shapley_values(model, inputs, background)
    else:
        exact = occlusion(model, inputs, background)
    rows, draws = (len(next(iter(records.values()))) for records in (inputs, background))
    fidelity = {"kind": kind, "records": rows, "background": draws}
    fidelity |= agreement(found["effects"], exact)
    if "pair_effects" not in found:
        return fidelity
    names = field_groups(model.schema, 2)
    chosen = np.random.default_rng(0).permutation(len(names))[:PAIRS]
    exact = pair_effects(model, inputs, background, [names[i] for i in chosen])
    of_pairs = agreement(found["pair_effects"][:, chosen], exact)
    of_pairs = {f"pair_{name}": value for name, value in of_pairs.items()}
    return {**fidelity, **of_pairs, "pairs": len(chosen)}


def agreement(estimated: np.ndarray, exact: np.ndarray) -> dict[str, float]:
    """Returns how well estimates agree with exact values, both (B, n).

        r2 = 1 - mean (estimated - exact)^2 / var(exact)

    over all numbers of all records, and `rank_correlation`, the mean of
    `rank_correlations` over the records. A standard deviation of exact
    effects below 0.001 counts as 0.001, so that where nothing has an effect, as no
    pair has in `LR`, an estimate of almost none is right.

    Example:

    >>> exact = np.array([[1.0, 2.0, 3.0], [0.0, 5.0, 1.0]])
    >>> agreement(exact, exact)
    {'r2': 1.0, 'rank_correlation': 1.0}
    """
    r2 = 1 - np.square(estimated - exact).mean() / max(exact.var(), NO_EFFECT**2)
    correlation = rank_correlations(estimated, exact).mean()
    return {"r2": float(r2), "rank_correlation": float(correlation)}
