"""What a click-through record is: its fields, their kind and the size of their vocabularies."""

import dataclasses
import json
import numbers
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from interhat_tf.crosses import CrossedField
from interhat_tf.errors import DataError, SettingError
from interhat_tf.utils.limits import check_choice

CATEGORICAL = "categorical"
NUMERICAL = "numerical"
FOLD = "fold"
MULTIVALUED = "multivalued"
SEQUENCE = "sequence"

KINDS = {CATEGORICAL: "int32", NUMERICAL: "float32", MULTIVALUED: "int32"}
"""The entries of a batch, in a model's order, and the type that each has.

Each kind of fields has its own, but sequences, which stand among `multivalued`.
"""

Batch = Mapping[str, Any]
"""Records: arrays or tensors `categorical`, (B, C), `numerical`, (B, N); see `Schema`."""

OUT_OF_VOCABULARY = 0
"""Id of every value that a categorical field's vocabulary does not hold."""

PADDING = -1
"""What stands in place of an id where a field of several values has fewer than it may have."""

MISSING = "(missing)"
"""What a missing value is called where values are shown."""
OTHER = "(other)"
"""What a value is called there that is out of vocabulary."""
NOTHING = "(none)"
"""What a sequence without a value is called there."""


@dataclasses.dataclass(frozen=True)
class Field:
    """One field of a record.

    Args:
        name: The field's name, as heatmaps and serving signatures show it.
        kind: `"categorical"`, `"numerical"`, `"multivalued"`: any number of
            categories, such as a movie's genres, or `"sequence"`: categories in the order
            of time, the latest last, such as the movies that a user has seen.
        vocabulary_size: Number of ids, id 0 (out of vocabulary) included; 0 for a
            numerical field.
        may_be_missing: Whether a numerical field's NaN is a missing number, which
            models embed as a value of its own. Defaults to `False`: it is an error.
        hash_size: Number of names that a categorical field's values share by a hash, so
            that an id stands for all values of a name. Defaults to `None`: each id is
            one value's.
        max_length: The most values that a multivalued field or a sequence has in a record;
            0 for other fields. Of a sequence they are the latest.
        shares: Of a multivalued field or a sequence, the name of the field of the same
            schema whose vocabulary, ids and embeddings it uses, as a history of movies
            uses the movie's. Defaults to `None`: it has its own.

    Raises:
        ValueError: If the kind is unknown or the others do not fit it.
    """

    name: str
    kind: str
    vocabulary_size: int = 0
    may_be_missing: bool = False
    hash_size: int | None = None
    max_length: int = 0
    shares: str | None = None

    def __post_init__(self) -> None:
        check_choice(f"field {self.name!r}: kind", self.kind, (*KINDS, SEQUENCE))
        if not isinstance(self.vocabulary_size, numbers.Integral):
            raise SettingError(
                f"field {self.name!r}: vocabulary_size must be a whole number, "
                f"got {self.vocabulary_size!r}"
            )
        fits = self.vocabulary_size > 0 if self.kind != NUMERICAL else self.vocabulary_size == 0
        if not fits:
            raise SettingError(
                f"field {self.name!r}: a categorical field has a vocabulary_size of at least 1 "
                f"(its out-of-vocabulary id), a numerical field has none; "
                f"got {self.vocabulary_size} for a {self.kind} field"
            )
        several = self.entry == MULTIVALUED
        if (self.max_length > 0) != several or self.max_length < 0:
            raise SettingError(
                f"field {self.name!r}: a multivalued field or a sequence has a max_length of at "
                f"least 1, other fields have none; got {self.max_length} for a {self.kind} field"
            )
        if self.shares is not None and not several:
            raise SettingError(
                f"field {self.name!r}: only a multivalued field or a sequence can have shares; "
                f"got {self.shares!r} for a {self.kind} field"
            )
        if self.may_be_missing and self.kind != NUMERICAL:
            raise SettingError(
                f"field {self.name!r}: only a numerical field can have may_be_missing; a missing "
                f"category is a value like any other"
            )
        if self.hash_size is not None and (self.kind == NUMERICAL or self.hash_size < 1):
            raise SettingError(
                f"field {self.name!r}: only a field of categories can have a hash_size, of at "
                f"least 1; got {self.hash_size} for a {self.kind} field"
            )

    @property
    def entry(self) -> str:
        """The entry of a batch that the field's columns are in, one of `KINDS`."""
        return MULTIVALUED if self.kind == SEQUENCE else self.kind

    def to_dict(self) -> dict[str, Any]:
        """Returns the field's arguments."""
        data = dataclasses.asdict(self)
        for name in ("may_be_missing", "hash_size", "max_length", "shares"):
            if not data[name]:
                del data[name]  # as files have it that know nothing of it
        return data


