"""Records that satisfy a condition as text gives it: FIELD=VALUE,…, in the log's own values."""

import numpy as np

from interhat_tf.explanation.selection import Condition, select_records, where
from interhat_tf.input_pipeline.dataset import PreparedDataset


def condition(data: PreparedDataset, text: str) -> Condition:
    """Returns the condition on a data set's records that a text describes.

    Args:
        data: The `PreparedDataset`.
        text: Pairs of a categorical field and one of its values.

    Returns:
        A function of a batch's inputs, as `select_records` takes it.

    Raises:
        ValueError: If there is no such field or value.
    """
    pairs = [part.partition("=") for part in text.split(",")]
    return where(data.schema, **{field: data.id_of(field, value) for field, _, value in pairs})


def first_records(
    data: PreparedDataset, split: str, number: int, text: str | None = None
) -> dict[str, np.ndarray]:
    """Returns the inputs of the first records of a split, fewer if it has fewer.

    Rows lie in a random order, so that the first ones stand for the split.

    Args:
        data: The `PreparedDataset`.
        split: The split.
        number: Number of the records.
        text: Condition that they satisfy, as for `condition`. Defaults to none.

    Raises:
        ValueError: If no record satisfies it.
    """
    wanted = condition(data, text) if text else None
    batches, found = [], 0
    for batch in select_records(data.schema, data.evaluation_batches(split, 8192), wanted):
        batches.append(batch)
        found += len(next(iter(batch.values())))
        if found >= number:
            break
    if not found:
        raise ValueError(f"no record of {split} has {text}")
    return {kind: np.concatenate([b[kind] for b in batches])[:number] for kind in batches[0]}
