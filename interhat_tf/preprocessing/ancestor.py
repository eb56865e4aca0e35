"""A set that another one grows from: the values of a new log get ids behind its own."""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from interhat_tf.growth import Growth
from interhat_tf.preprocessing.encoding import Encoding
from interhat_tf.preprocessing.fields import Categorical, is_counted
from interhat_tf.preprocessing.vocabulary import ValueCounts
from interhat_tf.utils.digests import content_digest
from interhat_tf.utils.limits import check_limits


@dataclasses.dataclass(frozen=True)
class Ancestor:
    """A prepared set that another one grows from.

    Args:
        name: The set's name.
        encoding: Its `Encoding`.
        unseen: As `Growth.unseen`, of that set.
        counts: As `Growth.counts`, of that set.
        parts: The files that it and those before it were prepared from, as
            `describe_parts` gives them.
        drop_after: Sets in a row without a value, the new one included, after
            which it is dropped. Defaults to `None`: none is.
        drop_below: Training rows, of all sets together, below which a value of the
            earlier set is dropped. Defaults to `None`: none is.

    Raises:
        ValueError: If `drop_after` or `drop_below` is less than 1.
    """

    name: str
    encoding: Encoding
    unseen: Mapping[str, list[int]]
    counts: Mapping[str, list[int]]
    parts: Sequence[Mapping[str, Any]] = ()
    drop_after: int | None = None
    drop_below: int | None = None

    def __post_init__(self) -> None:
        limits = {"drop_after": self.drop_after, "drop_below": self.drop_below}
        check_limits(limits, dict.fromkeys(limits, int))

    @property
    def identity(self) -> dict[str, Any]:
        """What a set that grew from another one, or dropped others, would not have."""
        return {
            "set": self.name,
            "encoding": content_digest(self.encoding.to_dict()),
            "drop_after": self.drop_after,
            "drop_below": self.drop_below,
        }

    def grow(self, values: Mapping[str, ValueCounts]) -> tuple[Encoding, Growth]:
        """Returns the encoding with a new log's values, and how it came about.

        Values that are kept keep their order, and unless others are dropped their
        ids; the new ones follow by falling frequency. All that concerns numbers
        stays as it is.

        Args:
            values: For each field that becomes a category, the `ValueCounts` of
                the new log, of all its values.
        """
        sizes = {name: len(known) + 1 for name, known in self.encoding.vocabularies.items()}
        vocabularies = dict(self.encoding.vocabularies)
        dropped, unseen, counts = {}, {}, {}
        for field in self.encoding.fields:
            if isinstance(field, Categorical) and is_counted(field):
                name = field.name
                vocabularies[name], dropped[name], unseen[name], counts[name] = self._grow_field(
                    field, values[name]
                )
        digest = content_digest(self.encoding.to_dict()["vocabularies"])
        growth = Growth(self.name, sizes, dropped, unseen, counts, digest)
        return dataclasses.replace(self.encoding, vocabularies=vocabularies), growth

    def _grow_field(
        self, field: Categorical, values: ValueCounts
    ) -> tuple[pa.Array, list[int], list[int], list[int]]:
        """Returns the vocabulary, the dropped ids, and what is known of each value."""
        known = self.encoding.vocabularies[field.name]
        texts, rows = values.table["value"].combine_chunks(), values.table["train"]
        places = pc.index_in(known, value_set=texts)
        today = np.asarray(pc.fill_null(pc.take(rows.combine_chunks(), places), 0))
        unseen = np.where(today > 0, 0, np.array(self.unseen[field.name], np.int64) + 1)
        counts = np.array(self.counts[field.name], np.int64) + today
        stale = np.zeros(len(known), bool)
        if self.drop_after is not None:
            stale |= unseen >= self.drop_after
        if self.drop_below is not None:
            stale |= counts < self.drop_below

        is_new = pc.invert(pc.is_in(values.table["value"], value_set=known))
        frequent = pc.greater_equal(rows, max(field.min_count, 1))
        new = ValueCounts(values.table.filter(pc.and_(is_new, frequent)), 0)
        by_value = dict(zip(*new.table.to_pydict().values(), strict=True))
        added = new.by_frequency()
        vocabulary = pa.concat_arrays([known.filter(pa.array(~stale)), added])
        return (
            vocabulary,
            (np.flatnonzero(stale) + 1).tolist(),
            [*unseen[~stale].tolist(), *[0] * len(added)],
            [*counts[~stale].tolist(), *(by_value[value] for value in added.to_pylist())],
        )
