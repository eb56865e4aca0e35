"""What there is to know of a model before single records: how good it is, and by which fields."""

import dataclasses
import math
from typing import TYPE_CHECKING, Any

import numpy as np

from interhat_tf.calibration import model_probability
from interhat_tf.explanation.importance import BACKGROUND, Importance, feature_importance
from interhat_tf.explanation.json_data import rounded
from interhat_tf.input_pipeline.dataset import PreparedDataset
from interhat_tf.training import metrics
from interhat_tf.training.calibrating import calibration_figures
from interhat_tf.training.evaluation import predict_weighted
from interhat_tf.training.observed_rates import Reliability, wilson_interval

if TYPE_CHECKING:
    from interhat_tf.models import ClickModel

RECORDS = 100_000
IMPORTANCE_RECORDS = 200
PAIRED_FIELDS = 4
"""The strongest fields, whose pairs are measured: six pairs."""

SHOWN = 12


@dataclasses.dataclass(frozen=True, eq=False)
class Overview:
    """How good a model is on a split, and by which fields; made by `model_overview`.

    Args:
        about: Which records it is about.
        figures: Names and values of what was measured: `auc`, `logloss`.
        reliability: Whether the probabilities come true as often as they say.
        importance: How far fields, and pairs, move the logit; `None` if that is not
            known.
    """

    about: str
    figures: dict[str, float]
    reliability: Reliability
    importance: Importance | None

    def to_dict(self) -> dict[str, Any]:
        """Returns what the page shows of it, as what JSON can hold."""
        one = self.reliability
        low, high = wilson_interval(one.observed, one.records)
        bins = {"predicted": one.predicted, "observed": one.observed, "low": low, "high": high}
        figures = {
            **self.figures,
            "base_rate": one.base_rate,
            "ratio": one.ratio,
            "expected_calibration_error": one.expected_calibration_error,
        }
        return {
            "about": self.about,
            "figures": {name: x if math.isfinite(x) else None for name, x in figures.items()},
            # Of records that have weights, of equal ones that would tell as much.
            "clicks": float(one.records @ one.observed),
            "reliability": {name: rounded(values) for name, values in bins.items()},
            "importance": self._bars("field"),
            "pairs": self._bars("pair"),
            "of_importance": self._of_importance(),
        }

    def _bars(self, kind: str) -> list[dict[str, Any]]:
        if self.importance is None:
            return []
        frame = self.importance.to_frame()
        shown = frame[frame.kind == kind].head(SHOWN)
        return shown[["fields", "strength", "mean"]].to_dict("records")

    def _of_importance(self) -> str:
        found = self.importance
        return "" if found is None else f"Of {found.records:,} records. {found.about}"


def model_overview(
    model: "ClickModel",
    data: "PreparedDataset",
    split: str = "test",
    background: int = BACKGROUND,
) -> Overview:
    """Returns how good a model is on a split, and by which fields.

    AUC, logloss and calibration are of the split's first 100,000 records, or a few more;
    their order is random. The importance is of 200 of them.

    Args:
        model: Any model of the package.
        data: The `PreparedDataset`.
        split: The split. Defaults to `"test"`.
        background: Training records that exact effects are against. Defaults to 32; 0
            is for those that the model estimates, if it does.

    Example:

        overview = model_overview(model, data)
        explanation.to_html("explanations.html", overview=overview)
    """
    labels, logits, weights = predict_weighted(model, data, split, records=RECORDS)
    of = f"the first {len(labels):,} of " if len(labels) < data.num_rows(split) else ""
    clicked, probabilities = np.unique(labels), model_probability(model, logits)
    if model.calibration:
        loss = calibration_figures(labels, probabilities, weights)["logloss"]
    else:
        loss = metrics.logloss(labels, logits, weights)
    return Overview(
        f"{of}{data.num_rows(split):,} records of {data.name}, {split}",
        {
            **({"auc": metrics.auc(labels, logits, weights)} if len(clicked) == 2 else {}),
            "logloss": loss,
        },
        Reliability.of(labels, probabilities, sample_weight=weights),
        _importance(model, data, split, background),
    )


def _importance(
    model: "ClickModel", data: "PreparedDataset", split: str, background: int
) -> Importance | None:
    head = model.effect_head
    if not background and head is None:
        return None
    with_pairs = background or (head is not None and head.num_pairs)
    paired = bool(with_pairs) and len(data.schema.record_fields) > 1
    return feature_importance(
        model,
        data,
        split,
        records=IMPORTANCE_RECORDS,
        background=background,
        pairs=PAIRED_FIELDS if paired else 0,
    )
