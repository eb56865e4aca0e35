"""A loss that teaches a model by the mean of its own predictions.

These are two passes with dropout masks of their own, or what the blocks of a model
say that has several and a method `block_logits`, as `FinalNet`.
"""

import math

import keras
import tensorflow as tf

from interhat_tf.errors import SettingError
from interhat_tf.schema import Batch


def check_self_distillation(model: keras.Model) -> None:
    """Checks that a model can learn from two of its own predictions.

    Raises:
        ValueError: If the model has neither several blocks nor dropout, without which
            the two are the same.
    """
    if _has_blocks(model):
        return
    # `variables` has the states of random generators as well.
    if len(model.variables) == len(model.weights):
        raise SettingError(
            "self_distillation needs a model with dropout, without which the two predictions "
            "of a record are the same: give the model a dropout above 0, or leave it out"
        )


def _has_blocks(model: keras.Model) -> bool:
    return getattr(model, "num_blocks", 1) > 1


def logloss_and_pull(
    model: keras.Model, inputs: Batch, labels: tf.Tensor, logit_offset: float = 0.0
) -> tuple[tf.Tensor, tf.Tensor]:
    """Returns a batch's loglosses, and how far the model's predictions are from their mean.

    Args:
        model: A model that `check_self_distillation` accepts.
        inputs: The records.
        labels: Their labels, (B,).
        logit_offset: What is added to the logits first. Defaults to 0.

    Returns:
        The logloss of each record and its pull, (B,) each.
    """
    if _has_blocks(model):
        logits = model.block_logits(inputs, training=True)  # (B, blocks)
        return block_logloss_and_pull(logits + logit_offset if logit_offset else logits, labels)
    logits = model(twice(inputs), training=True)[:, 0]  # (2 B,)
    if logit_offset:
        logits += logit_offset
    return mean_logloss_and_pull(logits, tf.cast(labels, logits.dtype))


def twice(inputs: Batch) -> Batch:
    """Returns a batch whose records all come twice, (2 B, ...), the second time after all others.

    The two halves go through the model in one pass, in which they have dropout
    masks of their own and share the batch statistics.
    """
    return {name: tf.concat([values, values], axis=0) for name, values in inputs.items()}


def mean_logloss_and_pull(logits: tf.Tensor, labels: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Returns the logloss of the mean of two predictions, and how far they are from it.

        p = (p_1 + p_2) / 2
        logloss = H(y, p),  pull = H(p, p_1) + H(p, p_2)

    where H(a, b) = -a log b - (1 - a) log(1 - b), and no gradient goes through the p
    of `pull`. Their sum is the self-ensemble loss of QNN-alpha (Li et al. 2025,
    "Revisiting Feature Interactions from the Perspective of Quadratic Neural
    Networks for CTR Prediction").

    Args:
        logits: Of a batch that `twice` returned, (2 B,).
        labels: The batch's labels, (B,).

    Returns:
        The logloss of each record and its pull, (B,) each.

    Example:

    >>> logits, labels = tf.constant([0.0, 0.0]), tf.constant([1.0])
    >>> loss, pull = mean_logloss_and_pull(logits, labels)
    >>> print(loss.numpy().round(3), pull.numpy().round(3))
    [0.693] [1.386]
    """
    passes = tf.reshape(logits, [2, -1])  # (2, B)

    def log_of_mean(passes: tf.Tensor) -> tf.Tensor:
        logs = tf.math.log_sigmoid(passes)  # (2, B)
        return tf.reduce_logsumexp(logs, axis=0) - math.log(2)  # (B,)

    clicked, not_clicked = log_of_mean(passes), log_of_mean(-passes)  # (B,)
    logloss = -labels * clicked - (1 - labels) * not_clicked  # (B,)
    return logloss, _pull(passes, tf.exp(clicked))


def block_logloss_and_pull(logits: tf.Tensor, labels: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Returns the logloss of the mean of the blocks' logits, and how far they are from it.

        p = sigmoid(mean_i y_i)
        logloss = H(y, p),  pull = sum_i H(p, sigmoid(y_i))

    with the H of `mean_logloss_and_pull`, and no gradient through the p of `pull`.
    Their sum is the loss of FinalNet (Zhu et al., SIGIR 2023).

    Args:
        logits: The blocks' logits y_i, (B, number of blocks).
        labels: The batch's labels, (B,).

    Returns:
        The logloss of each record and its pull, (B,) each.

    Example:

    >>> loss, pull = block_logloss_and_pull(tf.constant([[1.0, -1.0]]), tf.constant([1.0]))
    >>> print(loss.numpy().round(3), pull.numpy().round(3))
    [0.693] [1.627]
    """
    mean = tf.reduce_mean(logits, axis=1)  # (B,)
    logloss = tf.nn.sigmoid_cross_entropy_with_logits(tf.cast(labels, logits.dtype), mean)
    return logloss, _pull(tf.transpose(logits), tf.sigmoid(mean))


def _pull(logits: tf.Tensor, teacher: tf.Tensor) -> tf.Tensor:
    """Returns sum_i H(p, sigmoid(y_i)), (B,), of predictions' logits y, (n, B), and p, (B,)."""
    teachers = tf.broadcast_to(tf.stop_gradient(teacher), tf.shape(logits))  # (n, B)
    return tf.reduce_sum(tf.nn.sigmoid_cross_entropy_with_logits(teachers, logits), axis=0)
