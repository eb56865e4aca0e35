"""Crossed fields: combinations of other fields' values, or how often these were clicked on."""

import base64
import dataclasses
import functools
import zlib
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from interhat_tf.click_counts import FOLDS, NUM_IDS, count_ids
from interhat_tf.errors import SettingError

SIZES = (2, 3)
"""How many fields a cross may have; with click counts it may be of a single one."""

MIN_COUNT = 2
"""Training rows that a combination needs to have an id, unless another number is asked for.

With click counts it is 1."""


@dataclasses.dataclass(frozen=True)
class Cross:
    """A cross that is asked for; `PreparedDataset.with_crosses` makes a `CrossedField` of it.

    Args:
        fields: Names of two or three categorical fields; with click counts, or of one.
        min_count: Training rows that a combination of their values needs to have
            an id of its own, or counts; a rarer one is out of vocabulary. Defaults to 2
            where there is no `hash_size`, and to 1 with click counts.
        hash_size: Number of ids that all combinations share, by a hash: for
            crosses of too many combinations. Defaults to `None`: no hash.
        click_counts: Whether the field says, in place of which combination it is, how many
            training records of it had a click and how many had none; see
            `interhat_tf.click_counts`. Defaults to `False`.

    Raises:
        ValueError: If there are not two or three different fields, a number is
            less than 1, or a `hash_size` is given with another argument.

    Example:

    >>> Cross(("user", "app")).min_count
    2
    """

    fields: Sequence[str]
    min_count: int | None = None
    hash_size: int | None = None
    click_counts: bool = False

    def __post_init__(self) -> None:
        object.__setattr__(self, "fields", _checked_names(self.fields, self.click_counts))
        for other in ("min_count", "click_counts"):
            if self.hash_size is not None and getattr(self, other):
                raise SettingError(
                    f"cross {name_of(self.fields)!r}: {other} and hash_size do not go together; "
                    f"give one"
                )
        for name in ("min_count", "hash_size"):
            if (value := getattr(self, name)) is not None and value < 1:
                raise SettingError(
                    f"cross {name_of(self.fields)!r}: {name} must be at least 1, got {value}"
                )
        if self.min_count is None and self.hash_size is None:
            object.__setattr__(self, "min_count", 1 if self.click_counts else MIN_COUNT)


