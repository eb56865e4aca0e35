"""The best possible figures on a split of a prepared set of a generated log."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from interhat_tf.errors import SettingError
from interhat_tf.input_pipeline.dataset import PreparedDataset
from interhat_tf.schema import CATEGORICAL
from interhat_tf.training.metrics import auc, logloss


def best_of_split(data: PreparedDataset, truth: Mapping[str, Any], split: str) -> dict[str, float]:
    """Returns `auc` and `logloss` of the true probabilities on the clicks of a split.

    A value that was too rare for the vocabulary has level 0, in the middle of the others.

    Args:
        data: The prepared set.
        truth: What `generate` returned of its log.
        split: Name of the split.
    """
    columns = {field.name: i for i, field in enumerate(data.schema.categorical)}
    levels = {
        name: levels_of(data, name, of_values)
        for term in truth["terms"]
        for name, of_values in term["levels"].items()
    }
    labels, logits = [], []
    for inputs, clicks in data.evaluation_batches(split):
        ids = np.asarray(inputs[CATEGORICAL])  # (B, C)
        logit = np.full(len(ids), truth["intercept"])
        for term in truth["terms"]:
            of_fields = [levels[name][ids[:, columns[name]]] for name in term["fields"]]
            logit += term["strength"] * np.prod(of_fields, axis=0)
        labels.append(clicks)
        logits.append(logit)
    arrays = np.concatenate(labels), np.concatenate(logits)
    return {"auc": auc(*arrays), "logloss": logloss(*arrays)}


def levels_of(data: PreparedDataset, field: str, levels: Mapping[str, int]) -> np.ndarray:
    """Returns the level of each id of a categorical field, (V,), given those of its values."""
    (size,) = (f.vocabulary_size for f in data.schema.categorical if f.name == field)
    found = np.zeros(size)
    for value, level in levels.items():
        try:
            found[data.id_of(field, value)] = level
        except SettingError:  # too rare
            continue
    return found
