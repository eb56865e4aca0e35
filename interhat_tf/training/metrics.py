"""Exact AUC and logloss, computed from the logits of all records at once."""

import numpy as np
from numpy.typing import ArrayLike

from interhat_tf.errors import DataError

ONE_LABEL = "AUC needs records of both labels with a weight above 0; here is one label alone"


def auc(labels: ArrayLike, logits: ArrayLike, sample_weight: ArrayLike | None = None) -> float:
    """Area under the ROC curve: the share of (positive, negative) pairs ranked rightly.

    Ties count half. Computed from ranks, without thresholds. With weights a pair counts
    as much as the product of its records' weights:

        sum_{i clicked, j not} w_i w_j ([z_i > z_j] + [z_i = z_j] / 2) / sum_{i, j} w_i w_j

    Args:
        labels: 0 or 1 for each record, (n,).
        logits: Scores z in any monotone scale, (n,).
        sample_weight: The records' weights w, at least 0, (n,). Defaults to `None`: all
            count the same.

    Returns:
        The AUC, a float.

    Raises:
        ValueError: If only one of the two labels occurs with a weight above 0, the sizes
            differ, a label is neither 0 nor 1, a logit is not finite, or a weight is
            negative or not finite.

    Example:

    >>> auc([0, 0, 1, 1], [0.1, 0.4, 0.35, 0.8])
    0.75
    >>> auc([0, 0, 1, 1], [0.1, 0.4, 0.35, 0.8], sample_weight=[3, 1, 1, 1])
    0.875
    """
    labels, logits = _check(labels, logits)
    if sample_weight is not None:
        return _weighted_auc(labels == 1, logits, _check_weights(sample_weight, labels.size))
    _, inverse, counts = np.unique(logits, return_inverse=True, return_counts=True)
    # Mean rank, from 1, of the records that share a score.
    mean_ranks = np.cumsum(counts) - (counts - 1) / 2
    clicked = labels == 1
    positives = int(clicked.sum())
    negatives = clicked.size - positives
    if not positives or not negatives:
        raise DataError(ONE_LABEL)
    rank_sum = mean_ranks[inverse[clicked]].sum()
    return float((rank_sum - positives * (positives + 1) / 2) / (positives * negatives))


def grouped_auc(
    labels: ArrayLike,
    logits: ArrayLike,
    groups: ArrayLike,
    sample_weight: ArrayLike | None = None,
) -> float:
    """Mean of the groups' AUCs, each counting as much as its records together.

        sum_g w_g AUC_g / sum_g w_g,   w_g = sum of w_i of the group's records

    Groups of one label have no AUC and are left out. With users as groups it tells how well
    each user's records are ranked, whatever separates the users; DIN (Zhou et al., KDD
    2018, Section 6.2) calls it so.

    Args:
        labels: 0 or 1 for each record, (n,).
        logits: Scores z in any monotone scale, (n,).
        groups: The records' groups, integers, (n,).
        sample_weight: The records' weights w, at least 0, (n,). Defaults to `None`: all
            count the same.

    Returns:
        The mean, a float.

    Raises:
        ValueError: If no group has records of both labels with a weight above 0, or as for
            `auc`.

    Example:

    >>> grouped_auc([0, 1, 0, 1, 1], [0.1, 0.2, 0.9, 0.7, 0.8], groups=[4, 4, 7, 7, 9])
    0.5
    """
    labels, logits = _check(labels, logits)
    weights = _check_weights(sample_weight, labels.size)
    names, group = np.unique(np.asarray(groups).ravel(), return_inverse=True)
    if group.size != labels.size:
        raise DataError(f"grouped_auc needs one group for each label, got {group.size}")
    order = np.lexsort((logits, group))
    group, logits, clicked = group[order], logits[order], labels[order] == 1
    # Records of a group that share a score are one place in the ranking.
    place = np.cumsum((np.diff(group, prepend=-1) != 0) | (np.diff(logits, prepend=0) != 0)) - 1
    positives = np.bincount(place, weights[order] * clicked)
    negatives = np.bincount(place, weights[order] * ~clicked)
    of_place = group[np.flatnonzero(np.diff(place, prepend=-1))]

    def sums(values: np.ndarray) -> np.ndarray:
        return np.bincount(of_place, values, minlength=len(names))

    below = _weight_below(negatives)
    before = np.cumsum(sums(negatives)) - sums(negatives)  # of all groups before one
    pairs = sums(positives) * sums(negatives)
    if not pairs.any():
        raise DataError("no group has records of both labels, which its AUC needs")
    right = sums(positives * (below - before[of_place]))[pairs > 0]
    return float(
        np.average(right / pairs[pairs > 0], weights=sums(positives + negatives)[pairs > 0])
    )


