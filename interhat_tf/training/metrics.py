"""Exact AUC and logloss, computed from the logits of all records at once."""

import numpy as np
from numpy.typing import ArrayLike


def auc(labels: ArrayLike, logits: ArrayLike) -> float:
    """Area under the ROC curve: the share of (positive, negative) pairs ranked rightly.

    Ties count half. Computed from ranks, without thresholds.

    Args:
        labels: 0 or 1 for each record, (n,).
        logits: Scores in any monotone scale, (n,).

    Returns:
        The AUC, a float.

    Raises:
        ValueError: If only one of the two labels occurs, the sizes differ, a
            label is neither 0 nor 1, or a logit is not finite.

    Example:

    >>> auc([0, 0, 1, 1], [0.1, 0.4, 0.35, 0.8])
    0.75
    """
    labels, logits = _check(labels, logits)
    _, inverse, counts = np.unique(logits, return_inverse=True, return_counts=True)
    # Mean rank, from 1, of the records that share a score.
    mean_ranks = np.cumsum(counts) - (counts - 1) / 2
    clicked = labels == 1
    positives = int(clicked.sum())
    negatives = clicked.size - positives
    if not positives or not negatives:
        raise ValueError("AUC needs records of both labels; all labels are the same")
    rank_sum = mean_ranks[inverse[clicked]].sum()
    return float((rank_sum - positives * (positives + 1) / 2) / (positives * negatives))


def logloss(labels: ArrayLike, logits: ArrayLike) -> float:
    """Mean binary cross entropy, `mean(log(1 + exp(z)) - y z)`.

    Computed from logits in double precision, so that no probability is clipped.

    Args:
        labels: 0 or 1 for each record, (n,).
        logits: Logits z, (n,).

    Returns:
        The logloss in nats, a float.

    Raises:
        ValueError: If there is no record, the sizes differ, a label is neither
            0 nor 1, or a logit is not finite.

    Example:

    >>> round(logloss([0, 1], [0.0, 0.0]), 6)
    0.693147
    """
    labels, logits = _check(labels, logits)
    return float(np.mean(np.logaddexp(0.0, logits) - labels * logits))


def _check(labels: ArrayLike, logits: ArrayLike) -> tuple[np.ndarray, np.ndarray]:
    """Returns both as float64 (n,); a diverged model must not get a number."""
    labels = np.asarray(labels, dtype="float64").ravel()
    logits = np.asarray(logits, dtype="float64").ravel()
    if labels.size != logits.size or not labels.size:
        raise ValueError(
            f"metrics need one logit for each label, got {logits.size} logits "
            f"and {labels.size} labels"
        )
    if not np.isin(labels, (0, 1)).all():
        raise ValueError("labels must be 0 or 1")
    if wrong := np.count_nonzero(~np.isfinite(logits)):
        raise ValueError(f"{wrong} of {logits.size} logits are not finite: the model has diverged")
    return labels, logits
