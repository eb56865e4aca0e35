"""Records that satisfy a condition as text gives it: FIELD=VALUE,…, in the log's own values."""

import numpy as np

from interhat_tf.explanation.selection import Condition, where
from interhat_tf.input_pipeline.dataset import PreparedDataset


def condition(data: PreparedDataset, text: str) -> Condition:
    """Returns the condition on a data set's records that a text describes.

    Args:
        data: The `PreparedDataset`.
        text: Pairs of a categorical field and one of its values, all of which have to hold.

    Returns:
        A function of a batch's inputs, as `select_records` takes it.

    Raises:
        ValueError: If there is no such field or value.
    """
    pairs = [part.partition("=") for part in text.split(",")]
    # One for each pair: of several values, a field may have to have two.
    wanted = [where(data.schema, **{field: data.id_of(field, value)}) for field, _, value in pairs]
    return lambda inputs: np.all([holds(inputs) for holds in wanted], axis=0)