class Schema:
    """The fields of a record, in the order in which a model sees them.

    A batch of records is a dictionary: `categorical`, (B, C) int32 ids counted
    from 0 within each field, `numerical`, (B, N) float32, NaN where a number is
    missing of a field that may be, and `multivalued`, (B, L) int32, of multivalued fields
    and, behind them, of sequences: of each `max_length` columns, its ids in the first of
    them, and -1, which is no id, in the others. An entry without fields is left out.
    Training records have `fold`, (B,) int32, if a cross has click counts. The model's m
    fields are the categorical ones first, then the crosses, which it computes itself, then
    the numerical ones, then those of several values, each in the order given.

    Args:
        fields: The fields of a record; they are stored categorical fields first.
        crosses: Crosses of its categorical fields, each a `CrossedField`. Defaults to
            none.

    Raises:
        ValueError: If there is no field, two fields have one name, a field shares what is
            not another field's own vocabulary or has another size, a cross is
            given twice, or has a field that is missing or numerical.

    Example:

    >>> schema = Schema([Field("app", "categorical", 3), Field("price", "numerical")])
    >>> schema.field_names
    ('app', 'price')
    >>> schema.check({"categorical": np.array([[2], [3]]), "numerical": np.array([[0.5], [1.0]])})
    Traceback (most recent call last):
        ...
    interhat_tf.errors.DataError: field 'app', row 1: id 3 is outside the vocabulary [0, 3)
    >>> movie = Schema([Field("genres", "multivalued", 20, max_length=3)])
    >>> movie.check({"multivalued": np.array([[7, 2, -1], [-1, -1, -1]])})  # two genres, and none
    >>> history = Field("history", "sequence", 90, max_length=50, shares="movie")
    >>> seen = Schema([Field("movie", "categorical", 90), *movie.multivalued, history])
    >>> seen.value_columns("history")
    slice(3, 53, None)
    """

    def __init__(self, fields: Iterable[Field], crosses: Iterable[CrossedField] = ()):
        fields, self.crosses = tuple(fields), tuple(crosses)
        names = [field.name for field in fields] + [cross.name for cross in self.crosses]
        if not fields:
            raise SettingError("a schema needs at least one field")
        if repeated := sorted({name for name in names if names.count(name) > 1}):
            raise SettingError(f"field names must be unique; repeated: {', '.join(repeated)}")
        self.categorical = tuple(field for field in fields if field.kind == CATEGORICAL)
        self.numerical = tuple(field for field in fields if field.kind == NUMERICAL)
        self.sequences = tuple(field for field in fields if field.kind == SEQUENCE)
        """Those fields of several values that are in order."""
        bags = tuple(field for field in fields if field.kind == MULTIVALUED)
        self.multivalued = bags + self.sequences
        """All fields of several values, in order or not; sequences are the last."""
        self._check_shares()
        self._check_crosses()

    @property
    def record_fields(self) -> tuple[Field, ...]:
        """The fields that a record holds: categorical, numerical, those of several values."""
        return self.categorical + self.numerical + self.multivalued

    @property
    def fields(self) -> tuple[Field, ...]:
        """All m fields of a model: categorical, crosses, numerical, those of several values."""
        crosses = (Field(cross.name, CATEGORICAL, cross.vocabulary_size) for cross in self.crosses)
        return (*self.categorical, *crosses, *self.numerical, *self.multivalued)

    @property
    def columns(self) -> dict[str, list[int]]:
        """The entries of a batch, and for each of their columns its field's place.

        The places are in `record_fields`. A field of several values has `max_length` columns.
        """
        found: dict[str, list[int]] = {}
        for place, field in enumerate(self.record_fields):
            found.setdefault(field.entry, []).extend([place] * max(field.max_length, 1))
        return found

    def value_columns(self, name: str) -> slice:
        """Returns which columns of `multivalued` hold the values of a field.

        Raises:
            ValueError: If no field of several values has the name.
        """
        start = 0
        for field in self.multivalued:
            if field.name == name:
                return slice(start, start + field.max_length)
            start += field.max_length
        names = ", ".join(field.name for field in self.multivalued)
        raise SettingError(
            f"{name!r} is not a multivalued field or a sequence; there are: {names or 'none'}"
        )

    @property
    def field_names(self) -> tuple[str, ...]:
        """Names of the m fields in the model's order."""
        return tuple(field.name for field in self.fields)

    @property
    def vocabulary_sizes(self) -> tuple[int, ...]:
        """Number of ids of each categorical field, each cross, each field of several values."""
        crosses = (cross.vocabulary_size for cross in self.crosses)
        lists = (field.vocabulary_size for field in self.multivalued)
        return (*(field.vocabulary_size for field in self.categorical), *crosses, *lists)

    @property
    def shared(self) -> tuple[tuple[int, int], ...]:
        """Positions in `vocabulary_sizes` of fields that share, and of those that they share with.

        Example:

        >>> movie = Field("movie", "categorical", 90)
        >>> history = Field("history", "sequence", 90, max_length=50, shares="movie")
        >>> Schema([Field("user", "categorical", 9), movie, history]).shared
        ((2, 1),)
        """
        fields = [field for field in self.fields if field.kind != NUMERICAL]
        places = {field.name: place for place, field in enumerate(fields)}
        return tuple((places[f.name], places[f.shares]) for f in fields if f.shares is not None)

    @property
    def click_counts(self) -> bool:
        """Whether a cross has click counts, which training records see without their own."""
        return any(cross.counts is not None for cross in self.crosses)

    @property
    def missing_numbers(self) -> bool:
        """Whether a numerical field may be missing."""
        return any(field.may_be_missing for field in self.numerical)

    def with_crosses(self, crosses: Iterable[CrossedField]) -> "Schema":
        """Returns the schema of the same records with these crosses and no others."""
        return Schema(self.record_fields, crosses)

    def difference(self, other: "Schema") -> str:
        """Says where another schema's records are the first to differ, `""` if they do not.

        Example:

        >>> schema = Schema([Field("app", "categorical", 3), Field("price", "numerical")])
        >>> schema.difference(Schema([Field("app", "categorical", 5)]))
        "field 'app' has 3 ids, the other's 5"
        >>> schema.difference(Schema([Field("app", "categorical", 3)]))
        "the other has no field 'price'"
        """
        mine, others = ({f.name: f for f in schema.record_fields} for schema in (self, other))
        for name, field in mine.items():
            if name not in others:
                return f"the other has no field {name!r}"
            for (said, fact), (_, of_other) in zip(
                _facts(field), _facts(others[name]), strict=True
            ):
                if fact != of_other:
                    return f"field {name!r} {said.format(fact)}, the other's {of_other}"
        if more := others.keys() - mine.keys():
            return f"the other has a field {min(more)!r} more"
        if list(mine) != list(others):
            return f"the fields' order is {', '.join(mine)}, the other's {', '.join(others)}"
        return ""

    def __eq__(self, other: object) -> bool:
        return (
            isinstance(other, Schema)
            and self.record_fields == other.record_fields
            and self.crosses == other.crosses
        )

    def __hash__(self) -> int:
        return hash((self.record_fields, self.crosses))

    def __repr__(self) -> str:
        crosses = f", {list(self.crosses)!r}" if self.crosses else ""
        return f"Schema({list(self.record_fields)!r}{crosses})"

    def to_dict(self) -> dict[str, Any]:
        """Returns the schema as JSON-serialisable data, for `from_dict`."""
        data = {"fields": [field.to_dict() for field in self.record_fields]}
        crosses = [cross.to_dict() for cross in self.crosses]
        return {**data, "crosses": crosses} if crosses else data

    @classmethod
    def from_dict(cls, data: str | Mapping[str, Any]) -> "Schema":
        """Builds a schema from what `to_dict` returned, or from its JSON text."""
        config = json.loads(data) if isinstance(data, str) else data
        crosses = map(CrossedField.from_dict, config.get("crosses", ()))
        return cls((Field(**field) for field in config["fields"]), crosses)

    def check(self, inputs: Batch, *, where: str = "", first_row: int = 0) -> None:
        """Raises an error if a batch of records does not follow the schema.

        A GPU reads zeros for an id that is out of range, and a CPU may read
        another field's row, so this is called before training and explaining.

        Args:
            inputs: The batch: `categorical` (B, C), `numerical` (B, N) and
                `multivalued` (B, L).
            where: Text put before the message, say a data set's name. Defaults
                to none.
            first_row: Number of the batch's first row in its data set, for the
                message. Defaults to 0.

        Raises:
            ValueError: If an entry is missing or of the wrong width, ids are not
                integers, an id is outside its field's vocabulary, a value comes after
                padding, or a number is infinite, or missing of a field that may not be.
                For values, the message names the field and the row.
        """
        self.check_kinds(inputs, where=where)
        arrays = {kind: np.asarray(values) for kind, values in inputs.items()}
        self.check_form(arrays, where=where)
        where = _prefix(where)
        for kind, places in self.columns.items():
            fields, values = [self.record_fields[place] for place in places], arrays[kind]
            wrong = (_not_finite if kind == NUMERICAL else _out_of_range)(values, fields)
            if wrong.any():
                row, column = np.argwhere(wrong)[0]
                field, value = fields[column], values[row, column]
                problem = (
                    wrong_number(value)
                    if kind == NUMERICAL
                    else wrong_id(value, field.vocabulary_size)
                )
                raise DataError(f"{where}field {field.name!r}, row {first_row + row}: {problem}")
            if kind == MULTIVALUED and (behind := _behind_padding(values, places)).any():
                row, column = np.argwhere(behind)[0]
                problem = id_behind_padding(values[row, column])
                raise DataError(
                    f"{where}field {fields[column].name!r}, row {first_row + row}: {problem}"
                )

    def check_form(self, inputs: Batch, *, where: str = "") -> None:
        """Raises an error if the shapes or types of records are not the schema's.

        Args:
            inputs: The batch, of arrays or of tensors, with values or without.
            where: As for `check`.

        Raises:
            ValueError: If an entry is missing or of the wrong width, ids are not
                integers.
        """
        self.check_kinds(inputs, where=where)
        where = _prefix(where)
        for kind, places in self.columns.items():
            if not hasattr(inputs[kind], "dtype"):
                given = type(inputs[kind]).__name__
                raise DataError(f"{where}{kind!r} must be an array or a tensor, got {given}")
            dtype, shape = inputs[kind].dtype, tuple(inputs[kind].shape)
            dtype = getattr(dtype, "name", str(dtype))
            if kind != NUMERICAL and not re.search(r"\bu?int\d+\b", dtype):
                raise DataError(f"{where}{kind!r} must hold integer ids, got {dtype}")
            if len(shape) != 2 or shape[1] not in (None, len(places)):
                raise DataError(
                    f"{where}{kind!r} must have shape (rows, {len(places)}), got {shape}"
                )

    def check_kinds(self, inputs: Any, *, where: str = "") -> None:
        """Raises an error unless records are a dictionary with the schema's kinds of fields.

        Args:
            inputs: The batch.
            where: As for `check`.

        Raises:
            ValueError: If they are not, or an entry is missing.
        """
        where = _prefix(where)
        if not isinstance(inputs, Mapping):
            entries = " and ".join(map(repr, self.columns))
            raise DataError(
                f"{where}inputs must be a dictionary with {entries}, got {type(inputs).__name__}"
            )
        for kind, places in self.columns.items():
            if kind not in inputs:
                first = self.record_fields[places[0]]
                raise DataError(
                    f"{where}inputs have no {kind!r} entry; the schema has {first.kind} fields"
                )

    def _check_shares(self) -> None:
        owners = {field.name: field for field in self.record_fields}
        for field in self.multivalued:
            if field.shares is None:
                continue
            owner = owners.get(field.shares)
            if owner is None or owner.kind == NUMERICAL or owner is field:
                raise SettingError(
                    f"field {field.name!r} shares the vocabulary of {field.shares!r}, which is "
                    f"not another field of categories of the schema"
                )
            if owner.shares is not None:
                raise SettingError(
                    f"field {field.name!r} shares the vocabulary of {owner.name!r}, which "
                    f"shares that of {owner.shares!r}: share {owner.shares!r} directly"
                )
            for what in ("vocabulary_size", "hash_size"):
                mine, its = getattr(field, what), getattr(owner, what)
                if mine != its:
                    raise SettingError(
                        f"field {field.name!r} shares the vocabulary of {owner.name!r}, so that "
                        f"its {what} must be {its}, got {mine}"
                    )

    def _check_crosses(self) -> None:
        categorical = {field.name for field in self.categorical}
        several = {field.name: field.kind for field in self.multivalued}
        if repeated := [
            cross.name
            for i, cross in enumerate(self.crosses)
            if _key(cross) in map(_key, self.crosses[:i])
        ]:
            raise SettingError(f"a cross is given twice: {repeated[0]}")
        for cross in self.crosses:
            for name in cross.fields:
                if name in categorical:
                    continue
                if name in several:
                    raise SettingError(
                        f"cross {cross.name!r}: the field {name!r} is {several[name]}; a cross "
                        f"takes fields with one value"
                    )
                raise SettingError(
                    f"cross {cross.name!r}: the field {name!r} is numerical; make it "
                    f"categorical, in buckets if its numbers are many"
                    if name in self.field_names
                    else f"cross {cross.name!r}: there is no field {name!r}; the categorical "
                    f"ones are {', '.join(sorted(categorical)) or 'none'}"
                )


