"""What turns a model's logits into probabilities that come true as often as they say."""

import dataclasses
from collections.abc import Mapping
from typing import Any

import keras
import numpy as np
from keras import ops
from numpy.typing import ArrayLike

from interhat_tf.errors import DataError
from interhat_tf.ops import Tensor
from interhat_tf.utils.interpolation import interpolate
from interhat_tf.utils.limits import check_choice

METHODS = ("platt", "isotonic")


@dataclasses.dataclass(frozen=True)
class Calibration:
    """A rising map from logits to probabilities, fitted to records that the model did not train on.

    Platt scaling (1999) is a line and a sigmoid,

        p = sigmoid(slope * z + intercept)

    and isotonic regression (Zadrozny and Elkan, KDD 2002) the best rising steps,
    linear between them: `logits` z_1 < z_2 < … have the `probabilities`
    p_1 <= p_2 <= …, beyond the ends that of the end. It needs some thousands of
    records and mends any curve; two numbers are fitted to fewer.

    Args:
        method: `"platt"` or `"isotonic"`.
        records: Number of records that it was fitted to.
        slope: Of Platt scaling. Defaults to 1.
        intercept: Of Platt scaling. Defaults to 0.
        logits: The logits z of isotonic regression. Defaults to none.
        probabilities: Their probabilities. Defaults to none.

    Example:

    >>> doubled = Calibration("platt", records=1000, slope=2.0)
    >>> doubled.probability([0.0, 1.0]).round(4).tolist()
    [0.5, 0.8808]
    """

    method: str
    records: int
    slope: float = 1.0
    intercept: float = 0.0
    logits: tuple[float, ...] = ()
    probabilities: tuple[float, ...] = ()

    @classmethod
    def fit(
        cls,
        labels: ArrayLike,
        logits: ArrayLike,
        method: str,
        sample_weight: ArrayLike | None = None,
    ) -> "Calibration":
        """Returns the calibration of some records, by scikit-learn.

        Platt scaling learns from (n_1 + 1) / (n_1 + 2) of n_1 clicks and
        1 / (n_0 + 2) of n_0 others in place of 1 and 0, as Platt proposed, so that
        it stays finite. Isotonic regression says 0 where no record was clicked on;
        of n such records it becomes 1 / (n + 2), or the next step's probability if
        that is less; and likewise where all were.

        Args:
            labels: 0 or 1 of each record, (n,).
            logits: The model's logits, (n,).
            method: `"platt"` or `"isotonic"`.
            sample_weight: The records' weights, at least 0, (n,). Defaults to `None`: all
                count the same. Records of weight 0 are left out.

        Raises:
            ValueError: If there is no such method, only one of the labels occurs, or
                clicks are no more frequent where the logits are high.

        Example:

        >>> random = np.random.default_rng(0)
        >>> logits = random.normal(size=10_000)
        >>> labels = random.random(10_000) < probability(2 * logits - 1)
        >>> fitted = Calibration.fit(labels, logits, "platt")
        >>> f"{fitted.slope:.1f}, {fitted.intercept:.1f}"
        '2.0, -1.0'
        """
        check_choice("method", method, METHODS)
        y, z = np.asarray(labels, "float64").ravel(), np.asarray(logits, "float64").ravel()
        w = None
        if sample_weight is not None:
            w = np.asarray(sample_weight, "float64").ravel()
            y, z, w = y[w > 0], z[w > 0], w[w > 0]
        if np.unique(y).size < 2:
            raise DataError("calibration needs records of both labels; all labels are the same")
        return _fit_platt(y, z, w) if method == "platt" else _fit_isotonic(y, z, w)

    @classmethod
    def from_dict(cls, config: Mapping[str, Any]) -> "Calibration":
        """Returns the calibration that `to_dict` wrote."""
        steps = {name: tuple(config[name]) for name in ("logits", "probabilities")}
        return cls(**{**config, **steps})

    def to_dict(self) -> dict[str, Any]:
        """Returns it as what JSON can hold; `from_dict` is the inverse."""
        return dataclasses.asdict(self)

    def __str__(self) -> str:
        how = "Platt scaling" if self.method == "platt" else "isotonic regression"
        return f"calibrated by {how} on {self.records:,} validation records"

    def probability(self, logits: ArrayLike) -> np.ndarray:
        """Returns the probabilities of logits, of any shape, in double precision."""
        z = np.asarray(logits, "float64")
        if self.method == "platt":
            return probability(self.slope * z + self.intercept)
        return np.where(np.isnan(z), z, np.interp(z, self.logits, self.probabilities))

    def probability_tensor(self, logits: Tensor) -> Tensor:
        """Returns the probabilities of logits, (B,), as a part of a model's graph."""
        if self.method == "platt":
            return ops.sigmoid(self.slope * logits + self.intercept)
        return interpolate(logits, self.logits, self.probabilities)


def probability(logits: Any) -> np.ndarray:
    """Returns the probabilities that belong to logits, of any size, in double precision."""
    return (1 + np.tanh(np.asarray(logits, "float64") / 2)) / 2  # a sigmoid that cannot overflow


def model_probability(model: keras.Model, logits: ArrayLike) -> np.ndarray:
    """Returns what a model's logits are as probabilities: calibrated, if the model is."""
    calibration = getattr(model, "calibration", None)
    return calibration.probability(logits) if calibration else probability(logits)


def _fit_platt(y: np.ndarray, z: np.ndarray, w: np.ndarray | None) -> Calibration:
    from sklearn.linear_model import LogisticRegression  # slow to import

    clicks = y.sum()
    target = np.where(y == 1, (clicks + 1) / (clicks + 2), 1 / (len(y) - clicks + 2))  # (n,)
    share = 1.0 if w is None else w / w.mean()
    # A record with a target between 0 and 1 is two, with weights.
    model = LogisticRegression(C=1e12, solver="newton-cholesky", tol=1e-8)
    model.fit(
        np.concatenate([z, z])[:, np.newaxis],
        np.repeat([1, 0], len(z)),
        sample_weight=np.concatenate([share * target, share * (1 - target)]),
    )
    slope, intercept = float(model.coef_[0, 0]), float(model.intercept_[0])
    if slope <= 0:
        raise DataError(_NO_RANK)
    return Calibration("platt", len(y), slope, intercept)


def _fit_isotonic(y: np.ndarray, z: np.ndarray, w: np.ndarray | None) -> Calibration:
    from sklearn.isotonic import IsotonicRegression

    model = IsotonicRegression(y_min=0.0, y_max=1.0, out_of_bounds="clip").fit(z, y, w)
    # In float32, which exported models compute in, so that logits that fall together there
    # are one step here.
    knots, first = np.unique(model.X_thresholds_.astype("float32"), return_index=True)
    steps = np.maximum.accumulate(model.y_thresholds_[first].astype("float64"))
    if steps[0] == steps[-1]:
        raise DataError(_NO_RANK)
    never = int((z <= knots[steps == 0].max(initial=-np.inf)).sum())
    always = int((z >= knots[steps == 1].min(initial=np.inf)).sum())
    least = min(1 / (never + 2), steps[steps > 0].min())
    most = max(1 - 1 / (always + 2), steps[steps < 1].max())
    steps = np.clip(steps, least, most)
    return Calibration(
        "isotonic", len(z), logits=tuple(knots.tolist()), probabilities=tuple(steps.tolist())
    )


_NO_RANK = "clicks are no more frequent where the logits are high: train the model first"