def logloss(labels: ArrayLike, logits: ArrayLike, sample_weight: ArrayLike | None = None) -> float:
    """Mean binary cross entropy, `mean(log(1 + exp(z)) - y z)`.

    Computed from logits in double precision, so that no probability is clipped. With
    weights w it is the weighted mean, `sum(w (log(1 + exp(z)) - y z)) / sum(w)`.

    Args:
        labels: 0 or 1 for each record, (n,).
        logits: Logits z, (n,).
        sample_weight: The records' weights w, at least 0, (n,). Defaults to `None`: all
            count the same.

    Returns:
        The logloss in nats, a float.

    Raises:
        ValueError: If there is no record with a weight above 0, the sizes differ, a label
            is neither 0 nor 1, a logit is not finite, or a weight is negative or not
            finite.

    Example:

    >>> round(logloss([0, 1], [0.0, 0.0]), 6)
    0.693147
    >>> round(logloss([0, 1], [-1.0, -1.0], sample_weight=[2, 1]), 6)
    0.646595
    """
    labels, logits = _check(labels, logits)
    losses = _losses(labels, logits)
    if sample_weight is None:
        return float(np.mean(losses))
    return float(np.average(losses, weights=_check_weights(sample_weight, labels.size)))


def influences(
    labels: ArrayLike, logits: ArrayLike, sample_weight: ArrayLike | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """By how much each record, as it weighs more, moves the AUC and the logloss.

        auc:      psi_i = W / W_y (s_i - AUC),  s_i = sum_{j: y_j != y_i} w_j r_ij / W_{1 - y}
        logloss:  psi_i = log(1 + exp(z_i)) - y_i z_i - logloss

    of a record with label y = y_i, where W is the weight of all records and W_y that of those
    with its label, and r_ij is 1 if the pair is ranked rightly, 1/2 at a tie, else 0. A figure's
    variance, as records are drawn, is sum_i (w_i psi_i)^2 / W^2, and of the difference of two
    models' figures for the same records it is that of the psi's difference (DeLong et al.,
    "Comparing the Areas under Two or More Correlated Receiver Operating Characteristic Curves",
    Biometrics 1988).

    Args:
        labels: 0 or 1 for each record, (n,).
        logits: Logits z, (n,).
        sample_weight: The records' weights w, at least 0, (n,). Defaults to `None`: all
            count the same.

    Returns:
        Both, (n,) each; their mean by weight is 0.

    Raises:
        ValueError: If only one of the two labels occurs with a weight above 0, or as for `auc`.

    Example:

    >>> influences([0, 0, 1, 1], [0.1, 0.4, 0.35, 0.8])[0]
    array([ 0.5, -0.5, -0.5,  0.5])
    """
    labels, logits = _check(labels, logits)
    weights = _check_weights(sample_weight, labels.size)
    place, positives, negatives = _weights_of_scores(labels == 1, logits, weights)
    below, above = _weight_below(negatives), positives.sum() - _weight_below(positives)
    right = np.where(labels == 1, below[place] / negatives.sum(), above[place] / positives.sum())
    share = np.where(labels == 1, positives.sum(), negatives.sum()) / weights.sum()
    losses = _losses(labels, logits)
    area = positives @ below / (positives.sum() * negatives.sum())
    return (right - area) / share, losses - np.average(losses, weights=weights)


def _losses(labels: np.ndarray, logits: np.ndarray) -> np.ndarray:
    return np.logaddexp(0.0, logits) - labels * logits  # (n,)


def _weighted_auc(clicked: np.ndarray, logits: np.ndarray, weights: np.ndarray) -> float:
    _, positives, negatives = _weights_of_scores(clicked, logits, weights)
    pairs = positives.sum() * negatives.sum()
    return float(positives @ _weight_below(negatives) / pairs)


def _weights_of_scores(
    clicked: np.ndarray, logits: np.ndarray, weights: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Returns each record's place among the scores, (n,), and what clicks and others weigh there.

    Raises:
        ValueError: If all that weighs has one label.
    """
    _, place = np.unique(logits, return_inverse=True)
    positives, negatives = (
        np.bincount(place, weights * of_label) for of_label in (clicked, ~clicked)
    )
    if not positives.any() or not negatives.any():
        raise DataError(ONE_LABEL)
    return place, positives, negatives


def _weight_below(weights: np.ndarray) -> np.ndarray:
    """Returns the weight below each score; what shares it counts half."""
    return np.cumsum(weights) - weights / 2


def _check(labels: ArrayLike, logits: ArrayLike) -> tuple[np.ndarray, np.ndarray]:
    """Returns both as float64 (n,); a diverged model must not get a number."""
    labels = np.asarray(labels, dtype="float64").ravel()
    logits = np.asarray(logits, dtype="float64").ravel()
    if labels.size != logits.size or not labels.size:
        raise DataError(
            f"metrics need one logit for each label, got {logits.size} logits "
            f"and {labels.size} labels"
        )
    if not np.isin(labels, (0, 1)).all():
        raise DataError("labels must be 0 or 1")
    if wrong := np.count_nonzero(~np.isfinite(logits)):
        raise DataError(f"{wrong} of {logits.size} logits are not finite: the model has diverged")
    return labels, logits


def _check_weights(sample_weight: ArrayLike | None, records: int) -> np.ndarray:
    """Returns weights as float64 (n,), ones by default."""
    if sample_weight is None:
        return np.ones(records)
    weights = np.asarray(sample_weight, dtype="float64").ravel()
    if weights.size != records:
        raise DataError(
            f"metrics need one weight for each label, got {weights.size} weights "
            f"and {records} labels"
        )
    if wrong := np.count_nonzero(~(np.isfinite(weights) & (weights >= 0))):
        raise DataError(f"{wrong} of {weights.size} weights are negative or not finite")
    if not weights.any():
        raise DataError("all weights are 0; metrics need a record that counts")
    return weights
