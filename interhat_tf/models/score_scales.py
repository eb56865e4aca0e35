"""How large a part the differences of a field's features have in scores, at first."""

from collections.abc import Iterable
from typing import Any

import numpy as np
from keras import ops


def varying_shares(model: Any, batches: Iterable[Any]) -> np.ndarray:
    """Returns how much of the features' power differs from record to record.

        share_i[j] = sum_d Var(x_i[j, d]) / sum_d E(x_i[j, d]^2)

    At first, vectors of values are random and of one length. The share of a field of n values
    that are equally frequent is then about 1 - 1 / n; of one that is nearly always the same,
    the frequency of the others, twice.

    Args:
        model: An `ExplainingModel`.
        batches: Batches of training records, with labels or without.

    Returns:
        Shares within [0, 1], (k, m); 0 where all features are 0.
    """
    total: Any = 0.0
    power: Any = 0.0
    records = 0
    for batch in batches:
        inputs = batch[0] if isinstance(batch, (tuple, list)) else batch
        found = model.forward(model.embedding(inputs)).features
        features = ops.convert_to_numpy(ops.stack(found)).astype("float64")  # (k, B, m, d)
        total = total + features.sum(axis=1)  # (k, m, d)
        power = power + (features**2).sum(axis=1)  # (k, m, d)
        records += features.shape[1]
    mean_power = power.sum(axis=-1) / records  # (k, m)
    constant = ((total / records) ** 2).sum(axis=-1)  # (k, m)
    varying = np.maximum(mean_power - constant, 0.0)
    return np.divide(varying, mean_power, out=np.zeros_like(varying), where=mean_power > 0)
