"""What a model looks at over a whole data set, and how that differs between its segments."""

import collections
import dataclasses

import numpy as np

from interhat_tf.explanation.batches import explain_batches
from interhat_tf.explanation.explanation import Explanation


@dataclasses.dataclass(frozen=True, eq=False)
class SegmentExplanation:
    """The mean explanation of a segment's records.

    Args:
        field_names: Names of the m fields in the model's order.
        records: Number of records.
        probability: Mean predicted probability of a click.
        order_weights: Mean alpha_f, (k,).
        field_weights: Mean alpha_1 ... alpha_k, (k, m).
        contributions: Mean share of each field in the logit in each order, (k, m).
        strengths: Mean absolute share, (k, m): fields that raise as often as
            they lower do not cancel here.
        dominating: Share of the records that each order dominates, (k,).
        sets: For each interaction set of a record's dominating order, as
            `Explanation.interaction_sets` has it, the number of its records.
    """

    field_names: tuple[str, ...]
    records: int
    probability: float
    order_weights: np.ndarray
    field_weights: np.ndarray
    contributions: np.ndarray
    strengths: np.ndarray
    dominating: np.ndarray
    sets: collections.Counter

    def most_frequent_sets(self, number=10):
        """Returns the most frequent interaction sets and the share of the records they have.

        Fields of a set are in the order of the schema, whichever was heavier.
        """
        return [(fields, count / self.records) for fields, count in self.sets.most_common(number)]

    def to_frame(self):
        """Returns a `pandas.DataFrame` with a row for each order and field."""
        import pandas as pd

        k, m = self.field_weights.shape
        order, field = (places.ravel() for places in np.indices((k, m)))
        return pd.DataFrame(
            {
                "order": order + 1,
                "field": np.array(self.field_names, object)[field],
                "order_weight": self.order_weights[order],
                "field_weight": self.field_weights.ravel(),
                "contribution": self.contributions.ravel(),
                "strength": self.strengths.ravel(),
            }
        )


def explain_globally(model, batches, segments=None):
    """Averages a model's explanations over a data set, segment by segment.

    Args:
        model: An `InterHAt`, or another model with `schema` and such an `explain`.
        batches: Batches of records, as for `attention.select_records`; read once,
            and never held in memory together.
        segments: Dictionary from a segment's name to a condition, as for
            `attention.select_records`; `None` is all records. Segments may
            overlap. Defaults to one, `"all"`.

    Returns:
        Dictionary from the segments' names to their `SegmentExplanation`s.

    Raises:
        ValueError: If a segment has no record.

    Example:

    >>> from interhat_tf import Field, InterHAt, Schema
    >>> from interhat_tf.explanation.batches import where
    >>> schema = Schema([Field("user", "categorical", 9), Field("app", "categorical", 3)])
    >>> batch = {"categorical": np.array([[4, 1], [2, 2], [5, 1]])}
    >>> segments = {"all": None, "app 1": where(schema, app=1)}
    >>> found = explain_globally(InterHAt(schema, order=2), [batch], segments)
    >>> {name: segment.records for name, segment in found.items()}
    {'all': 3, 'app 1': 2}
    """
    segments = {"all": None} if segments is None else segments
    sums = {name: _Sums() for name in segments}
    for inputs, explained in explain_batches(model, batches):
        rows = len(explained["logits"])
        values = np.empty((rows, len(model.schema.fields)), object)
        explanation = Explanation(model.schema.field_names, values, **explained)
        for name, condition in segments.items():
            mask = np.ones(rows, bool) if condition is None else np.asarray(condition(inputs))
            if mask.any():
                sums[name].add(explanation[mask])
    for name, segment in sums.items():
        if not segment.records:
            raise ValueError(f"no record is in the segment {name!r}")
    return {name: segment.means(model.schema.field_names) for name, segment in sums.items()}


def largest_differences(one, other, number=10):
    """Returns the fields whose mean contribution differs most between two segments.

    Args:
        one: A `SegmentExplanation`.
        other: Another one, of the same model.
        number: Number of fields and orders that are returned.

    Returns:
        Tuples of a field, an order, and the mean contribution in `one` less
        that in `other`, the largest first.
    """
    difference = one.contributions - other.contributions  # (k, m)
    places = np.argsort(-np.abs(difference), axis=None, kind="stable")[:number]
    orders, fields = np.unravel_index(places, difference.shape)
    return [
        (one.field_names[field], int(order) + 1, float(difference[order, field]))
        for order, field in zip(orders, fields, strict=True)
    ]


class _Sums:
    """Sums over the records of a segment."""

    def __init__(self):
        self.records, self.sums, self.sets = 0, {}, collections.Counter()

    def add(self, explanation):
        order = explanation.order_weights.argmax(axis=1)  # (B,)
        k = explanation.order_weights.shape[1]
        quantities = {
            "probability": explanation.probabilities,
            "order_weights": explanation.order_weights,
            "field_weights": explanation.field_weights,
            "contributions": explanation.contributions,
            "strengths": np.abs(explanation.contributions),
            "dominating": np.eye(k)[order],  # (B, k)
        }
        for name, values in quantities.items():
            total = np.asarray(values, "float64").sum(axis=0)
            self.sums[name] = self.sums.get(name, 0) + total
        position = {name: place for place, name in enumerate(explanation.field_names)}
        for of_record, dominating in zip(explanation.interaction_sets(), order, strict=True):
            self.sets[tuple(sorted(of_record[dominating], key=position.get))] += 1
        self.records += len(explanation)

    def means(self, field_names):
        means = {name: total / self.records for name, total in self.sums.items()}
        means["probability"] = float(means["probability"])
        return SegmentExplanation(field_names, self.records, sets=self.sets, **means)
