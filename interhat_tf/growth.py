"""What a set's ids were in the set that it grew from."""

import dataclasses
from collections.abc import Mapping
from typing import Any, Self

import numpy as np

NEW = -1
"""What `Growth.sources` has for an id that the earlier set did not have."""


@dataclasses.dataclass(frozen=True)
class Growth:
    """What a set's ids were in the set that it grew from, and what is known of its values.

    Args:
        origin: Name of the set that it grew from.
        sizes: That set's vocabulary sizes, id 0 included, by field.
        dropped: Its ids, from 1 on, whose values were dropped, in order, by field.
        unseen: For each value, in the order of its ids, the number of sets in a
            row, up to this one, whose training rows do not have it, by field.
        counts: For each value the training rows of all sets that have it, by field.
        vocabulary: Digest of what ids stood for in that set, as `PreparedDataset.digests`
            has it.

    Example:

    >>> growth = Growth("day1/1.0.0", {"app": 4}, {"app": [2]}, {"app": [0, 1, 0]}, {}, "")
    >>> growth.sources("app", 4).tolist()  # of ids 0 to 3
    [0, 1, 3, -1]
    """

    origin: str
    sizes: Mapping[str, int]
    dropped: Mapping[str, list[int]]
    unseen: Mapping[str, list[int]]
    counts: Mapping[str, list[int]]
    vocabulary: str

    def sources(self, field: str, size: int) -> np.ndarray:
        """Returns the earlier set's id of each id of a field, `NEW` where it had none.

        Args:
            field: The field.
            size: Number of its ids now, id 0 included.

        Returns:
            (size,) int64.
        """
        kept = np.delete(np.arange(self.sizes[field]), self.dropped.get(field, []))
        return np.concatenate([kept, np.full(size - len(kept), NEW)])

    def to_dict(self) -> dict[str, Any]:
        """Returns the growth as what JSON can hold; `from_dict` is the inverse."""
        return dataclasses.asdict(self)

    @classmethod
    def from_dict(cls, config: Mapping[str, Any]) -> Self:
        """Returns the growth that `to_dict` wrote."""
        return cls(**config)
