"""What the values of records are called, and which of them a model does not know."""

from typing import Any

import numpy as np

from interhat_tf.click_counts import count_text
from interhat_tf.crosses import name_of
from interhat_tf.layers import CrossedFields
from interhat_tf.schema import (
    CATEGORICAL,
    MISSING,
    MULTIVALUED,
    NOTHING,
    OTHER,
    OUT_OF_VOCABULARY,
    PADDING,
    SEQUENCE,
    Batch,
    Schema,
)
from interhat_tf.utils.value_texts import ValueTexts


def with_crossed_values(schema: Schema, inputs: Batch, values: np.ndarray) -> np.ndarray:
    """Returns records' values with those of the crosses in their places, (B, m).

    Args:
        schema: The records' `Schema`.
        inputs: The records.
        values: Readable text, (B, C + N + V), in the order of `schema.record_fields`.
    """
    if not schema.crosses:
        return values
    names = [field.name for field in schema.record_fields]
    ids = np.asarray(CrossedFields(schema)(inputs[CATEGORICAL]))[:, len(schema.categorical) :]
    crossed = np.full(ids.shape, OTHER, object)  # (B, X)
    for cross, of_cross, ids_of in zip(schema.crosses, crossed.T, ids.T, strict=True):
        if cross.counts is not None:
            of_cross[:] = [count_text(number) for number in ids_of.tolist()]
            continue
        parts = values[:, [names.index(name) for name in cross.fields]]  # (B, fields)
        of_cross[ids_of > 0] = [name_of(row) for row in parts[ids_of > 0]]
    categorical, others = np.split(values, [len(schema.categorical)], axis=1)
    return np.concatenate([categorical, crossed, others], axis=1)


def unknown_values(schema: Schema, inputs: Batch) -> np.ndarray:
    """Returns which of the records' values are out of vocabulary, (B, m); of crosses, none.

    Those of a field of several values are if one of them is.

    Args:
        schema: The records' `Schema`.
        inputs: The records.
    """
    unknown = np.zeros((len(next(iter(inputs.values()))), len(schema.fields)), bool)
    if schema.categorical:
        unknown[:, : len(schema.categorical)] = inputs[CATEGORICAL] == OUT_OF_VOCABULARY
    for column, place in enumerate(schema.columns.get(MULTIVALUED, ())):
        field = schema.field_names.index(schema.record_fields[place].name)
        unknown[:, field] |= inputs[MULTIVALUED][:, column] == OUT_OF_VOCABULARY
    return unknown


def given_values(values: Any) -> np.ndarray:
    """Returns values that somebody gave as text, (B, fields); `None` and NaN are missing.

    Example:

    >>> given_values([["maps", np.nan], [7, None]]).tolist()
    [['maps', '(missing)'], ['7', '(missing)']]
    """
    return np.vectorize(_text, otypes=[object])(np.asarray(values, object))


def _text(value: Any) -> str:
    if isinstance(value, str):  # `ValueTexts`, too
        return value
    try:
        missing = value is None or bool(value != value)
    except TypeError:  # of pandas' NA
        missing = True
    return MISSING if missing else str(value)


def _plain(value: float) -> str:
    """Returns an id, which is whole, in all its digits, and a number in six."""
    return MISSING if value != value else str(value) if isinstance(value, int) else f"{value:g}"


def plain_values(schema: Schema, inputs: Batch) -> np.ndarray:
    """Returns the ids and numbers of records as text, (B, C + N + V).

    Args:
        schema: The records' `Schema`.
        inputs: The records.
    """
    columns: list[list[str]] = []
    for place, field in enumerate(schema.record_fields):
        mine = np.equal(schema.columns[field.entry], place)
        ids = inputs[field.entry][:, mine]  # (B, its columns)
        if field.entry == MULTIVALUED:
            lists = [row[row != PADDING].tolist() for row in ids]
            empty = NOTHING if field.kind == SEQUENCE else MISSING
            columns.append([ValueTexts(list(map(str, row))) if row else empty for row in lists])
        else:
            columns.append([_plain(value) for value in ids[:, 0].tolist()])
    return np.array(columns, object).T  # (B, fields)
