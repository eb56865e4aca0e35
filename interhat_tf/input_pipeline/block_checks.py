"""What is asked of all rows of a split: that they follow the schema, and what they weigh."""

from collections.abc import Iterable, Mapping

import numpy as np

from interhat_tf.errors import DamagedFileError, DataError
from interhat_tf.input_pipeline.raw_values import names_with_ids, unknown_parts
from interhat_tf.schema import Schema

Blocks = Iterable[Mapping[str, np.ndarray]]
"""Blocks of rows, as `blocks.decode_blocks` gives them."""


def check_blocks(blocks: Blocks, schema: Schema, rows: int, where: str) -> None:
    """Raises an error if a row does not follow the schema, or rows are missing.

    Args:
        blocks: The blocks of a split.
        schema: The set's schema.
        rows: Number of rows that there should be.
        where: The set and the split, for the message.

    Raises:
        ValueError: If an id is outside its field's vocabulary, a number is not finite, a
            label is neither 0 nor 1, a weight is negative or not finite, all weights are
            0, or rows are missing. The message names the field and the row.
    """
    row, heaviest = 0, None
    for block in blocks:
        schema.check(block, where=where, first_row=row)
        labels = block["label"]
        _check(labels <= 1, labels, f"{where}: label", row, "neither 0 nor 1")
        if "weight" in block:
            weights = block["weight"]
            right = np.isfinite(weights) & (weights >= 0)
            _check(right, weights, f"{where}: weight", row, "negative or not finite")
            heaviest = max(heaviest or 0.0, float(weights.max(initial=0)))
        row += len(labels)
    if row != rows:
        raise DamagedFileError(f"{where}: {row} rows found, {rows} expected; prepare the set again")
    if heaviest == 0:
        raise DataError(f"{where}: all weights are 0; prepare the set with others")


def sum_weights(blocks: Blocks) -> tuple[float, float]:
    """Returns the weight of all rows without a click, and that of all with one.

    Args:
        blocks: The blocks of a split. Rows without weights weigh 1.

    Example:

    >>> block = {"label": np.array([0, 1, 1]), "weight": np.array([2, 3, 0.5], "float32")}
    >>> sum_weights([block, block])
    (4.0, 7.0)
    """
    sums = np.zeros(2)
    for block in blocks:
        weights = block.get("weight")
        sums += np.bincount(block["label"], weights, minlength=2)
    return float(sums[0]), float(sums[1])


def sum_unknown(blocks: Blocks, schema: Schema) -> np.ndarray:
    """Returns the number of rows whose value is out of vocabulary, of each field with ids.

    A row with several values counts by the share of them that is.

    Args:
        blocks: The blocks of a split.
        schema: The set's schema.
    """
    counts = np.zeros(len(names_with_ids(schema)))
    for block in blocks if len(counts) else ():
        counts += unknown_parts(block, schema).sum(axis=0)
    return counts


def _check(right, values, where, first_row, problem):
    if not right.all():
        position = int(right.argmin())
        raise DamagedFileError(
            f"{where}, row {first_row + position}: {values[position]} is {problem}"
        )
