"""Spearman's rank correlation of records' numbers."""

import numpy as np


def rank_correlations(values: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Returns Spearman's rank correlation of each row of two arrays, (B,).

    Equal values share the mean of their ranks. A row whose values are all equal has no
    order: with a row that has one it correlates by 0, with another without by 1.

    Args:
        values: A row of numbers for each record, (B, m).
        others: As many others, (B, m).

    Example:

    >>> rank_correlations(np.array([[3.0, 2.0, 1.0]]), np.array([[9.0, 1.0, 4.0]]))
    array([0.5])
    """
    a, b = _centred_ranks(values), _centred_ranks(others)  # (B, m)
    a2, b2 = np.square(a).sum(axis=1), np.square(b).sum(axis=1)  # (B,)
    scale = np.sqrt(a2 * b2)
    without = (a2 == 0) & (b2 == 0)
    return np.where(without, 1.0, (a * b).sum(axis=1) / np.where(scale > 0, scale, 1))


def _centred_ranks(values: np.ndarray) -> np.ndarray:
    """Returns the ranks of each row's values, less their mean, (B, m)."""
    order = np.sort(values, axis=1)  # (B, m)
    below, upto = (
        np.stack([np.searchsorted(row, own, side) for row, own in zip(order, values, strict=True)])
        for side in ("left", "right")
    )  # (B, m) each
    return (below + upto - values.shape[1]) / 2
