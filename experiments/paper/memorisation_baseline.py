"""The memorisation baseline: what a table of the training records alone says of the test split.

It looks up what the values of two fields did in training, and knows nothing else. Where it comes
near the models, a data set rewards memory, whatever their design.
"""

import itertools
from collections.abc import Sequence
from typing import Any

import numpy as np
from scipy.special import expit, logit
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import SplineTransformer

from interhat_tf.input_pipeline.dataset import PreparedDataset
from interhat_tf.schema import CATEGORICAL
from interhat_tf.training import metrics

ROWS = 65_536
# Records of validation, at most, that the choice between pairs is made by.
CHOICE_ROWS = 50_000
# Of the piecewise linear functions, at quantiles of the records of validation.
KNOTS = 8

Records = tuple[np.ndarray, np.ndarray]
"""Ids of categorical fields, (n, C), and labels, (n,)."""


def memorisation_baseline(data: PreparedDataset) -> dict[str, Any]:
    """Predicts the test split from what the values of two fields did in training.

    Of all pairs of categorical fields the one counts whose `PairMemory` has the least logloss on
    validation. The test split is read once, for that pair.

    Returns:
        The two `fields`, and `auc` and `logloss` on the test split.

    Raises:
        ValueError: If the data set has fewer than two categorical fields.
    """
    fields = data.schema.field_names
    if len(data.schema.categorical) < 2:
        raise ValueError(f"{data.name} has fewer than two categorical fields to remember")
    memory = strongest_memory(*(read_ids(data, split) for split in ("train", "validation")))
    ids, labels = read_ids(data, "test")
    return {"fields": [fields[field] for field in memory.fields], **memory.figures(ids, labels)}


def read_ids(data: PreparedDataset, split: str) -> Records:
    """Returns the ids and the labels of a split."""
    batches = data.evaluation_batches(split, ROWS).as_numpy_iterator()
    parts = [(inputs[CATEGORICAL], labels) for inputs, labels in batches]
    ids, labels = (np.concatenate(part) for part in zip(*parts, strict=True))
    return ids.astype("int64"), labels


def strongest_memory(training: Records, validation: Records) -> "PairMemory":
    """Returns the memory of that pair of fields which has the least logloss on validation."""
    step = -(-len(validation[0]) // CHOICE_ROWS)
    some = validation[0][::step], validation[1][::step]
    ids, labels = training
    counts = [Counts(values, labels) for values in ids.T]  # of each field once, not of each pair
    least = {
        fields: PairMemory(fields, counts, training, some).figures(*some)["logloss"]
        for fields in itertools.combinations(range(len(counts)), 2)
    }
    return PairMemory(min(least, key=least.__getitem__), counts, training, validation)


class PairMemory:
    """What the values of two fields did in training, and how much that tells.

    The latter is a logistic regression on validation, piecewise linear in each of the numbers
    that are remembered; on training, where each record remembers itself, it would say too much.

    Args:
        fields: Positions of the two fields.
        counts: Those of each field in training.
        training: What is remembered.
        validation: What it tells something of.
    """

    def __init__(
        self,
        fields: tuple[int, int],
        counts: Sequence["Counts"],
        training: Records,
        validation: Records,
    ):
        ids, labels = training
        self.fields = list(fields)
        self.rate = labels.mean()
        self.values = [counts[field] for field in fields]
        self.pairs = Counts(self._pair(ids), labels)
        splines = SplineTransformer(KNOTS, degree=1, knots="quantile")
        self.model = make_pipeline(splines, LogisticRegression(max_iter=1000))
        ids, labels = validation
        self.model.fit(self.recall(ids), labels)

    def figures(self, ids: np.ndarray, labels: np.ndarray) -> dict[str, float]:
        """Returns `auc` and `logloss` on records."""
        logits = self.model.decision_function(self.recall(ids))  # (n,)
        return {"auc": metrics.auc(labels, logits), "logloss": metrics.logloss(labels, logits)}

    def recall(self, ids: np.ndarray) -> np.ndarray:
        """Returns what is remembered of records, (n, 4).

        The click rates of the two values and of the pair, as logits, and what the pair was: with
        a click (1), without one (-1), not there (0). A rate has one record besides the counted
        ones: a value's at the rate of all, a pair's at what its values say independently.
        """
        columns = [
            counts.rate(ids[:, field], self.rate)
            for field, counts in zip(self.fields, self.values, strict=True)
        ]  # two of (n,)
        independent = expit(logit(columns).sum(axis=0) - logit(self.rate))  # (n,)
        pairs = self._pair(ids)
        records, clicks = self.pairs.of(pairs)
        state = np.where(clicks > 0, 1, np.where(records > 0, -1, 0))
        rates = logit([*columns, self.pairs.rate(pairs, independent)])  # (3, n)
        return np.column_stack([*rates, state])

    def _pair(self, ids):
        """Returns the two values as one number, (n,)."""
        first, second = ids[:, self.fields].T
        return first << 32 | second


class Counts:
    """How often each value was there, and how often it was clicked.

    Args:
        values: Numbers, (n,).
        labels: 0 or 1, (n,).
    """

    def __init__(self, values: np.ndarray, labels: np.ndarray):
        self.known, places = np.unique(values, return_inverse=True)
        self.records = np.bincount(places)
        self.clicks = np.bincount(places, labels)

    def of(self, values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Returns the records and the clicks of values, 0 of one that was not there: (n,) each."""
        places = np.searchsorted(self.known, values).clip(max=len(self.known) - 1)
        found = self.known[places] == values
        return self.records[places] * found, self.clicks[places] * found

    def rate(self, values: np.ndarray, prior: float | np.ndarray) -> np.ndarray:
        """Returns the click rates of values, with one record more at the rate `prior`: (n,)."""
        records, clicks = self.of(values)
        return (clicks + prior) / (records + 1)
