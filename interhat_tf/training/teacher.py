"""What stands in for labels: predictions of a model that is trained already."""

import dataclasses
from typing import Self

import keras
import tensorflow as tf

from interhat_tf.schema import Batch


@dataclasses.dataclass(frozen=True)
class Teacher:
    """A model whose predictions a loss has in place of labels, or beside them.

    The targets are

        t = (1 - s) sigmoid(z) + s y

    with `z` the teacher's logits as in inference, `y` the labels and `s` their share, as in
    Hinton, Vinyals and Dean 2015, "Distilling the Knowledge in a Neural Network", Section 2,
    at temperature 1.

    Args:
        model: The model; it stays as it is.
        labels: The labels' share, from 0 to 1. Defaults to 0.
    """

    model: keras.Model
    labels: float = 0.0

    @classmethod
    def copy_of(cls, model: keras.Model, labels: float = 0.0) -> Self:
        """Returns one that goes on predicting what a model does now.

        Args:
            model: The model, built. The copy is of its distribution strategy.
            labels: The labels' share. Defaults to 0.
        """
        with model.distribute_strategy.scope():
            copy = type(model).from_config(model.get_config())
        for ours, theirs in zip(copy.weights, model.weights, strict=True):
            ours.assign(theirs)
        return cls(copy, labels)

    def targets(self, inputs: Batch, labels: tf.Tensor, logit_offset: float) -> tf.Tensor:
        """Returns the targets of a batch, (B,).

        Args:
            inputs: The records.
            labels: Their labels, (B,).
            logit_offset: What the loss adds to logits, see `RecordWeights.logit_offset`.
        """
        predicted = tf.sigmoid(self.model(inputs)[:, 0] + logit_offset)  # (B,)
        return predicted + self.labels * (tf.cast(labels, predicted.dtype) - predicted)
