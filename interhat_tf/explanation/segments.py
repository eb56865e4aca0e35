"""What a model looks at over a whole data set, and how that differs between its segments."""

import collections
import dataclasses
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

import keras
import numpy as np

from interhat_tf.errors import SettingError
from interhat_tf.explanation.batches import explain_batches
from interhat_tf.explanation.explanation import Explanation
from interhat_tf.explanation.selection import Condition, matches

if TYPE_CHECKING:
    import pandas as pd


@dataclasses.dataclass(frozen=True, eq=False)
class SegmentExplanation:
    """The mean explanation of a segment's records.

    Args:
        field_names: Names of the m fields in the model's order.
        records: Number of records.
        probability: Mean predicted probability of a click, calibrated if the model is.
        order_weights: Mean alpha_f, (k,).
        field_weights: Mean alpha_1 ... alpha_k, (k, m).
        contributions: Mean share of each field in the logit in each order, (k, m).
        strengths: Mean absolute share, (k, m): fields that raise as often as
            they lower do not cancel here.
        dominating: Share of the records in which each order has the most weight, (k,).
        sets: For each interaction set of the order with the most weight in a record, as
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

    def most_frequent_sets(self, number: int = 10) -> list[tuple[tuple[str, ...], float]]:
        """Returns the most frequent interaction sets and the share of the records they have.

        Fields of a set are in the order of the schema, whichever was heavier.

        Args:
            number: How many sets are returned at most. Defaults to 10.
        """
        return [(fields, count / self.records) for fields, count in self.sets.most_common(number)]

    def to_frame(self) -> "pd.DataFrame":
        """Returns a `pandas.DataFrame` with a row for each order and field."""
        import pandas as pd

        k, m = self.field_weights.shape
        order, field = (indices.ravel() for indices in np.indices((k, m)))
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


def explain_globally(
    model: keras.Model,
    batches: Iterable[Any],
    segments: Mapping[str, Condition | None] | None = None,
) -> dict[str, SegmentExplanation]:
    """Averages a model's explanations over a data set, segment by segment.

    Args:
        model: An `InterHAt`, or another model with `schema` and such an `explain`.
        batches: Batches of records, as for `select_records`; read once, and
            never held in memory together.
        segments: Dictionary from a segment's name to its `Condition`, such as
            `where` makes, or to `None` for all records. Segments may overlap.
            Defaults to one, `"all"`.

    Returns:
        Dictionary from the segments' names to their `SegmentExplanation`s.

    Raises:
        ValueError: If a segment has no record, or a condition does not return a
            boolean mask, or contributions are against an average record that the
            model was not given.

    Example:

    >>> from interhat_tf import Field, InterHAt, Schema
    >>> from interhat_tf.explanation import where
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
        parts: dict[str, Any] = {**explained, "calibration": getattr(model, "calibration", None)}
        explanation = Explanation(model.schema.field_names, values, **parts)
        for name, condition in segments.items():
            if condition is None:
                sums[name].add(explanation)
            elif (mask := matches(condition, inputs)).any():
                sums[name].add(explanation[mask])
    for name, segment in sums.items():
        if not segment.records:
            raise SettingError(f"no record is in the segment {name!r}")
    return {name: segment.means(model.schema.field_names) for name, segment in sums.items()}


def largest_differences(
    one: SegmentExplanation, other: SegmentExplanation, number: int = 10
) -> list[tuple[str, int, float]]:
    """Returns the fields whose mean contribution differs most between two segments.

    Args:
        one: A `SegmentExplanation`.
        other: Another one, of the same model.
        number: How many pairs of a field and an order are returned. Defaults to
            10.

    Returns:
        Tuples of a field, an order, and the mean contribution in `one` less
        that in `other`, the largest first.
    """
    difference = one.contributions - other.contributions  # (k, m)
    largest = np.argsort(-np.abs(difference), axis=None, kind="stable")[:number]
    orders, fields = np.unravel_index(largest, difference.shape)
    return [
        (one.field_names[field], int(order) + 1, float(difference[order, field]))
        for order, field in zip(orders, fields, strict=True)
    ]


class _Sums:
    """Sums over the records of a segment."""

    def __init__(self) -> None:
        self.records = 0
        self.sums: dict[str, Any] = {}
        self.sets: collections.Counter = collections.Counter()

    def add(self, explanation: Explanation) -> None:
        """Adds records."""
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
        position = {name: column for column, name in enumerate(explanation.field_names)}
        for of_record, heaviest in zip(explanation.interaction_sets(), order, strict=True):
            self.sets[tuple(sorted(of_record[heaviest], key=position.__getitem__))] += 1
        self.records += len(explanation)

    def means(self, field_names: tuple[str, ...]) -> SegmentExplanation:
        """Returns the means over the records that were added."""
        means = {name: total / self.records for name, total in self.sums.items()}
        means["probability"] = float(means["probability"])
        return SegmentExplanation(field_names, self.records, sets=self.sets, **means)
