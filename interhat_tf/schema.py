"""What a click-through record is: its fields, their kind and the size of their vocabularies."""

import dataclasses
import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

CATEGORICAL = "categorical"
NUMERICAL = "numerical"

Batch = Mapping[str, Any]
"""Records: arrays or tensors `categorical`, (B, C), and `numerical`, (B, N); see `Schema`."""

OUT_OF_VOCABULARY = 0
"""Id of every value that a categorical field's vocabulary does not hold."""


@dataclasses.dataclass(frozen=True)
class Field:
    """One field of a record.

    Args:
        name: The field's name, as heatmaps and serving signatures show it.
        kind: `"categorical"` or `"numerical"`.
        vocabulary_size: Number of ids of a categorical field, id 0 (out of
            vocabulary) included; 0 for a numerical field.

    Raises:
        ValueError: If the kind is unknown or the vocabulary size does not fit it.
    """

    name: str
    kind: str
    vocabulary_size: int = 0

    def __post_init__(self) -> None:
        if self.kind not in (CATEGORICAL, NUMERICAL):
            raise ValueError(
                f"field {self.name!r}: kind must be {CATEGORICAL!r} or {NUMERICAL!r}, "
                f"got {self.kind!r}"
            )
        fits = self.vocabulary_size > 0 if self.kind == CATEGORICAL else self.vocabulary_size == 0
        if not fits:
            raise ValueError(
                f"field {self.name!r}: a categorical field has a vocabulary_size of at least 1 "
                f"(its out-of-vocabulary id), a numerical field has none; "
                f"got {self.vocabulary_size} for a {self.kind} field"
            )


class Schema:
    """The fields of a record, in the order in which a model sees them.

    A batch of records is a dictionary: `categorical`, (B, C) int32 ids counted
    from 0 within each field, and `numerical`, (B, N) float32. A kind without
    fields has no entry. The model's m = C + N fields are the categorical ones
    first, then the numerical ones, each in the order given.

    Args:
        fields: The fields; they are stored categorical fields first.

    Raises:
        ValueError: If there is no field, or two fields share a name.

    Example:

    >>> schema = Schema([Field("app", "categorical", 3), Field("price", "numerical")])
    >>> schema.field_names
    ('app', 'price')
    >>> schema.check({"categorical": np.array([[2], [3]]), "numerical": np.array([[0.5], [1.0]])})
    Traceback (most recent call last):
        ...
    ValueError: field 'app', row 1: id 3 is outside the vocabulary [0, 3)
    """

    def __init__(self, fields: Iterable[Field]):
        fields = tuple(fields)
        names = [field.name for field in fields]
        if not fields:
            raise ValueError("a schema needs at least one field")
        if repeated := sorted({name for name in names if names.count(name) > 1}):
            raise ValueError(f"field names must be unique; repeated: {', '.join(repeated)}")
        self.categorical = tuple(field for field in fields if field.kind == CATEGORICAL)
        self.numerical = tuple(field for field in fields if field.kind == NUMERICAL)

    @property
    def fields(self) -> tuple[Field, ...]:
        """All m fields: categorical ones first, then numerical ones."""
        return self.categorical + self.numerical

    @property
    def field_names(self) -> tuple[str, ...]:
        """Names of the m fields in the model's order."""
        return tuple(field.name for field in self.fields)

    @property
    def vocabulary_sizes(self) -> tuple[int, ...]:
        """Number of ids of each categorical field."""
        return tuple(field.vocabulary_size for field in self.categorical)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Schema) and self.fields == other.fields

    def __hash__(self) -> int:
        return hash(self.fields)

    def __repr__(self) -> str:
        return f"Schema({list(self.fields)!r})"

    def to_dict(self) -> dict[str, Any]:
        """Returns the schema as JSON-serialisable data, for `from_dict`."""
        return {"fields": [dataclasses.asdict(field) for field in self.fields]}

    @classmethod
    def from_dict(cls, data: str | Mapping[str, Any]) -> "Schema":
        """Builds a schema from what `to_dict` returned, or from its JSON text."""
        config = json.loads(data) if isinstance(data, str) else data
        return cls(Field(**field) for field in config["fields"])

    def check(self, inputs: Batch, *, where: str = "", first_row: int = 0) -> None:
        """Raises an error if a batch of records does not follow the schema.

        A GPU reads zeros for an id that is out of range, and a CPU may read
        another field's row, so this is called before training and explaining.

        Args:
            inputs: The batch: `categorical` (B, C) and `numerical` (B, N).
            where: Text put before the message, say a data set's name. Defaults
                to none.
            first_row: Number of the batch's first row in its data set, for the
                message. Defaults to 0.

        Raises:
            ValueError: If an entry is missing or of the wrong width, ids are not
                integers, an id is outside its field's vocabulary, or a number
                is not finite. For the last two, the message names the field
                and the row.
        """
        where = f"{where}: " if where else ""
        expected = {CATEGORICAL: self.categorical, NUMERICAL: self.numerical}
        for kind, fields in expected.items():
            if not fields:
                continue
            if kind not in inputs:
                raise ValueError(
                    f"{where}inputs have no {kind!r} entry; the schema has {kind} fields"
                )
            values = np.asarray(inputs[kind])
            if kind == CATEGORICAL and not np.issubdtype(values.dtype, np.integer):
                raise ValueError(f"{where}{kind!r} must hold integer ids, got {values.dtype}")
            if values.ndim != 2 or values.shape[1] != len(fields):
                raise ValueError(
                    f"{where}{kind!r} must have shape (rows, {len(fields)}), got {values.shape}"
                )
            wrong = _out_of_range(values, fields) if kind == CATEGORICAL else ~np.isfinite(values)
            if wrong.any():
                row, column = np.argwhere(wrong)[0]
                field, value = fields[column], values[row, column]
                problem = (
                    f"id {value} is outside the vocabulary [0, {field.vocabulary_size})"
                    if kind == CATEGORICAL
                    else f"the number is {value}; it must be finite"
                )
                raise ValueError(f"{where}field {field.name!r}, row {first_row + row}: {problem}")


def _out_of_range(ids: np.ndarray, fields: Sequence[Field]) -> np.ndarray:
    ids = ids if ids.dtype.itemsize >= 4 else ids.astype("int64")
    unsigned = f"u{ids.dtype.itemsize}"
    sizes = np.array([field.vocabulary_size for field in fields], unsigned)
    # Read as unsigned, a negative id is larger than any size: one comparison finds both.
    return ids.view(unsigned) >= sizes
