"""The scales that batch-normalised scores begin with."""

from collections.abc import Iterable
from typing import Any

import keras
import numpy as np
from keras import ops

from interhat_tf.errors import DataError

NORMAL = 3.0
"""The kurtosis of a normal distribution."""

ROWS_AT_ONCE = 256
"""Records whose powers are at hand at the same time: those of a batch would fill the memory."""


def score_scales(model: Any, batches: Iterable[Any]) -> np.ndarray:
    """Returns by what normalised features are multiplied, so that none is very far from the rest.

        scale_i[j] = min(1, sqrt(3 / kurtosis_i[j])),
        kurtosis_i[j] = mean_d E(x_i[j, d] - E x_i[j, d])^4 / Var(x_i[j, d])^2

    Of a value that a share p of the records has, in a field that is otherwise always the same,
    normalised features are about 1 / sqrt(p) and the kurtosis is 1 / p: times the scale, these
    features are sqrt(3). A number with a heavy tail is treated alike.

    Args:
        model: An `ExplainingModel`.
        batches: Batches of training records, with labels or without.

    Returns:
        The scales, (k, m). Where all records are the same the kurtosis counts as their number,
        the highest that it can be.

    Raises:
        ValueError: If there is no record, or features are not finite.
    """
    moments: list[_Moments] = []
    for batch in batches:
        inputs, _, _ = keras.utils.unpack_x_y_sample_weight(batch)
        found = model.forward(model.embedding(inputs)).features
        features = [ops.convert_to_numpy(of_order) for of_order in found]
        if not moments:
            moments = [_Moments(of_order[0]) for of_order in features]  # (m, d)
        for of_order, values in zip(moments, features, strict=True):
            of_order.add(values)
    if not moments:
        raise DataError("adapt_scores needs at least one training record, got none")
    kurtosis = np.stack([of_order.kurtosis().mean(axis=-1) for of_order in moments])  # (k, m)
    if not np.isfinite(kurtosis).all():
        raise DataError("features are not finite: call adapt_numbers(batches) before adapt_scores")
    return np.minimum(1.0, np.sqrt(NORMAL / kurtosis))


class _Moments:
    """The first four moments of numbers about those of one record, which is exact for constants.

    Args:
        origin: The record's numbers, (m, d).
    """

    def __init__(self, origin: np.ndarray):
        self.origin = origin.astype("float64")
        self.sums = np.zeros((4, *origin.shape))
        self.records = 0

    def add(self, values: np.ndarray) -> None:
        """Takes in the numbers of more records, (B, m, d)."""
        for start in range(0, len(values), ROWS_AT_ONCE):
            distance = values[start : start + ROWS_AT_ONCE] - self.origin
            power = np.ones_like(distance)
            for total in self.sums:
                power *= distance
                total += power.sum(axis=0)  # (m, d)
        self.records += len(values)

    def kurtosis(self) -> np.ndarray:
        """Returns the kurtosis, (m, d); of constants the number of records."""
        first, second, third, fourth = self.sums / self.records
        variance = second - first**2
        about_mean = fourth - 4 * first * third + 6 * first**2 * second - 3 * first**4
        found = np.full_like(variance, self.records)
        varies = ~(variance <= 0)  # or is not a number
        np.divide(about_mean, variance**2, out=found, where=varies)
        return found
