"""Raw records to a model's inputs, and back to values that a reader understands."""

import bisect
import warnings
from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from interhat_tf.errors import DataError
from interhat_tf.preprocessing.column_forms import (
    ELEMENTS,
    NUMBER,
    RULES,
    Reading,
    Source,
    read_form,
)
from interhat_tf.preprocessing.encoding import Encoding, encode_values
from interhat_tf.preprocessing.fields import Column, as_text
from interhat_tf.preprocessing.kinds import plain_text
from interhat_tf.schema import (
    CATEGORICAL,
    MISSING,
    MULTIVALUED,
    NOTHING,
    NUMERICAL,
    OTHER,
    OUT_OF_VOCABULARY,
    PADDING,
    SEQUENCE,
    Schema,
    wrong_number,
)
from interhat_tf.utils.value_texts import ValueTexts

MAX_UNKNOWN = 0.5
"""Share of a field's values that may be unknown without a warning, unless told otherwise."""

LIST_RULE = "a row's values are one list of texts or of whole numbers, with no list within it"

Records: TypeAlias = Any
"""Raw records: a dictionary of lists, or a pandas, polars or Arrow table."""


def encode_records(records: Records, encoding: Encoding, reading: Reading) -> dict[str, np.ndarray]:
    """Turns raw records into a model's inputs; see `PreparedDataset.encode`.

    Args:
        records: The records, with the log's columns.
        encoding: The set's `Encoding`.
        reading: The set's `Reading`.

    Raises:
        ValueError: If a field is missing, or a value is not of its kind. The
            message names the field.
    """
    columns_of = _columns(records)
    missing = set(reading.columns) - set(columns_of)
    if missing:
        raise DataError(f"the records lack these columns: {', '.join(sorted(missing))}")
    values = {
        field: _read_field(columns_of[source.column], source, reading.null_values)
        for field, source in reading.sources.items()
    }
    lengths = {field: len(column) for field, column in values.items()}
    if len(set(lengths.values())) > 1:
        told = ", ".join(f"{reading.sources[field].column} {n}" for field, n in lengths.items())
        raise DataError(f"the fields have different numbers of values: {told}")
    columns = encode_values(pa.table(values), encoding)  # each (fields, B)
    return {kind: np.ascontiguousarray(column.T) for kind, column in columns.items()}


def read_text(records: Records, field: str, reading: Reading) -> list[str]:
    """Returns the values of a categorical field of raw records as text, "" where missing.

    Args:
        records: The records, with the field's column.
        field: The field's name.
        reading: The set's `Reading`.

    Raises:
        ValueError: If a value is not of the field's kind.
    """
    source = reading.sources[field]
    column = _read_field(_columns(records)[source.column], source, reading.null_values)
    return as_text(column).to_pylist()


def unknown_shares(inputs: Mapping[str, Any], schema: Schema) -> dict[str, float]:
    """Returns the share of values out of vocabulary, id 0, of each field that has ids.

    Args:
        inputs: Dictionary of `categorical`, (B, C), among others.
        schema: The inputs' `Schema`.
    """
    unknown = unknown_parts(inputs, schema)  # (B, C + V)
    shares = unknown.mean(axis=0) if len(unknown) else np.zeros(unknown.shape[1])
    return dict(zip(names_with_ids(schema), shares.tolist(), strict=True))


def names_with_ids(schema: Schema) -> list[str]:
    """Returns the names of the C categorical fields and the V of several values."""
    return [field.name for field in (*schema.categorical, *schema.multivalued)]


def unknown_parts(inputs: Mapping[str, Any], schema: Schema) -> np.ndarray:
    """Returns how much of each record's fields is out of vocabulary, (B, C + V).

    Of a categorical field it is all or nothing, of one of several values the share of these.

    Args:
        inputs: Dictionary of `categorical`, (B, C), and `multivalued`, (B, L), among others.
        schema: The inputs' `Schema`.
    """
    parts = [np.zeros((len(next(iter(inputs.values()))), 0), bool)]
    if schema.categorical:
        parts.append(np.asarray(inputs[CATEGORICAL]) == OUT_OF_VOCABULARY)
    for ids in lists_of(inputs, schema):
        values = np.maximum((ids != PADDING).sum(axis=1), 1)  # (B,)
        parts.append(((ids == OUT_OF_VOCABULARY).sum(axis=1) / values)[:, None])
    return np.concatenate(parts, axis=1)


def lists_of(inputs: Mapping[str, Any], schema: Schema) -> list[np.ndarray]:
    """Returns the columns of each field of several values, (B, its `max_length`)."""
    columns = [schema.value_columns(field.name) for field in schema.multivalued]
    return [np.asarray(inputs[MULTIVALUED])[:, of_field] for of_field in columns]


def warn_of_unknown(
    shares: Mapping[str, float], max_unknown: float = MAX_UNKNOWN, where: str = ""
) -> None:
    """Warns of the fields of which more values are unknown than a share.

    Args:
        shares: The share of unknown values by field.
        max_unknown: The share. Defaults to 0.5.
        where: Whose values they are, `"log, test: "`. Defaults to nothing.
    """
    if many := [f"{name} {share:.0%}" for name, share in shares.items() if share > max_unknown]:
        warnings.warn(
            f"{where}values that training rows do not have: {', '.join(many)}; they count as one "
            f"unknown value: see that they are written as in the log",
            stacklevel=3,
        )


