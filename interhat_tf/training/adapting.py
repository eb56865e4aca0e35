"""What a model takes in of records before its first step and after its last."""

import keras
import tensorflow as tf

from interhat_tf.input_pipeline.dataset import PreparedDataset
from interhat_tf.training.evaluation import evaluate_batches

ADAPT_BATCHES = 8
"""Batches of 8,192 training records that a model takes averages of: those err by sd / 256.

Quantiles of numbers are of as many; their ranks err by 0.2% at most, as a rule."""
DIAGNOSE_BATCHES = 32
"""Batches of 8,192 validation records that a model is diagnosed on, which reads them four times."""


def adapt_untrained(model: keras.Model, data: PreparedDataset) -> None:
    """Lets a model that is to be trained take in numbers' distributions, and how fields vary."""
    records = _records(data, "train", ADAPT_BATCHES)
    model.adapt_numbers(records)
    model.adapt_scores(records)


def adapt_and_diagnose(model: keras.Model, data: PreparedDataset) -> None:
    """Lets a model that is trained take in averages of records, and say what it is worth."""
    model.adapt(_records(data, "train", ADAPT_BATCHES))
    model.diagnose(_records(data, "validation", DIAGNOSE_BATCHES), evaluate_batches)


def _records(data: PreparedDataset, split: str, batches: int) -> tf.data.Dataset:
    return data.evaluation_batches(split).take(batches)
