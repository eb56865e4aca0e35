"""Mean predictions of a trained model: those of the training records, also of unknown values."""

import itertools
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import keras
import numpy as np
import tensorflow as tf

from interhat_tf.calibration import probability
from interhat_tf.input_pipeline.dataset import PreparedDataset
from interhat_tf.layers import FieldEmbedding
from interhat_tf.schema import CATEGORICAL, OUT_OF_VOCABULARY, Batch
from interhat_tf.training.evaluation import compile_prediction
from interhat_tf.training.record_weights import RecordWeights, logit_bias
from interhat_tf.training.settings import TrainingSettings

BATCHES = 8
"""Batches of 8,192 training records whose mean prediction is set right."""

STEPS = 8
"""Newton steps at most."""

ROUNDING = 1e-6
"""What two ways to compute a mean prediction may differ by."""


class Records(NamedTuple):
    """Training records: batches of inputs, labels and weights of all, (n,), the loss's offset."""

    batches: Sequence[Batch]
    labels: np.ndarray
    weights: np.ndarray
    offset: float


def correct_means(model: keras.Model, data: PreparedDataset, settings: TrainingSettings) -> None:
    """Sets right what a trained model predicts on the average, without changing what it ranks.

    In training, batch normalisation has the statistics of a batch and dropout is on; averaged
    weights go with an average of statistics. So a model in use may predict too little or
    too much on the average, and for new values otherwise than for known ones. Two things are
    moved until that is over:

    - the bias of the logit, until the mean prediction for the training records is the
      rate of their clicks: sum_r f_r (p_r - y_r) = 0;
    - the vector of the unknown value of each field, until the mean prediction for the
      records with this value in the field is that for them as they are. It goes along
      the gradient g of the mean prediction, which is too large by d, by -d g / |g|^2, again
      and again while |d| is more than its standard error. Of each field it keeps the best.

    Records weigh f_r as in the loss (`RecordWeights`), and of a log whose negatives were sampled
    p_r is the prediction for that log, as there. In the log as it was, the records without
    a click would weigh much more, and a model knows those that it has seen: it would predict too
    much for new ones.

    Args:
        model: The trained model, whose means are to be those of 65,536 training records.
            Where it has no bias of its logit, the first is left out.
        data: The data set that it was trained on.
        settings: What it was trained with.
    """
    batches = list(data.evaluation_batches("train").take(BATCHES))
    inputs, *others = zip(*batches, strict=True)
    labels, *weights = (np.concatenate(of_rows).astype("float64") for of_rows in others)
    of_loss = RecordWeights.of_training(data, settings.positive_weight) or RecordWeights(1.0)
    factors = np.asarray(of_loss.factors(labels, *weights))
    records = Records(inputs, labels, factors, of_loss.logit_offset)
    predict = compile_prediction(model, settings.microbatch_size)
    logits = np.concatenate([np.asarray(predict(batch))[:, 0] for batch in inputs])
    logits = logits.astype("float64") + records.offset
    bias = logit_bias(model, predict, inputs[0])
    if bias is not None:
        shift = shift_to_rate(logits, labels, factors)
        bias.assign(np.asarray(bias) + shift)
        logits += shift
    columns = np.flatnonzero(data.may_be_unknown)
    if len(columns):
        of_records = np.random.default_rng(settings.seed).choice(columns, len(logits))
        _UnknownVectors(model, records, of_records, probability(logits)).correct()


def shift_to_rate(logits: np.ndarray, labels: np.ndarray, weights: np.ndarray) -> float:
    """Returns what logits, (n,), lack, so that predictions are on the average the rate of clicks.

    Example:

    >>> round(shift_to_rate(np.zeros(4), np.array([1, 1, 1, 0]), np.ones(4)), 6)  # log(3)
    1.098612
    """
    shift = 0.0
    if 0 < (weights * labels).sum() < weights.sum():
        for _ in range(STEPS):
            p = probability(logits + shift)
            shift -= float((weights * (p - labels)).sum() / (weights * p * (1 - p)).sum())
    return shift


