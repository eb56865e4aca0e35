"""Means, spreads and intervals over seeds."""

import statistics
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from scipy import stats

CONFIDENCE = 0.95
METRICS = ("auc", "logloss")


def mean_and_std(values: Sequence[float]) -> dict[str, float]:
    """Returns the mean and the sample standard deviation of values (0 for a single one)."""
    return {
        "mean": statistics.fmean(values),
        "std": statistics.stdev(values) if len(values) > 1 else 0.0,
    }


def paired_difference(values: Sequence[float], others: Sequence[float]) -> dict[str, float | None]:
    """Returns the mean of `values - others`, run by run, and its Student confidence interval.

    A single run has none.

    Example:

    >>> found = paired_difference([0.9, 0.8, 0.85], [0.8, 0.7, 0.75])
    >>> round(found["mean"], 6), round(found["low"], 6)
    (0.1, 0.1)
    """
    differences = np.subtract(values, others)
    mean = float(differences.mean())
    if len(differences) < 2:
        return {"mean": mean, "low": None, "high": None}
    quantile = stats.t.ppf(0.5 + CONFIDENCE / 2, len(differences) - 1)
    margin = float(quantile * differences.std(ddof=1) / np.sqrt(len(differences)))
    return {"mean": mean, "low": mean - margin, "high": mean + margin}


def leads(rows: Mapping[str, dict[str, Any]], reference: str) -> dict[str, dict[str, Any]]:
    """Returns how much the reference's test figures exceed each other row's, paired by seed.

    Args:
        rows: Dictionary from a name to a row of `summarise`. Two rows are compared on the seeds
            that both have, by the figures that both have.
        reference: One of the names; without such a row nothing is compared.
    """
    by_seed = {
        name: {run["seed"]: run["test"] for run in row["runs"]} for name, row in rows.items()
    }
    reference_of = by_seed.get(reference, {})
    common = {name: sorted(runs.keys() & reference_of) for name, runs in by_seed.items()}
    return {
        name: {
            metric: paired_difference(
                [reference_of[seed][metric] for seed in seeds],
                [by_seed[name][seed][metric] for seed in seeds],
            )
            for metric in reference_of[seeds[0]]
            if metric in by_seed[name][seeds[0]]
        }
        for name, seeds in common.items()
        if name != reference and seeds
    }


def mean_interval(values: Sequence[float]) -> dict[str, float | None]:
    """Returns the mean of values and its Student confidence interval; of one value there is none.

    Example:

    >>> mean_interval([1.0, 1.0])
    {'mean': 1.0, 'low': 1.0, 'high': 1.0}
    """
    return paired_difference(values, np.zeros(len(values)).tolist())


def share_interval(found: Sequence[bool]) -> dict[str, float]:
    """Returns how many are true, of how many, and the Wilson confidence interval of the share.

    Example:

    >>> row = share_interval([True] * 19 + [False])
    >>> row["found"], row["of"], round(row["low"], 2), round(row["high"], 2)
    (19, 20, 0.76, 0.99)
    """
    wilson = stats.binomtest(sum(found), len(found)).proportion_ci(CONFIDENCE, method="wilson")
    low, high = float(wilson.low), float(wilson.high)
    return {"found": sum(found), "of": len(found), "low": low, "high": high}
