"""Whether probabilities come true as often as they say: over all records, and by field value."""

import dataclasses
import os
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import keras
import numpy as np
from numpy.typing import ArrayLike

from interhat_tf.calibration import model_probability
from interhat_tf.errors import DataError, SettingError
from interhat_tf.input_pipeline.dataset import PreparedDataset
from interhat_tf.input_pipeline.raw_values import names_of_ids
from interhat_tf.schema import CATEGORICAL
from interhat_tf.training.evaluation import predict_weighted
from interhat_tf.utils.files import save_png

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

BINS = 20


@dataclasses.dataclass(frozen=True, eq=False)
class Reliability:
    """What probabilities say and what comes of it, in bins of equally many records.

    Args:
        predicted: Mean probability of each bin, (bins,), the lowest first.
        observed: Share of each bin's records that were clicked on, (bins,).
        records: Number of each bin's records, (bins,). Of records that have weights w, of
            equal ones that would tell as much: (sum w)^2 / sum w^2.
        weights: Sum of the weights of each bin's records, which are 1 if they have none,
            (bins,).
    """

    predicted: np.ndarray
    observed: np.ndarray
    records: np.ndarray
    weights: np.ndarray

    @classmethod
    def of(
        cls,
        labels: ArrayLike,
        probabilities: ArrayLike,
        bins: int = BINS,
        sample_weight: ArrayLike | None = None,
    ) -> "Reliability":
        """Returns the reliability of probabilities.

        Args:
            labels: 0 or 1 of each record, (n,).
            probabilities: The probabilities, (n,).
            bins: Number of bins, fewer if there are fewer records. Defaults to 20.
            sample_weight: The records' weights, at least 0, (n,), which means and shares
                go by. Defaults to `None`: all count the same.

        Raises:
            ValueError: If there is no record, the sizes differ, a label is neither 0
                nor 1, or a probability is not in [0, 1].

        Example:

        >>> found = Reliability.of([0, 0, 0, 1], [0.1, 0.1, 0.4, 0.6], bins=2)
        >>> found.observed.tolist(), found.predicted.tolist()
        ([0.0, 0.5], [0.1, 0.5])
        >>> round(found.expected_calibration_error, 3), round(found.ratio, 3)
        (0.05, 1.2)
        """
        y, p = np.asarray(labels, "float64").ravel(), np.asarray(probabilities, "float64").ravel()
        if len(y) != len(p) or not len(y):
            raise DataError(f"needs a probability for each label, got {len(p)} and {len(y)}")
        if not np.isin(y, (0, 1)).all():
            raise DataError("labels must be 0 or 1")
        if not ((p >= 0) & (p <= 1)).all():
            raise DataError("a probability must be in [0, 1]")
        w = np.ones_like(y) if sample_weight is None else np.asarray(sample_weight, "float64")
        if w.size != len(y):
            raise DataError(f"needs a weight for each label, got {w.size} and {len(y)}")
        w = w.ravel()
        y, p, w = y[w > 0], p[w > 0], w[w > 0]
        parts = np.array_split(np.argsort(p, kind="stable"), min(bins, len(p)))
        weights = np.array([w[part].sum() for part in parts])
        predicted, observed = (
            np.array([np.average(values[part], weights=w[part]) for part in parts])
            for values in (p, y)
        )
        records = weights**2 / np.array([np.square(w[part]).sum() for part in parts])
        return cls(predicted, observed, records, weights)

    @property
    def expected_calibration_error(self) -> float:
        """The mean of |predicted - observed| over the bins, weighted by their weights."""
        difference = np.abs(self.predicted - self.observed)
        return float(np.average(difference, weights=self.weights))

    @property
    def ratio(self) -> float:
        """Predicted over observed clicks: above 1 if too many are predicted; infinite for none."""
        clicks = float(self.weights @ self.observed)
        return float(self.weights @ self.predicted) / clicks if clicks else float("inf")

    @property
    def base_rate(self) -> float:
        """Share of all records that were clicked on."""
        return float(np.average(self.observed, weights=self.weights))

    def to_dict(self) -> dict[str, Any]:
        """Returns the figures and the bins as what JSON can hold."""
        return {
            "expected_calibration_error": self.expected_calibration_error,
            "ratio": self.ratio,
            "base_rate": self.base_rate,
            **{name: values.tolist() for name, values in dataclasses.asdict(self).items()},
        }

    def plot(self, path: str | os.PathLike | None = None, title: str = "") -> "Figure":
        """Draws observed against predicted shares, with 95% intervals; see `plot_reliability`.

        Args:
            path: A PNG file to write as well. Defaults to `None`: none.
            title: Title of the picture.
        """
        return plot_reliability({"": self}, path, title)


