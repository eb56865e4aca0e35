"""The crosses of a prepared set: which combinations of values its training rows have."""

import dataclasses
import math
from collections.abc import Iterable, Sequence

import numpy as np

from interhat_tf.crosses import Cross, CrossedField, name_of
from interhat_tf.errors import SettingError
from interhat_tf.schema import CATEGORICAL, OUT_OF_VOCABULARY, Batch, Schema


@dataclasses.dataclass(frozen=True)
class Combinations:
    """The combinations of some fields' values, and how many rows have each.

    Args:
        combinations: Combinations of ids, (n, fields), in order; none holds a
            value out of vocabulary.
        rows: Rows that have them, (n,).
    """

    combinations: np.ndarray
    rows: np.ndarray

    def frequent(self, min_count: int) -> np.ndarray:
        """Returns the combinations that at least `min_count` rows have."""
        return self.combinations[self.rows >= min_count]


def fit_crosses(
    batches: Iterable[Batch], schema: Schema, crosses: Iterable[Cross | Sequence[str]]
) -> list[CrossedField]:
    """Makes crosses that are asked for into fields, by the rows of a training split.

    Args:
        batches: The rows' inputs, as NumPy arrays; read only if a cross has a
            `min_count`.
        schema: Their `Schema`.
        crosses: The crosses: a `Cross`, or the names of its fields alone.

    Raises:
        ValueError: As `Cross` and `Schema` do.
    """
    asked = [cross if isinstance(cross, Cross) else Cross(cross) for cross in crosses]
    # Says what is wrong with the fields before a row is read.
    schema.with_crosses(CrossedField(cross.fields, hash_size=1) for cross in asked)
    counted = [cross for cross in asked if cross.hash_size is None]
    found = iter(count_combinations(batches, schema, [cross.fields for cross in counted]))
    return [
        CrossedField(cross.fields, next(found).frequent(cross.min_count))
        if cross.min_count is not None
        else CrossedField(cross.fields, hash_size=cross.hash_size)
        for cross in asked
    ]


def count_combinations(
    batches: Iterable[Batch], schema: Schema, of_fields: Sequence[Sequence[str]]
) -> list[Combinations]:
    """Counts the rows of each combination of some fields' values, in one pass.

    All combinations that occur are in memory, 16 bytes each.

    Args:
        batches: The rows' inputs, as NumPy arrays.
        schema: Their `Schema`.
        of_fields: For each count, the names of categorical fields.

    Raises:
        ValueError: If there are more possible combinations than can be numbered.
    """
    names = [field.name for field in schema.categorical]
    counters = [
        _Counter([names.index(name) for name in fields], schema, name_of(fields))
        for fields in of_fields
    ]
    for batch in batches if counters else ():
        for counter in counters:
            counter.add(np.asarray(batch[CATEGORICAL]))
    return [counter.combinations() for counter in counters]


class _Counter:
    """Counts combinations, each of them a single number."""

    def __init__(self, columns: list[int], schema: Schema, name: str):
        self.columns, sizes = columns, schema.vocabulary_sizes
        self.shape = tuple(sizes[column] for column in columns)
        if math.prod(self.shape) > np.iinfo("int64").max:
            raise SettingError(f"{name}: there are too many combinations; give it a hash_size")
        self.tables = [(np.empty(0, "int64"), np.empty(0, "int64"))]

    def add(self, ids: np.ndarray) -> None:
        """Adds rows, (B, C)."""
        ids = ids[:, self.columns].astype("int64")  # (B, fields)
        known = ids[(ids != OUT_OF_VOCABULARY).all(axis=1)]
        numbers = np.ravel_multi_index(tuple(known.T), self.shape)  # (rows,)
        self.tables.append(np.unique(numbers, return_counts=True))
        # Few merges of much, not one of all for each batch.
        if sum(len(table[0]) for table in self.tables[1:]) > len(self.tables[0][0]):
            self._merge()

    def combinations(self) -> Combinations:
        """Returns what has been counted."""
        self._merge()
        numbers, rows = self.tables[0]
        combinations = np.stack(np.unravel_index(numbers, self.shape), axis=1)  # (n, fields)
        return Combinations(combinations.astype("int32"), rows)

    def _merge(self) -> None:
        numbers, rows = (np.concatenate(parts) for parts in zip(*self.tables, strict=True))
        merged, places = np.unique(numbers, return_inverse=True)
        totals = np.zeros(len(merged), "int64")
        np.add.at(totals, places, rows)
        self.tables = [(merged, totals)]
