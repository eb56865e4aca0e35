"""LightGBM and EBMs, as the suite takes a model: logits of a batch, and explanations of its own."""

import itertools

import numpy as np

from experiments.trees.ebm import EBM
from experiments.trees.lightgbm_trees import LightGBM
from experiments.trees.records import matrix, read_records
from interhat_tf.input_pipeline.dataset import PreparedDataset
from interhat_tf.schema import Batch
from interhat_tf.training import metrics


class TreeModel:
    """Trees that are trained on a data set.

    Args:
        method: What they explain by, a name in `METHODS`: `"tree_shap"`, LightGBM's TreeSHAP, or
            `"ebm"`, the EBM's terms.
        data: The `PreparedDataset`.
        seed: Seed of what is drawn.
    """

    def __init__(self, method: str, data: PreparedDataset, seed: int):
        self.method, self.schema = method, data.schema
        self.trees = {"tree_shap": LightGBM, "ebm": EBM}[method](data.schema)
        self.trees.fit(*(read_records(data, split) for split in ("train", "validation")), seed)
        fields, labels = read_records(data, "test")
        self.test_auc = metrics.auc(labels, self.trees.logits(fields))

    def predict_on_batch(self, inputs: Batch) -> np.ndarray:
        """Returns the logits of records, (B, 1)."""
        return self.trees.logits(matrix(inputs))[:, np.newaxis]

    def attributions(self, inputs: Batch) -> np.ndarray:
        """Returns what each field adds to the logit, (B, m).

        What an EBM says of a pair is shared among its two fields.
        """
        parts = self.trees.contributions(matrix(inputs))[:, :-1]  # the last one is of no field
        if self.method == "tree_shap":
            return parts  # (B, m)
        values = np.zeros((len(parts), len(self.schema.fields)))
        for part, fields in zip(parts.T, self.trees.model.term_features_, strict=True):
            for field in fields:
                values[:, field] += part / len(fields)
        return values

    def pair_effects(self, inputs: Batch) -> np.ndarray:
        """Returns an EBM's terms of the pairs of fields, (B, pairs), 0 where it has none."""
        parts = self.trees.contributions(matrix(inputs))[:, :-1]
        terms = dict(zip(self.trees.model.term_features_, parts.T, strict=True))
        pairs = itertools.combinations(range(len(self.schema.fields)), 2)
        return np.stack([terms.get(pair, np.zeros(len(parts))) for pair in pairs], axis=1)