def _key(cross: CrossedField) -> tuple[frozenset[str], bool]:
    return frozenset(cross.fields), cross.counts is not None


def wrong_id(value: Any, size: Any) -> str:
    """Says what is wrong with an id that a vocabulary of a size does not have."""
    return f"id {value} is outside the vocabulary [0, {size})"


def id_behind_padding(value: Any) -> str:
    """Says what is wrong with an id after the end of a field's values."""
    return f"id {value} comes after {PADDING}, which ends the values"


def wrong_number(value: Any) -> str:
    """Says what is wrong with a number that is infinite, or missing where none may be."""
    return f"the number is {value}; it must be finite"


def _not_finite(numbers: np.ndarray, fields: Sequence[Field]) -> np.ndarray:
    may_be_missing = np.array([field.may_be_missing for field in fields])
    with np.errstate(over="ignore"):  # models take numbers as float32: 1e300 is none
        finite = np.isfinite(numbers.astype("float32"))
    return ~finite & ~(np.isnan(numbers) & may_be_missing)


def _facts(field: Field) -> tuple[tuple[str, str], ...]:
    """Returns what tells fields of one name apart, in words and in the order of their weight."""
    return (
        ("is {}", field.kind),
        ("{} be missing", "may" if field.may_be_missing else "may not"),
        ("is {}", f"hashed into {field.hash_size:,}" if field.hash_size else "not hashed"),
        ("has {} values at most", str(field.max_length)),
        ("has {}", f"the vocabulary of {field.shares!r}" if field.shares else "its own vocabulary"),
        ("has {} ids", f"{field.vocabulary_size:,}"),
    )


def _prefix(where: str) -> str:
    return f"{where}: " if where else ""


def _out_of_range(ids: np.ndarray, fields: Sequence[Field]) -> np.ndarray:
    ids = ids if ids.dtype.itemsize >= 4 else ids.astype("int64")
    unsigned = f"u{ids.dtype.itemsize}"
    sizes = np.array([field.vocabulary_size for field in fields], unsigned)
    # Read as unsigned, a negative id is larger than any size: one comparison finds both.
    wrong = ids.view(unsigned) >= sizes
    return wrong & (ids != PADDING) if fields[0].entry == MULTIVALUED else wrong


def _behind_padding(ids: np.ndarray, places: Sequence[int]) -> np.ndarray:
    """Returns which ids stand behind padding of their field, (B, L) booleans."""
    of_same_field = np.diff(places, prepend=-1) == 0  # (L,)
    padded = np.roll(ids == PADDING, 1, axis=1)  # whether the column before is
    return (ids != PADDING) & padded & of_same_field
