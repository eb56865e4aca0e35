"""How much each record counts in a training: its own weight, and that of its label."""

import dataclasses
import math
from typing import Self

import keras
import numpy as np
import tensorflow as tf

from interhat_tf.input_pipeline.dataset import PreparedDataset
from interhat_tf.schema import Batch
from interhat_tf.training.evaluation import Predict, compile_prediction


@dataclasses.dataclass(frozen=True)
class RecordWeights:
    """What the losses of a batch's records are multiplied by before their mean is taken.

    A training minimises the weighted mean of the training records' losses l,

        sum_r w_r c_r l_r / sum_r w_r c_r,  c_r = positive for a click, 1 otherwise

    and the step on a batch of B records the part of it that these have,

        1 / B sum_r f_r l_r,  f_r = w_r c_r / mean,

    where `mean` is that of w_r c_r over all training records. So only the ratios of
    weights matter; a record of weight 2 counts as two equal ones, in a mean over the
    batches of an epoch as well; and a batch whose records weigh little moves the model
    little. The latter would not be so if each batch was divided by its own weights.

    Where the log holds only a share r of the records without a click, these weigh 1 / r in
    metrics. Here they do not: c_r is r for them, which undoes it, and the loss is that of
    the logit z - log(r). Leaving records out multiplies the odds of a click by 1 / r, so
    that this is the logit in the log as it is wherever z is that in the log as it was,
    which is what the model learns. Its predictions, explanations and exports then need
    no correction. Weights of 1 / r in the loss lead to the same, but with a larger variance,
    since each record without a click then stands for many (Wang, Zhang and Wang,
    "Nonuniform Negative Sampling and Log Odds Correction with Rare Events Data", NeurIPS
    2021).

    Args:
        mean: The mean over the training records.
        positive: What a click counts in place of 1. Defaults to 1.
        negative: What a record without a click counts, the share r. Defaults to 1.

    Example:

    >>> weights = RecordWeights(mean=2.0, positive=3.0)
    >>> weights.factors(tf.constant([0.0, 1.0]), tf.constant([2.0, 4.0])).numpy()
    array([1., 6.], dtype=float32)
    """

    mean: float
    positive: float = 1.0
    negative: float = 1.0

    @classmethod
    def of_training(cls, data: PreparedDataset, positive: float) -> Self | None:
        """Returns those of a data set's training records, or `None` if all count the same."""
        if not data.weighted and positive == 1:
            return None
        negative = data.negative_sampling_rate
        others, clicks = data.label_weights("train")
        total = negative * others + positive * clicks
        return cls(total / data.num_rows("train"), positive, negative)

    @property
    def logit_offset(self) -> float:
        """What is added to logits in the loss, -log(r)."""
        return -math.log(self.negative)

    def factors(self, labels: tf.Tensor, weights: tf.Tensor | None = None) -> tf.Tensor:
        """Returns f, (B,), of labels and weights w, (B,) each; without weights w is 1."""
        factors = self.negative * (1 - labels) + self.positive * labels
        return (factors if weights is None else factors * weights) / self.mean


def weigh(values: tf.Tensor, factors: tf.Tensor | None) -> tf.Tensor:
    """Returns values of records, (B, ...), times the records' factors, (B,), if there are any."""
    if factors is None:
        return values
    shape = [-1] + [1] * (len(values.shape) - 1)
    return values * tf.reshape(tf.cast(factors, values.dtype), shape)


def start_logits(model: keras.Model, data: PreparedDataset) -> None:
    """Lets an untrained model say that clicks are as rare as they were before sampling.

    The bias of its logit starts at log(r), of the log's `negative_sampling_rate` r, in
    place of 0, so that the first steps are those of a model of the log as it is. A model
    without such a bias learns it otherwise, and one that was trained has learnt it.

    Args:
        model: A model that gives logits, (B, 1).
        data: The data set.
    """
    if data.negative_sampling_rate == 1:
        return
    inputs, *_ = next(iter(data.evaluation_batches("validation", 32)))
    predict = compile_prediction(model)  # on all replicas, if there are several
    bias = logit_bias(model, predict, inputs)
    if bias is not None and not np.asarray(bias).any():
        bias.assign([math.log(data.negative_sampling_rate)])


def logit_bias(model: keras.Model, predict: Predict, inputs: Batch) -> keras.Variable | None:
    """Returns the variable of which a logit is a sum with other things, if there is one.

    Args:
        model: A model that gives logits, (B, 1).
        predict: What predicts its logits.
        inputs: Some records.
    """
    before = np.asarray(predict(inputs))
    for variable in model.trainable_variables:
        if variable.shape != (1,):
            continue
        value = np.asarray(variable)
        variable.assign(value + 1)
        found = np.asarray(predict(inputs))
        variable.assign(value)
        if np.allclose(found - before, 1.0, atol=1e-3):
            return variable
    return None