class _UnknownVectors:
    """The vectors of unknown values, one field's at a time unknown in each record.

    Args:
        model: The model.
        records: The records.
        columns: The field of each record that is unknown, (n,).
        known: What is predicted for the records as they are, (n,).
    """

    def __init__(
        self, model: keras.Model, records: Records, columns: np.ndarray, known: np.ndarray
    ):
        self.model, self.columns, self.known = model, columns, known
        self.weights, self.fields = records.weights, np.unique(columns)
        starts = np.cumsum([0, *(len(batch[CATEGORICAL]) for batch in records.batches)])
        self.parts = [slice(*ends) for ends in itertools.pairwise(starts)]
        self.batches = [
            _with_unknown(batch, columns[part])
            for batch, part in zip(records.batches, self.parts, strict=True)
        ]
        self.rows = _rows_of_unknown(model, self.fields)
        totals = np.bincount(columns, self.weights)
        self.shares = self.weights / np.maximum(totals[columns], np.finfo("float64").tiny)
        tables = [table for table, _ in self.rows]
        self._gradient = _compile_gradient(model, tables, records.offset)

    def correct(self) -> None:
        """Moves the vectors."""
        if not self.rows:
            return
        best = np.full(len(self.fields), np.inf)
        kept = vectors = self._read()
        for step in range(STEPS + 1):
            too_much, error, gradients = self._measure()
            better = np.abs(too_much) < best
            best = np.where(better, np.abs(too_much), best)
            kept = [
                np.where(better[:, np.newaxis], now, old)
                for now, old in zip(vectors, kept, strict=True)
            ]
            moving = np.abs(too_much) > np.maximum(error, ROUNDING)  # less is chance
            if step == STEPS or not moving.any():
                break
            squares = sum(np.square(gradient).sum(axis=1) for gradient in gradients)  # (fields,)
            factors = moving * too_much / np.maximum(squares, np.finfo("float64").tiny)
            vectors = [
                now - factors[:, np.newaxis] * gradient
                for now, gradient in zip(vectors, gradients, strict=True)
            ]
            self._write(vectors)
        self._write(kept)

    def _measure(self) -> tuple[np.ndarray, np.ndarray, list[np.ndarray]]:
        """Returns how much too large the mean predictions are, their errors, and the gradients."""
        found: list[np.ndarray] = []
        sums: list[Any] = [0.0] * len(self.rows)
        for batch, part in zip(self.batches, self.parts, strict=True):
            p, gradients = self._gradient(batch, tf.constant(self.shares[part], tf.float32))
            found.append(np.asarray(p, "float64"))
            for i, (gradient, (_, rows)) in enumerate(zip(gradients, self.rows, strict=True)):
                sums[i] = sums[i] + _rows_of(gradient, rows)
        differences = np.concatenate(found) - self.known
        means = np.bincount(self.columns, self.shares * differences)
        deviations = np.square(self.shares * (differences - means[self.columns]))
        errors = np.sqrt(np.bincount(self.columns, deviations))
        return means[self.fields], errors[self.fields], [np.asarray(s, "float64") for s in sums]

    def _read(self) -> list[np.ndarray]:
        # Of a table with millions of rows a few are asked for.
        return [np.asarray(tf.gather(table.value, rows), "float64") for table, rows in self.rows]

    def _write(self, vectors: list[np.ndarray]) -> None:
        for (table, rows), values in zip(self.rows, vectors, strict=True):
            table.value.scatter_update(tf.IndexedSlices(tf.cast(values, table.dtype), rows))


def _with_unknown(batch: Batch, columns: np.ndarray) -> Batch:
    ids = np.array(batch[CATEGORICAL])
    ids[np.arange(len(ids)), columns] = OUT_OF_VOCABULARY
    return {**batch, CATEGORICAL: tf.constant(ids)}


def _rows_of_unknown(
    model: keras.Model, fields: np.ndarray
) -> list[tuple[keras.Variable, np.ndarray]]:
    """Returns each table of a model that has all the fields, and the rows of their id 0."""
    found = []
    for layer in model._flatten_layers():
        if isinstance(layer, FieldEmbedding) and layer.vocabulary_sizes:
            columns = list(model.columns_of(layer))
            if set(fields) <= set(columns):
                rows = layer.offsets[[columns.index(field) for field in fields]]
                found.append((layer.table, rows))
    return found


def _compile_gradient(
    model: keras.Model, tables: list[keras.Variable], offset: float
) -> Callable[[Batch, tf.Tensor], tuple[tf.Tensor, list[Any]]]:
    @tf.function(autograph=False, reduce_retracing=True)
    def gradient(batch: Batch, shares: tf.Tensor) -> tuple[tf.Tensor, list[Any]]:
        with tf.GradientTape() as tape:
            values = [table.value for table in tables]
            tape.watch(values)
            p = tf.sigmoid(tf.cast(model(batch, training=False)[:, 0], tf.float32) + offset)
            mean = tf.reduce_sum(shares * p)
        return p, tape.gradient(mean, values)

    return gradient


def _rows_of(gradient: Any, rows: np.ndarray) -> np.ndarray:
    """Returns some rows of a table's gradient, (rows, d), zeros of one that has none."""
    if isinstance(gradient, tf.IndexedSlices):
        mine = tf.cast(rows[:, np.newaxis] == gradient.indices[tf.newaxis], tf.float32)
        return np.asarray(mine @ tf.cast(gradient.values, tf.float32))
    return np.asarray(tf.gather(gradient, rows))
