"""Which records of a data set are explained: those that satisfy a condition."""

from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Any

import keras
import numpy as np

from interhat_tf.errors import DataError, SettingError
from interhat_tf.schema import Batch, Schema

if TYPE_CHECKING:
    from interhat_tf.input_pipeline.dataset import PreparedDataset

Condition = Callable[[Batch], np.ndarray]
"""A function of a batch's inputs, as NumPy arrays, that returns a boolean mask, (B,)."""


def select_records(
    schema: Schema, batches: Iterable[Any], condition: Condition | None = None
) -> Iterator[Batch]:
    """Reads the records that satisfy a condition.

    Args:
        schema: The records' `Schema`.
        batches: Iterable, such as a `tf.data.Dataset`, of batches: `inputs`, a
            dictionary of arrays as the schema has it, or `(inputs, labels)`,
            or with weights as well. Batches may differ in size.
        condition: The `Condition` that they satisfy; see `where`. Defaults to
            all records.

    Yields:
        The inputs of each batch's records that satisfy the condition, as NumPy
        arrays; a batch without such a record is left out.

    Raises:
        ValueError: If a batch does not follow the schema, or the condition does
            not return a boolean mask.
    """
    for inputs, _ in _selected(schema, batches, condition):
        yield inputs


def _selected(
    schema: Schema, batches: Iterable[Any], condition: Condition | None
) -> Iterator[tuple[Batch, Any]]:
    """Yields what `select_records` does, and the records' labels, `None` if batches have none."""
    first_row = 0
    for batch in batches:
        inputs, labels, _ = keras.utils.unpack_x_y_sample_weight(batch)
        inputs = {name: np.asarray(value) for name, value in inputs.items()}
        schema.check(inputs, first_row=first_row)
        rows = len(next(iter(inputs.values())))
        first_row += rows
        labels = None if labels is None else np.asarray(labels).reshape(rows)  # (B,)
        if condition is not None:
            mask = matches(condition, inputs)
            inputs = {name: value[mask] for name, value in inputs.items()}
            labels = None if labels is None else labels[mask]
            rows = int(mask.sum())
        if rows:
            yield inputs, labels


def matches(condition: Condition, inputs: Batch) -> np.ndarray:
    """Returns which records of a batch satisfy a condition, a boolean mask, (B,).

    Args:
        condition: The condition; see `select_records`.
        inputs: The batch, as NumPy arrays.

    Raises:
        ValueError: If the condition does not return a boolean mask.
    """
    rows = len(next(iter(inputs.values())))
    mask = np.asarray(condition(inputs))
    if mask.dtype != bool or mask.shape != (rows,):
        raise SettingError(
            f"a condition must return a boolean mask of shape ({rows},), "
            f"got {mask.dtype} of shape {mask.shape}"
        )
    return mask


def where(schema: Schema, /, **ids: int) -> Condition:
    """Makes the condition that fields have the given values; multivalued ones, among others.

    Args:
        schema: The record's `Schema`.
        **ids: Id that each named field must have, or have among its values.

    Returns:
        A function of a batch's inputs that returns a boolean mask, (B,).

    Raises:
        ValueError: If a field is unknown, numerical or a cross, or its vocabulary has no
            such id.

    Example:

    >>> from interhat_tf import Field, Schema
    >>> schema = Schema([Field(f"f{i}", "categorical", 11) for i in range(1, 5)])
    >>> where(schema, f3=3, f4=4)({"categorical": np.array([[1, 2, 3, 4], [4, 4, 4, 4]])})
    array([ True, False])
    """
    fields = {field.name: field for field in (*schema.categorical, *schema.multivalued)}
    for name, value in ids.items():
        if name not in fields:
            others = {field.name: "numerical" for field in schema.numerical}
            others |= {cross.name: "a cross" for cross in schema.crosses}
            problem = others.get(name, "not in the schema")
            raise SettingError(
                f"field {name!r} is {problem}; a condition needs a categorical field"
            )
        size = fields[name].vocabulary_size
        if value not in range(size):
            raise SettingError(f"field {name!r}: id {value} is outside the vocabulary [0, {size})")
    wanted = []
    for name, value in ids.items():
        field = fields[name]
        mine = np.equal(schema.columns[field.entry], schema.record_fields.index(field))
        wanted.append((field.entry, mine, value))

    def holds(inputs: Batch) -> np.ndarray:
        right = np.ones(len(next(iter(inputs.values()))), bool)  # (B,)
        for kind, mine, value in wanted:
            right &= (np.asarray(inputs[kind])[:, mine] == value).any(axis=1)
        return right

    return holds


def first_records(
    data: "PreparedDataset", split: str, number: int, condition: Condition | None = None
) -> dict[str, np.ndarray]:
    """Returns the inputs of the first records of a split; see `first_labelled`."""
    return first_labelled(data, split, number, condition)[0]


def first_labelled(
    data: "PreparedDataset", split: str, number: int, condition: Condition | None = None
) -> tuple[dict[str, np.ndarray], np.ndarray]:
    """Returns inputs and labels of the first records of a split, fewer if it has fewer.

    Rows lie in a random order, so that the first ones stand for the split.

    Args:
        data: The `PreparedDataset`.
        split: The split.
        number: Number of the records.
        condition: The `Condition` that they satisfy. Defaults to all records.

    Raises:
        ValueError: If no record satisfies it.
    """
    found, rows = [], 0
    with data.naming_damage(split):
        for batch in _selected(data.schema, data.evaluation_batches(split), condition):
            found.append(batch)
            rows += len(batch[1])
            if rows >= number:
                break
    if not found:
        raise DataError(f"no record of {split} satisfies the condition")
    inputs, labels = zip(*found, strict=True)
    joined = {
        kind: np.concatenate([batch[kind] for batch in inputs])[:number] for kind in inputs[0]
    }
    return joined, np.concatenate(labels)[:number]
