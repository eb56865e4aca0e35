"""Records that satisfy a condition as text gives it: FIELD=VALUE,…, in the log's own values."""

import csv

import numpy as np

from interhat_tf.errors import SettingError
from interhat_tf.explanation.selection import Condition, where
from interhat_tf.input_pipeline.dataset import PreparedDataset


def condition(data: PreparedDataset, text: str) -> Condition:
    """Returns the condition on a data set's records that a text describes.

    Args:
        data: The `PreparedDataset`.
        text: Pairs of a categorical field and one of its values, all of which have to hold. One
            with a comma stands in double quotes: `"app=Hello, world",user=u1`.

    Returns:
        A function of a batch's inputs, as `select_records` takes it.

    Raises:
        ValueError: If there is no such field or value.
    """
    try:
        (parts,) = csv.reader([text], strict=True)
        pairs = [_field_and_value(data, part) for part in parts]
        # One for each pair: of several values, a field may have to have two.
        wanted = [where(data.schema, **{field: data.id_of(field, value)}) for field, value in pairs]
    except (SettingError, csv.Error) as error:
        if "," not in text:
            raise
        advice = 'a pair with a comma stands in quotes: "FIELD=A, B"'
        raise SettingError(f"{error}; {advice}") from error
    return lambda inputs: np.all([holds(inputs) for holds in wanted], axis=0)


def _field_and_value(data: PreparedDataset, part: str) -> tuple[str, str]:
    """Returns what stands before and behind the `=`; a field may have one in its name."""
    names = [field for field in data.schema.field_names if part.startswith(f"{field}=")]
    field = max(names, key=len, default=part.partition("=")[0])
    return field, part[len(field) + 1 :]
