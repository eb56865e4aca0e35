"""A prepared set's records as libraries of trees take them: one matrix, a column a field."""

import numpy as np

from interhat_tf.input_pipeline.dataset import PreparedDataset
from interhat_tf.layers import CrossedFields
from interhat_tf.schema import CATEGORICAL, FOLD, NUMERICAL, Batch, Schema

ROWS = 65_536

Records = tuple[np.ndarray, np.ndarray]
"""Fields, (n, m), and labels, (n,)."""


def read_records(data: PreparedDataset, split: str) -> Records:
    """Returns the records of a split in stored order; crosses are behind the categorical fields."""
    batches = data.evaluation_batches(split, ROWS).as_numpy_iterator()
    crossing = CrossedFields(data.schema)
    parts = []
    for inputs, labels in batches:
        if data.schema.crosses:
            crossed = crossing(inputs[CATEGORICAL], inputs.get(FOLD))  # (n, C + X)
            inputs = {**inputs, CATEGORICAL: np.asarray(crossed)}
        parts.append((matrix(inputs), labels))
    fields, labels = (np.concatenate(part) for part in zip(*parts, strict=True))
    return fields, labels


def matrix(inputs: Batch) -> np.ndarray:
    """Returns a model's inputs as one matrix, (n, m): the categorical fields, then the numerical.

    Without numerical fields it holds integers.

    Example:

    >>> matrix({"categorical": np.array([[4, 1]]), "numerical": np.array([[0.5]])})
    array([[4. , 1. , 0.5]])
    """
    kinds = [np.asarray(inputs[kind]) for kind in (CATEGORICAL, NUMERICAL) if kind in inputs]
    return np.concatenate(kinds, axis=1)  # (n, m)


def categorical_columns(schema: Schema) -> list[int]:
    """Returns the positions of the categorical fields in `matrix`."""
    return list(range(len(schema.vocabulary_sizes)))