def decode_inputs(
    inputs: Mapping[str, Any],
    schema: Schema,
    vocabularies: Mapping[str, Sequence[str]],
    encoding: Encoding,
) -> np.ndarray:
    """Returns the readable values of a model's inputs; see `PreparedDataset.decode`.

    Args:
        inputs: Dictionary of `categorical`, (B, C), `numerical`, (B, N), and
            `multivalued`, (B, L).
        schema: The inputs' `Schema`.
        vocabularies: For each field with ids, the values of ids 1, 2, ….
        encoding: The set's `Encoding`, for the scales of numbers.

    Returns:
        (B, C + N + V) texts in the order of the schema's `record_fields`; those of
        fields of several values are `ValueTexts`.
    """
    columns = []
    for field, ids in zip(
        schema.categorical, np.asarray(inputs.get(CATEGORICAL, ())).T, strict=True
    ):
        columns.append(np.array(names_of_ids(vocabularies[field.name]), object)[ids])
    for field, numbers in zip(
        schema.numerical, np.asarray(inputs.get(NUMERICAL, ())).T, strict=True
    ):
        scale = encoding.scale_of(field.name)
        raw = scale.invert(numbers.astype("float64"))  # (B,)
        columns.append([MISSING if np.isnan(v) else f"{v:.{scale.digits}g}" for v in raw])
    for field, ids in zip(schema.multivalued, lists_of(inputs, schema), strict=True):
        names = names_of_ids(vocabularies[field.name])
        lists = [[names[i] for i in row if i != PADDING] for row in ids.tolist()]
        empty = NOTHING if field.kind == SEQUENCE else MISSING
        columns.append([ValueTexts(row) if row else empty for row in lists])
    return np.array(columns, object).T  # (B, m)


def names_of_ids(vocabulary: Sequence[str]) -> list[str]:
    """Returns what the ids 0, 1, … of a categorical field are called where values are shown.

    >>> names_of_ids(["maps", ""])
    ['(other)', 'maps', '(missing)']
    """
    return [OTHER, *(value or MISSING for value in vocabulary)]


def _columns(table: Records) -> Mapping[str, Any]:
    """Returns the columns of records by their names."""
    if isinstance(table, Mapping):
        return table
    if isinstance(table, pa.Table):
        table = plain_text(table)
        return dict(zip(table.column_names, table.columns, strict=True))
    if hasattr(table, "to_arrow"):  # polars
        return _columns(table.to_arrow())
    if not hasattr(table, "columns"):
        raise DataError(
            f"records are a dictionary of columns or a table, got {type(table).__name__}; "
            f"pandas.DataFrame(records) makes one of a list of dictionaries"
        )
    return {str(name): table[name] for name in table}  # pandas


def _read_field(values: Any, source: Source, null_values: Sequence[str]) -> Column:
    """Returns a field's values as `encode_values` takes them: text, or finite numbers."""
    try:
        if isinstance(values, str):
            raise TypeError("a text is not a list")
        column = values if isinstance(values, pa.ChunkedArray) else _as_array(values)
        found, right = read_form(column, source.form, null_values, source.separator)
    except (pa.ArrowException, TypeError, OverflowError) as error:
        if source.form in ELEMENTS and not isinstance(values, str):
            row, value = _first_wrong_list(values, source)
            problem = f"row {row}: {value!r}; {LIST_RULE}"
            raise DataError(f"field {source.column!r}, {problem}") from error
        raise DataError(
            f"field {source.column!r}: the values are not a list of texts or of numbers ({error})"
        ) from error
    if pa.types.is_floating(found.type):
        finite = right & np.asarray(pc.fill_null(pc.is_finite(found), True))
    else:
        finite = right
    if not finite.all():
        row = int(finite.argmin())
        value = column[row].as_py()
        problem = (
            wrong_number(value)
            if right[row]
            else f"{value!r} is not a number; a missing one is None"
            if source.form == NUMBER
            else f"{value!r}; {RULES[source.form]}"
        )
        raise DataError(f"field {source.column!r}, row {row}: {problem}")
    return found


def _as_array(values: Any) -> pa.Array:
    """Returns values as Arrow's, those of which Arrow knows no kind as pandas would have them.

    So `pandas.NA` is missing, and so is NaN among texts, which a column of floats may not have.
    """
    try:
        return pa.array(values)
    except (pa.ArrowException, TypeError):
        return pa.array(values, from_pandas=True)


def _first_wrong_list(values: Any, source: Source) -> tuple[int, Any]:
    """Returns the first row that cannot be read as a list, or not with those before, and it."""
    rows = values.to_pylist() if isinstance(values, pa.ChunkedArray) else list(values)

    def fails(number: int) -> bool:
        try:
            read_form(_as_array(rows[:number]), source.form, (), source.separator)
        except (pa.ArrowException, TypeError, OverflowError):
            return True
        return False

    # The fewest first rows that fail, by bisection.
    row = bisect.bisect_left(range(len(rows)), True, lo=1, key=fails) - 1
    return row, rows[row]
