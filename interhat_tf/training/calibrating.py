"""Mends a model's probabilities on validation records."""

from typing import Any

import keras
import numpy as np

from interhat_tf.calibration import METHODS, Calibration, probability
from interhat_tf.errors import DataError
from interhat_tf.input_pipeline.dataset import PreparedDataset
from interhat_tf.training.evaluation import predict_weighted
from interhat_tf.training.observed_rates import Reliability
from interhat_tf.utils.limits import check_choice

FOLDS = 5
NONE = "none"


def calibrate(
    model: keras.Model, data: PreparedDataset, method: str | None = None
) -> dict[str, Any]:
    """Fits a trained model's `calibration` to the validation split.

    From then on `Explanation.probabilities`, `score`, exported models and the pages have
    calibrated probabilities. Logits stay as they are, so that `predict`, AUC and
    what explanations say of logits do not change. `model.save` saves it; training
    the model drops it.

    Args:
        model: The model, of any kind.
        data: The `PreparedDataset` that it was trained on.
        method: `"platt"`, `"isotonic"`, or `"none"` to drop a calibration. Defaults
            to `None`: the one of the three with the least logloss on validation
            records that it was not fitted to (five folds).
            If the data set has weights, all this is weighted.

    Returns:
        Dictionary of the `method`, the number of `records`, and for each of
        `"none"`, `"platt"` and `"isotonic"` the `logloss`, the
        `expected_calibration_error` and the `ratio` of predicted to observed
        clicks, each of a fold's records by what was fitted to the other folds; `None` of
        a method that could not be fitted to them all.

    Raises:
        ValueError: If there is no such method, the model's schema is not the data
            set's, or the validation split cannot be fitted by the method, or by none if
            none was asked for; see `Calibration.fit`.

    Example:

        found = calibrate(model, data)
        print(found["none"]["ratio"], found[found["method"]]["ratio"])
        model.save("calibrated.keras")
    """
    labels, logits, weights = predict_weighted(model, data, "validation")
    model.calibration, found = fit_calibration(labels, logits, method, weights)
    return found


def fit_calibration(
    labels: np.ndarray,
    logits: np.ndarray,
    method: str | None = None,
    sample_weight: np.ndarray | None = None,
) -> tuple[Calibration | None, dict[str, Any]]:
    """Returns a calibration that is fitted to records, and what `calibrate` returns of it.

    For records of your own, such as a sample of the clicks to come where the
    log that a model trains on holds too few records without a click: the first is
    what the model's `calibration` is to be.

    Args:
        labels: 0 or 1 of each record, (n,).
        logits: The model's logits, (n,).
        method: As for `calibrate`.
        sample_weight: The records' weights, (n,). Defaults to `None`: all count the same.

    Raises:
        ValueError: As for `calibrate`.
    """
    if method is not None:
        check_choice("method", method, (NONE, *METHODS))
    found: dict[str, dict[str, float] | None] = {}
    problem = None
    for name in (NONE, *METHODS):
        try:
            found[name] = _out_of_fold(labels, logits, sample_weight, name)
        except DataError as error:  # the others may do, and the whole may
            found[name], problem = None, error
    loglosses = {name: figures["logloss"] for name, figures in found.items() if figures}
    if method is None and problem and loglosses.keys() == {NONE}:
        raise problem
    chosen = method or min(loglosses, key=lambda name: loglosses[name])
    fitted = None if chosen == NONE else Calibration.fit(labels, logits, chosen, sample_weight)
    return fitted, {"method": chosen, "records": len(labels), **found}


def calibration_figures(
    labels: np.ndarray, probabilities: np.ndarray, sample_weight: np.ndarray | None = None
) -> dict[str, float]:
    """Returns the `logloss`, `expected_calibration_error` and `ratio` of probabilities.

    Args:
        labels: 0 or 1 of each record, (n,).
        probabilities: Probabilities, (n,).
        sample_weight: The records' weights, (n,). Defaults to `None`: all count the same.
    """
    found = Reliability.of(labels, probabilities, sample_weight=sample_weight)
    right = np.where(np.asarray(labels) == 1, probabilities, 1 - probabilities)
    return {
        "logloss": float(-np.average(np.log(np.maximum(right, 1e-15)), weights=sample_weight)),
        "expected_calibration_error": found.expected_calibration_error,
        "ratio": found.ratio,
    }


def _out_of_fold(
    labels: np.ndarray, logits: np.ndarray, weights: np.ndarray | None, method: str
) -> dict[str, float]:
    if method == NONE:
        return calibration_figures(labels, probability(logits), weights)
    folds = np.random.default_rng(0).permutation(len(labels)) % FOLDS
    predicted = np.empty(len(labels))
    for fold in range(FOLDS):
        left_out = folds == fold
        of_others = None if weights is None else weights[~left_out]
        fitted = Calibration.fit(labels[~left_out], logits[~left_out], method, of_others)
        predicted[left_out] = fitted.probability(logits[left_out])
    return calibration_figures(labels, predicted, weights)
