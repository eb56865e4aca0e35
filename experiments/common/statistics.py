"""Means, spreads and intervals over seeds."""

import statistics
from collections.abc import Sequence

import numpy as np
from scipy import stats

CONFIDENCE = 0.95


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
