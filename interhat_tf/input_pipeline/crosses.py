"""The crosses of a prepared set: which combinations of values its training rows have."""

import dataclasses
import math
from collections.abc import Collection, Iterable, Sequence

import numpy as np

from interhat_tf.click_counts import FOLDS, folds_of
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
    blocks: Iterable[Batch], schema: Schema, crosses: Iterable[Cross | Sequence[str]]
) -> list[CrossedField]:
    """Makes crosses that are asked for into fields, by the rows of a training split.

    Args:
        blocks: The rows' inputs and, for click counts, their `label`, as NumPy arrays, block
            by block; read only if a cross has a `min_count`.
        schema: Their `Schema`.
        crosses: The crosses: a `Cross`, or the names of its fields alone.

    Raises:
        ValueError: As `Cross` and `Schema` do.
    """
    asked = [cross if isinstance(cross, Cross) else Cross(cross) for cross in crosses]
    # Says what is wrong with the fields before a row is read.
    schema.with_crosses(map(_without_rows, asked))
    counters = {
        number: (_ClickCounter if cross.click_counts else _Counter)(cross.fields, schema)
        for number, cross in enumerate(asked)
        if cross.hash_size is None
    }
    _count(blocks, counters.values())
    return [
        counters[number].field(cross.min_count)
        if cross.min_count is not None
        else CrossedField(cross.fields, hash_size=cross.hash_size)
        for number, cross in enumerate(asked)
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
    counters = [_Counter(fields, schema) for fields in of_fields]
    _count(batches, counters)
    return [counter.combinations() for counter in counters]


def _without_rows(cross: Cross) -> CrossedField:
    """Returns the field of a cross, of which no row has been read."""
    if cross.click_counts:
        nothing = np.zeros((0, len(cross.fields))), np.zeros((0, FOLDS + 1, 2))
        return CrossedField(cross.fields, nothing[0], counts=nothing[1])
    return CrossedField(cross.fields, hash_size=cross.hash_size or 1)


def _count(blocks: Iterable[Batch], counters: Collection["_Counter"]) -> None:
    for block in blocks if counters else ():
        for counter in counters:
            counter.add(block)


class _Counter:
    """Counts the rows of combinations, each of them a single number.

    Args:
        fields: Names of the fields whose values make a combination.
        schema: Their `Schema`.
    """

    more: tuple[int, ...] = ()  # numbers of values of what is counted beside the fields

    def __init__(self, fields: Sequence[str], schema: Schema):
        names, sizes = [field.name for field in schema.categorical], schema.vocabulary_sizes
        self.fields, self.columns = fields, [names.index(name) for name in fields]
        self.shape = (*(sizes[column] for column in self.columns), *self.more)
        if math.prod(self.shape) > np.iinfo("int64").max:
            raise SettingError(
                f"{name_of(fields)}: there are too many combinations; cross fewer fields, or give "
                f"a hash_size"
            )
        self.tables = [(np.empty(0, "int64"), np.empty(0, "int64"))]

    def add(self, block: Batch) -> None:
        """Adds rows."""
        ids = np.asarray(block[CATEGORICAL])[:, self.columns].astype("int64")  # (B, fields)
        values = np.column_stack([ids, *self.beside(block)])  # (B, fields + more)
        known = values[(ids != OUT_OF_VOCABULARY).all(axis=1)]
        numbers = np.ravel_multi_index(tuple(known.T), self.shape)  # (rows,)
        self.tables.append(np.unique(numbers, return_counts=True))
        # Few merges of much, not one of all for each batch.
        if sum(len(table[0]) for table in self.tables[1:]) > len(self.tables[0][0]):
            self._merge()

    def beside(self, block: Batch) -> Sequence[np.ndarray]:
        """Returns what is counted beside the fields, each (B,)."""
        return ()

    def combinations(self) -> Combinations:
        """Returns what has been counted."""
        self._merge()
        numbers, rows = self.tables[0]
        combinations = np.stack(np.unravel_index(numbers, self.shape), axis=1)  # (n, columns)
        return Combinations(combinations.astype("int32"), rows)

    def field(self, min_count: int) -> CrossedField:
        """Returns the field that has an id for each combination of at least `min_count` rows."""
        return CrossedField(self.fields, self.combinations().frequent(min_count))

    def _merge(self) -> None:
        numbers, rows = (np.concatenate(parts) for parts in zip(*self.tables, strict=True))
        merged, places = np.unique(numbers, return_inverse=True)
        totals = np.zeros(len(merged), "int64")
        np.add.at(totals, places, rows)
        self.tables = [(merged, totals)]


class _ClickCounter(_Counter):
    """Counts the rows of combinations by fold and label."""

    more = (FOLDS, 2)

    def beside(self, block: Batch) -> Sequence[np.ndarray]:
        """Returns the rows' folds and labels."""
        return folds_of(len(block["label"])), np.asarray(block["label"], "int64")

    def field(self, min_count: int) -> CrossedField:
        """Returns the field of the clicks of each combination of at least `min_count` rows."""
        found = self.combinations()
        width = len(self.fields)
        known, places = np.unique(found.combinations[:, :width], axis=0, return_inverse=True)
        counts = np.zeros((len(known), FOLDS + 1, 2), "int32")
        folds, labels = found.combinations[:, width:].T
        counts[places.ravel(), folds, labels] = found.rows
        often = counts.sum(axis=(1, 2)) >= min_count
        return CrossedField(self.fields, known[often], counts=counts[often])
