"""Crossed fields: combinations of the values of two or three fields that have ids of their own."""

import base64
import dataclasses
import functools
import zlib
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from interhat_tf.errors import SettingError

SIZES = (2, 3)
"""How many fields a cross may have."""

MIN_COUNT = 2
"""Training rows that a combination needs to have an id, unless another number is asked for."""


@dataclasses.dataclass(frozen=True)
class Cross:
    """A cross that is asked for; `PreparedDataset.with_crosses` makes a `CrossedField` of it.

    Args:
        fields: Names of two or three categorical fields.
        min_count: Training rows that a combination of their values needs to have
            an id of its own; a rarer one is out of vocabulary. Defaults to 2
            where there is no `hash_size`.
        hash_size: Number of ids that all combinations share, by a hash: for
            crosses of too many combinations. Defaults to `None`: no hash.

    Raises:
        ValueError: If there are not two or three different fields, a number is
            less than 1, or both numbers are given.

    Example:

    >>> Cross(("user", "app")).min_count
    2
    """

    fields: Sequence[str]
    min_count: int | None = None
    hash_size: int | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "fields", _checked_names(self.fields))
        if self.min_count is not None and self.hash_size is not None:
            raise SettingError(
                f"cross {name_of(self.fields)!r}: min_count and hash_size do not go together; "
                f"give one"
            )
        for name in ("min_count", "hash_size"):
            if (value := getattr(self, name)) is not None and value < 1:
                raise SettingError(
                    f"cross {name_of(self.fields)!r}: {name} must be at least 1, got {value}"
                )
        if self.min_count is None and self.hash_size is None:
            object.__setattr__(self, "min_count", MIN_COUNT)


@dataclasses.dataclass(frozen=True, eq=False)
class CrossedField:
    """A field of a schema whose value is the combination of other fields' values.

    Records do not hold it: its id follows from the ids of its fields. Id 0 is
    out of vocabulary; a combination has it if one of its values has, or if the
    combination is not among those known.

    Args:
        fields: Names of two or three categorical fields.
        combinations: The combinations of ids that are known, (n, fields); sorted,
            they have the ids 1 to n. None holds an id 0. Defaults to `None`.
        hash_size: In place of combinations: number of ids, from 1 on, that all
            combinations share by a hash. Defaults to `None`.

    Raises:
        ValueError: If the fields are not two or three different ones, not one of
            the two ways is given, or a combination is twice there or holds an
            id less than 1.

    Example:

    >>> cross = CrossedField(("user", "app"), combinations=np.array([[4, 1], [2, 3]]))
    >>> cross.name, cross.vocabulary_size
    ('user x app', 3)
    >>> CrossedField.from_dict(cross.to_dict()) == cross
    True
    """

    fields: Sequence[str]
    combinations: np.ndarray | None = None
    hash_size: int | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "fields", _checked_names(self.fields))
        if (self.combinations is None) == (self.hash_size is None):
            raise SettingError(f"cross {self.name!r}: give either combinations or hash_size")
        if self.hash_size is not None and self.hash_size < 1:
            raise SettingError(
                f"cross {self.name!r}: hash_size must be at least 1, got {self.hash_size}"
            )
        if self.combinations is not None:
            object.__setattr__(self, "combinations", self._sorted(self.combinations))

    @property
    def name(self) -> str:
        """The field's name: those of its fields, `user x app`."""
        return name_of(self.fields)

    @property
    def vocabulary_size(self) -> int:
        """Number of ids, id 0 (out of vocabulary) included."""
        if self.combinations is None:
            return 1 + (self.hash_size or 0)
        return 1 + len(self.combinations)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, CrossedField) and self.to_dict() == other.to_dict()

    def __hash__(self) -> int:
        return hash((self.fields, self.hash_size, self._text))

    def __repr__(self) -> str:
        return f"<CrossedField {self.name!r} of {self.vocabulary_size:,} ids>"

    def to_dict(self) -> dict[str, Any]:
        """Returns the field as JSON-serialisable data, for `from_dict`."""
        how = {"hash_size": self.hash_size} if self.hash_size else {"combinations": self._text}
        return {"fields": list(self.fields), **how}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> "CrossedField":
        """Builds a field from what `to_dict` returned."""
        fields = tuple(data["fields"])
        if "hash_size" in data:
            return cls(fields, hash_size=data["hash_size"])
        steps = np.frombuffer(zlib.decompress(base64.b64decode(data["combinations"])), "<i4")
        return cls(fields, steps.reshape(len(fields), -1).cumsum(axis=1).T)

    @functools.cached_property
    def _text(self) -> str | None:
        """The combinations as text: of each column the steps from row to row, compressed."""
        if self.combinations is None:
            return None
        steps = np.diff(self.combinations, axis=0, prepend=0).T.astype("<i4")  # (fields, n)
        return base64.b64encode(zlib.compress(steps.tobytes())).decode()

    def _sorted(self, combinations: Any) -> np.ndarray:
        array = np.asarray(combinations)
        if not array.size:
            array = np.empty((0, len(self.fields)), "int32")
        if array.ndim != 2 or array.shape[1] != len(self.fields):
            raise SettingError(
                f"cross {self.name!r}: combinations must have shape (n, {len(self.fields)}), "
                f"got {array.shape}"
            )
        if (array < 1).any():  # id 0 is out of vocabulary
            raise SettingError(f"cross {self.name!r}: a combination holds an id less than 1")
        array = array[np.lexsort(array.T[::-1])].astype("int32")
        if (array[1:] == array[:-1]).all(axis=1).any():
            raise SettingError(f"cross {self.name!r}: a combination is there twice")
        return array


def name_of(parts: Sequence[str]) -> str:
    """Returns what a cross is called: the names of its fields or their values, `user x app`."""
    return " x ".join(parts)


def _checked_names(fields: Sequence[str]) -> tuple[str, ...]:
    names = (fields,) if isinstance(fields, str) else tuple(fields)
    if len(names) not in SIZES or len(set(names)) < len(names):
        raise SettingError(
            f"a cross is of two or three different fields, got {', '.join(names) or 'none'}"
        )
    return names