def plot_reliability(
    found: dict[str, Reliability], path: str | os.PathLike | None = None, title: str = ""
) -> "Figure":
    """Draws observed against predicted shares of several predictions of the same records.

    What lies on the diagonal comes true as often as it says. Bars are 95%
    intervals of the observed share (Wilson's). Both axes are logarithmic, since
    clicks are rare; a bin without a click has its interval alone.

    Args:
        found: The `Reliability` of each, by the name it has in the legend.
        path: A PNG file to write as well. Defaults to `None`: none.
        title: Title of the picture.

    Returns:
        A `matplotlib.figure.Figure`.
    """
    from matplotlib.figure import Figure  # slow to import

    figure = Figure(figsize=(4.6, 4.4), layout="constrained")
    axes = figure.subplots()
    ends = []
    for (name, one), marker in zip(found.items(), "osD^v", strict=False):
        low, high = wilson_interval(one.observed, one.records)
        label = f"{name}  " * bool(name) + f"ECE {one.expected_calibration_error:.4f}"
        (points,) = axes.plot(one.predicted, one.observed, marker, markersize=4, label=label)
        axes.vlines(one.predicted, low, high, color=points.get_color(), linewidth=1, alpha=0.6)
        ends += [one.predicted.min(), one.predicted.max(), low[low > 0].min(initial=1), high.max()]
    limits = (max(min(ends) / 1.5, 1e-6), min(max(ends) * 1.5, 1.0))
    axes.plot(limits, limits, color="0.6", linewidth=1, zorder=0)
    axes.set(xscale="log", yscale="log", xlim=limits, ylim=limits, aspect="equal")
    axes.set(xlabel="predicted probability", ylabel="observed share of clicks", title=title)
    axes.legend(frameon=False, loc="upper left")
    if path is not None:
        save_png(figure, path)
    return figure


def wilson_interval(share: np.ndarray, records: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Returns the ends of Wilson's 95% intervals of observed shares.

    Args:
        share: Shares, (n,).
        records: Number of records of each, (n,).

    Example:

    >>> low, high = wilson_interval(np.array([0.0]), np.array([100]))
    >>> round(float(low[0]), 3), round(float(high[0]), 3)
    (0.0, 0.037)
    """
    z = 1.96
    middle = (share + z**2 / (2 * records)) / (1 + z**2 / records)
    half = z * np.sqrt(share * (1 - share) / records + (z / (2 * records)) ** 2)
    half /= 1 + z**2 / records
    return np.maximum(middle - half, 0), np.minimum(middle + half, 1)


def reliability(
    model: keras.Model, data: PreparedDataset, split: str, bins: int = BINS
) -> Reliability:
    """Returns whether a model's probabilities, calibrated if it is, come true on a split.

    Args:
        model: A model that gives logits, (B, 1).
        data: The `PreparedDataset`.
        split: The split.
        bins: As for `Reliability.of`. Defaults to 20.

    Example:

        reliability(model, data, "test").plot("reliability.png")
    """
    labels, logits, weights = predict_weighted(model, data, split)
    return Reliability.of(labels, model_probability(model, logits), bins, weights)


def reliability_by_value(
    model: keras.Model,
    data: PreparedDataset,
    split: str,
    fields: Sequence[str] | None = None,
    min_records: int = 100,
) -> "pd.DataFrame":
    """Returns the field values whose clicks a model predicts worst, of those that are frequent.

    The split is read once, and sums alone are kept.

    Args:
        model: A model that gives logits, (B, 1).
        data: The `PreparedDataset`.
        split: The split.
        fields: Names of categorical fields. Defaults to `None`: all.
        min_records: Records that a value needs to be listed. Defaults to 100.

    Returns:
        A `pandas.DataFrame` with a row for each value: `field`, `value`, `records`,
        `predicted`, the mean probability, `observed`, the share of clicks, `ratio`,
        the former over the latter, and `deviations`, by how many standard
        deviations of its number of clicks they differ, the largest first. If the data
        set has weights, means and shares are weighted.

    Raises:
        ValueError: If a field is not a categorical field of the data set.
    """
    import pandas as pd  # slow to import

    places = {field.name: place for place, field in enumerate(data.schema.categorical)}
    for name in fields or ():
        if name not in places:
            raise SettingError(f"{data.name} has no categorical field {name!r}")
    chosen = [places[name] for name in fields or places]
    sums = {place: np.zeros((5, data.schema.vocabulary_sizes[place])) for place in chosen}
    for inputs, labels, *weights in data.evaluation_batches(split):
        p = model_probability(model, np.asarray(model.predict_on_batch(inputs))[:, 0])
        w = np.asarray(weights[0], "float64") if weights else np.ones_like(p)
        of_record = [np.ones_like(p), w, w * p, w * np.asarray(labels), w**2 * p * (1 - p)]
        for place, sum_ in sums.items():
            ids = np.asarray(inputs[CATEGORICAL])[:, place]
            for row, values in zip(sum_, of_record, strict=True):
                row += np.bincount(ids, values, len(row))
    tables = []
    for place, (records, weight, predicted, clicks, variance) in sums.items():
        name = data.schema.categorical[place].name
        values = names_of_ids(data.vocabularies[name])
        kept = np.flatnonzero((records >= max(min_records, 1)) & (weight > 0))
        table = pd.DataFrame({"field": name, "value": [values[i] for i in kept]})
        table["records"] = records[kept].astype(int)
        table["predicted"] = predicted[kept] / weight[kept]
        table["observed"] = clicks[kept] / weight[kept]
        table["ratio"] = np.divide(
            predicted[kept], clicks[kept], np.full(len(kept), np.inf), where=clicks[kept] > 0
        )
        difference, deviation = (predicted - clicks)[kept], np.sqrt(variance[kept])
        table["deviations"] = difference / np.maximum(deviation, 1e-12)
        tables.append(table)
    if not tables:
        columns = ("field", "value", "records", "predicted", "observed", "ratio", "deviations")
        return pd.DataFrame(columns=columns)
    found = pd.concat(tables, ignore_index=True)
    return found.sort_values("deviations", key=np.abs, ascending=False, ignore_index=True)