@dataclasses.dataclass(frozen=True, eq=False)
class CrossedField:
    """A field of a schema whose value is the combination of other fields' values, or its clicks.

    Records do not hold it: its id follows from the ids of its fields. Id 0 is
    out of vocabulary; a combination has it if one of its values has, or if the
    combination is not among those known. With click counts, ids are those of
    `click_counts.count_ids`, and id 0 is that there was no record.

    Args:
        fields: Names of two or three categorical fields; with `counts`, or of one.
        combinations: The combinations of ids that are known, (n, fields); sorted,
            they have the ids 1 to n. None holds an id 0. Defaults to `None`.
        hash_size: In place of combinations: number of ids, from 1 on, that all
            combinations share by a hash. Defaults to `None`.
        counts: Of each combination, in the same order, how many records had no click and how
            many had one, (n, `FOLDS` + 1, 2): by fold of the training records, and last those
            of no fold, which training records see as well. Defaults to `None`: the field's
            ids are of combinations.

    Raises:
        ValueError: If the fields are not as many different ones as they may be, not one of
            the two ways is given, a combination is twice there or holds an
            id less than 1, or the counts are not of the combinations.

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
    counts: np.ndarray | None = None

    def __post_init__(self) -> None:
        names = _checked_names(self.fields, self.counts is not None)
        object.__setattr__(self, "fields", names)
        if (self.combinations is None) == (self.hash_size is None):
            raise SettingError(f"cross {self.name!r}: give either combinations or hash_size")
        if self.hash_size is not None and self.hash_size < 1:
            raise SettingError(
                f"cross {self.name!r}: hash_size must be at least 1, got {self.hash_size}"
            )
        if self.combinations is not None:
            self._sort()

    @property
    def name(self) -> str:
        """The field's name: those of its fields, `user x app`, or `clicks of user x app`."""
        return name_of(self.fields) if self.counts is None else f"clicks of {name_of(self.fields)}"

    @property
    def vocabulary_size(self) -> int:
        """Number of ids, id 0 (out of vocabulary) included."""
        if self.counts is not None:
            return NUM_IDS
        if self.combinations is None:
            return 1 + (self.hash_size or 0)
        return 1 + len(self.combinations)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, CrossedField) and self.to_dict() == other.to_dict()

    def __hash__(self) -> int:
        return hash((self.name, self.hash_size, self._text))

    def __repr__(self) -> str:
        return f"<CrossedField {self.name!r} of {self.vocabulary_size:,} ids>"

    def count_ids(self) -> np.ndarray:
        """Returns the ids of the combinations' click counts, (n, `FOLDS` + 1).

        First what a record of each fold sees: all records but those of its fold; then all.
        """
        if self.counts is None:
            raise SettingError(f"cross {self.name!r} has no click counts")
        total = self.counts.sum(axis=1, keepdims=True, dtype="int64")  # (n, 1, 2)
        seen = np.concatenate([total - self.counts[:, :FOLDS], total], axis=1)  # (n, F + 1, 2)
        return count_ids(seen[..., 1], seen[..., 0])

    def to_dict(self) -> dict[str, Any]:
        """Returns the field as JSON-serialisable data, for `from_dict`."""
        if self.hash_size:
            return {"fields": list(self.fields), "hash_size": self.hash_size}
        data = {"fields": list(self.fields), "combinations": self._text}
        if self.counts is None:
            return data
        # Fold by fold: long rows of small numbers, which compress well.
        return {**data, "counts": _compressed(np.moveaxis(self.counts, 0, -1))}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> "CrossedField":
        """Builds a field from what `to_dict` returned."""
        fields = tuple(data["fields"])
        if "hash_size" in data:
            return cls(fields, hash_size=data["hash_size"])
        steps = _decompressed(data["combinations"]).reshape(len(fields), -1)
        counts = None
        if "counts" in data:
            by_fold = _decompressed(data["counts"]).reshape(FOLDS + 1, 2, -1)
            counts = np.moveaxis(by_fold, -1, 0)  # (n, F + 1, 2)
        return cls(fields, steps.cumsum(axis=1).T, counts=counts)

    @functools.cached_property
    def _text(self) -> str | None:
        """The combinations as text: of each column the steps from row to row, compressed."""
        if self.combinations is None:
            return None
        return _compressed(np.diff(self.combinations, axis=0, prepend=0).T)  # (fields, n)

    def _sort(self) -> None:
        array = np.asarray(self.combinations)
        if not array.size:
            array = np.empty((0, len(self.fields)), "int32")
        if array.ndim != 2 or array.shape[1] != len(self.fields):
            raise SettingError(
                f"cross {self.name!r}: combinations must have shape (n, {len(self.fields)}), "
                f"got {array.shape}"
            )
        if (array < 1).any():  # id 0 is out of vocabulary
            raise SettingError(f"cross {self.name!r}: a combination holds an id less than 1")
        order = np.lexsort(array.T[::-1])
        array = array[order].astype("int32")
        if (array[1:] == array[:-1]).all(axis=1).any():
            raise SettingError(f"cross {self.name!r}: a combination occurs twice")
        object.__setattr__(self, "combinations", array)
        if self.counts is not None:
            counts, shape = np.asarray(self.counts), (len(array), FOLDS + 1, 2)
            if counts.shape != shape or (counts < 0).any():
                raise SettingError(
                    f"cross {self.name!r}: counts must be at least 0 and of shape {shape}, "
                    f"got {counts.shape}"
                )
            object.__setattr__(self, "counts", counts[order].astype("int32"))


def name_of(parts: Sequence[str]) -> str:
    """Returns what a cross is called: the names of its fields or their values, `user x app`."""
    return " x ".join(parts)


def _checked_names(fields: Sequence[str], click_counts: bool) -> tuple[str, ...]:
    names = (fields,) if isinstance(fields, str) else tuple(fields)
    sizes = (1, *SIZES) if click_counts else SIZES
    if len(names) not in sizes or len(set(names)) < len(names):
        raise SettingError(
            f"a cross takes two or three different fields, got {', '.join(names) or 'none'}"
            + ("; click counts may take one" if click_counts else "")
        )
    return names


def _compressed(array: np.ndarray) -> str:
    return base64.b64encode(zlib.compress(array.astype("<i4").tobytes())).decode()


def _decompressed(text: str) -> np.ndarray:
    return np.frombuffer(zlib.decompress(base64.b64decode(text)), "<i4")
