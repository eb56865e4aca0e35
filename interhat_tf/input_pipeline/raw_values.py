"""Raw records to a model's inputs, and back to values that a reader understands."""

from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from interhat_tf.preprocessing.encoding import Encoding, encode_values
from interhat_tf.preprocessing.fields import (
    Categorical,
    Column,
    RawField,
    as_text,
    parse_numbers,
)
from interhat_tf.schema import CATEGORICAL, NUMERICAL, Schema

Records: TypeAlias = pa.Table | Mapping[str, Sequence[Any]]
"""Raw records: a table, or a dictionary of lists."""


def encode_records(records: Records, encoding: Encoding) -> dict[str, np.ndarray]:
    """Turns raw records into a model's inputs; see `PreparedDataset.encode`.

    Args:
        records: The records, with a column for each raw field.
        encoding: The set's `Encoding`.

    Raises:
        ValueError: If a field is missing, or a value is not of its kind. The
            message names the field.
    """
    given = records.column_names if isinstance(records, pa.Table) else list(records)
    missing = {field.name for field in encoding.fields} - set(given)
    if missing:
        raise ValueError(f"the records have no {', '.join(sorted(missing))}")
    values = {field.name: _raw_column(records, field) for field in encoding.fields}
    columns = encode_values(pa.table(values), encoding)  # each (fields, B)
    return {kind: np.ascontiguousarray(column.T) for kind, column in columns.items()}


def decode_inputs(
    inputs: Mapping[str, Any],
    schema: Schema,
    vocabularies: Mapping[str, Sequence[str]],
    ranges: Mapping[str, Sequence[float]],
) -> np.ndarray:
    """Returns the readable values of a model's inputs; see `PreparedDataset.decode`.

    Args:
        inputs: Dictionary of `categorical`, (B, C), and `numerical`, (B, N).
        schema: The inputs' `Schema`.
        vocabularies: For each categorical field, the values of ids 1, 2, ….
        ranges: For each numerical field, the training rows' minimum and maximum.

    Returns:
        (B, C + N) texts in the order of the schema's `record_fields`.
    """
    columns = []
    for field, ids in zip(
        schema.categorical, np.asarray(inputs.get(CATEGORICAL, ())).T, strict=True
    ):
        names = ["(other)", *(name or "(missing)" for name in vocabularies[field.name])]
        columns.append(np.array(names, object)[ids])
    for field, numbers in zip(
        schema.numerical, np.asarray(inputs.get(NUMERICAL, ())).T, strict=True
    ):
        low, high = ranges[field.name]
        columns.append([f"{low + float(v) * (high - low):.6g}" for v in numbers])
    return np.array(columns, object).T  # (B, m)


def _raw_column(records: Records, field: RawField) -> Column:
    """Returns a field's raw values as `encode_values` takes them: text, or finite numbers."""
    values = records[field.name]
    try:
        if isinstance(values, str):
            raise TypeError("a text is not a list")
        column = values if isinstance(records, pa.Table) else pa.array(values)
        if isinstance(field, Categorical):
            return as_text(column)
        numbers, right = parse_numbers(column)
    except (pa.ArrowException, TypeError, OverflowError) as error:
        raise ValueError(
            f"field {field.name!r}: the values are not a list of texts or of numbers ({error})"
        ) from error
    finite = right & np.asarray(pc.fill_null(pc.is_finite(numbers), True))
    if not finite.all():
        row = int(finite.argmin())
        value = column[row].as_py()
        problem = (
            f"the number is {value}; it must be finite"
            if right[row]
            else f"{value!r} is not a number; a missing one is None"
        )
        raise ValueError(f"field {field.name!r}, row {row}: {problem}")
    return numbers
