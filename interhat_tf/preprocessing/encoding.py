"""What raw values become: ids of a vocabulary and scaled numbers.

A chunk of a log is counted first (`vocabulary.py`). What follows from the counts
is an `Encoding`, with which `encode_rows` turns the rows of chunks into ids and
numbers. Nothing here knows of files or of tfds, so that it runs on a cluster's
workers as well.
"""

import dataclasses
import itertools
import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from interhat_tf.preprocessing.fields import (
    MISSING_BUCKET,
    Bucketed,
    Categorical,
    Multivalued,
    Numerical,
    QuantileBuckets,
    RawField,
    Sequential,
    as_categories,
    as_numbers,
    bucket_of,
    field_config,
    owner_of,
)
from interhat_tf.preprocessing.rows import Rows
from interhat_tf.preprocessing.scaling import (
    MinMax,
    NumberSample,
    Scale,
    fit_scale,
    quantile_edges,
    scale_from_dict,
    scale_to_dict,
)
from interhat_tf.preprocessing.vocabulary import ValueCounts
from interhat_tf.schema import (
    CATEGORICAL,
    MULTIVALUED,
    NUMERICAL,
    PADDING,
    SEQUENCE,
    Field,
    Schema,
)


@dataclasses.dataclass(frozen=True)
class Encoding:
    """How raw values become ids and numbers; fitted on training rows.

    Args:
        fields: The log's fields, sequences behind all others, as in a `Schema`.
        vocabularies: For each field that becomes a category and does not share another's,
            the readable values of ids 1, 2, …, a string array.
        ranges: For each field of numbers, minimum and maximum.
        buckets: For each `Bucketed` field, the buckets of ids 1, 2, …, an array.
        scales: For each `Numerical` field whose scale is not its range's, the `Scale`.
            Defaults to none.
        edges: For each `QuantileBuckets` field, where the buckets of ids 1, 2, …
            begin, an array. Defaults to none.
        lengths: For each multivalued field the most values that a row has. Defaults to
            none.
    """

    fields: tuple[RawField, ...]
    vocabularies: dict[str, pa.Array]
    ranges: dict[str, tuple[float, float]]
    buckets: dict[str, np.ndarray]
    scales: dict[str, Scale] = dataclasses.field(default_factory=dict)
    edges: dict[str, np.ndarray] = dataclasses.field(default_factory=dict)
    lengths: dict[str, int] = dataclasses.field(default_factory=dict)

    def owner(self, field: RawField) -> RawField:
        """Returns the field whose vocabulary a field has: itself unless it shares."""
        return next(other for other in self.fields if other.name == owner_of(field))

    def scale_of(self, field: str) -> Scale:
        """Returns the scale of a numerical field."""
        return self.scales.get(field) or MinMax(*self.ranges[field])

    @classmethod
    def fit(
        cls,
        fields: Sequence[RawField],
        values: Mapping[str, ValueCounts],
        ranges: Mapping[str, tuple[float, float]],
        samples: Mapping[str, NumberSample] | None = None,
        longest: Mapping[str, int] | None = None,
    ) -> "Encoding":
        """Returns the encoding that follows from counts.

        Args:
            fields: The log's fields.
            values: For each field that becomes a category, its `ValueCounts`.
            ranges: For each field of numbers, the training rows' minimum and
                maximum; of a field that is missing in all of them, infinities.
            samples: For each field of which `needs_sample` says so, a sample of them.
                Defaults to none.
            longest: For each multivalued field the most values of a training row.
                Defaults to none: there is no such field.
        """
        ranges = {name: r if np.isfinite(r).all() else (0.0, 0.0) for name, r in ranges.items()}
        numbers = {name: sample.in_order() for name, sample in (samples or {}).items()}
        vocabularies, buckets, scales, edges = {}, {}, {}, {}
        fields = sorted(fields, key=lambda field: isinstance(field, Sequential))
        for field in fields:
            if owner_of(field) != field.name:
                continue
            if isinstance(field, Categorical):
                vocabularies[field.name] = values[field.name].by_frequency()
            elif isinstance(field, Bucketed):
                texts = values[field.name].in_training()
                seen = np.unique(bucket_of(texts, field, *ranges[field.name]))
                buckets[field.name] = seen
                vocabularies[field.name] = _bucket_names(seen, field, *ranges[field.name])
            elif isinstance(field, QuantileBuckets):
                name, (low, high) = field.name, ranges[field.name]
                edges[name] = quantile_edges(low, numbers[name], field.buckets)
                vocabularies[name] = _names_between(edges[name], high)
            elif field.name in numbers:
                sample = numbers[field.name]
                scales[field.name] = fit_scale(field.scaling, *ranges[field.name], sample)
        lengths = {
            field.name: min(max((longest or {})[field.name], 1), field.max_length)
            for field in fields
            if isinstance(field, Multivalued)
        }
        return cls(tuple(fields), vocabularies, ranges, buckets, scales, edges, lengths)

    def schema(self) -> Schema:
        """Returns the `Schema` of the encoded rows."""
        return Schema(map(self._schema_field, self.fields))

    def _schema_field(self, field: RawField) -> Field:
        if isinstance(field, Numerical):
            return Field(field.name, NUMERICAL, may_be_missing=field.may_be_missing)
        owner = self.owner(field)
        kinds: dict[type, str] = {Sequential: SEQUENCE, Multivalued: MULTIVALUED}
        return Field(
            field.name,
            kinds.get(type(field), CATEGORICAL),
            len(self.vocabularies[owner.name]) + 1,
            hash_size=owner.hash_size if isinstance(owner, Categorical) else None,
            max_length=self.lengths.get(field.name, 0),
            shares=None if owner is field else owner.name,
        )

    def to_dict(self) -> dict[str, Any]:
        """Returns the encoding as what JSON can hold; `from_dict` is the inverse."""
        scales = {name: scale_to_dict(scale) for name, scale in self.scales.items()}
        edges = {name: numbers.tolist() for name, numbers in self.edges.items()}
        return {
            **({"scales": scales} if scales else {}),
            **({"edges": edges} if edges else {}),
            **({"lengths": self.lengths} if self.lengths else {}),
            "fields": [field_config(field) for field in self.fields],
            "vocabularies": {name: ids.to_pylist() for name, ids in self.vocabularies.items()},
            "ranges": {name: list(range_) for name, range_ in self.ranges.items()},
            "buckets": {name: numbers.tolist() for name, numbers in self.buckets.items()},
        }

    @classmethod
    def from_dict(cls, config: Mapping[str, Any]) -> "Encoding":
        """Returns the encoding that `to_dict` wrote."""
        classes = (Categorical, Multivalued, Sequential, Numerical, Bucketed, QuantileBuckets)
        kinds = {kind.__name__: kind for kind in classes}
        return cls(
            tuple(
                kinds[field["kind"]](**{key: field[key] for key in field if key != "kind"})
                for field in config["fields"]
            ),
            {name: pa.array(ids, pa.string()) for name, ids in config["vocabularies"].items()},
            {name: tuple(range_) for name, range_ in config["ranges"].items()},
            {name: np.array(numbers, np.int64) for name, numbers in config["buckets"].items()},
            {name: scale_from_dict(scale) for name, scale in config.get("scales", {}).items()},
            {name: np.array(edges) for name, edges in config.get("edges", {}).items()},
            dict(config.get("lengths", {})),
        )


def encode_rows(rows: Rows, encoding: Encoding) -> np.ndarray:
    """Turns the values of a chunk's rows into ids and numbers.

    Args:
        rows: The `Rows`.
        encoding: The `Encoding`.

    Returns:
        A structured array, (rows,), with `categorical` (C,) int32, `numerical`
        (N,) float32, `multivalued` (L,) int32, `label` uint8 and, of rows that have
        weights, `weight` float32; a kind without fields is left out.
    """
    weighted = rows.weights is not None
    encoded = np.empty(len(rows.labels), row_dtype(encoding.fields, weighted, encoding.lengths))
    encoded["label"] = rows.labels
    if weighted:
        encoded["weight"] = rows.weights
    for kind, columns in encode_values(rows.values, encoding).items():
        encoded[kind] = columns.T  # (rows, fields)
    return encoded


def encode_values(values: pa.Table, encoding: Encoding) -> dict[str, np.ndarray]:
    """Turns a table of raw values into the columns of ids and of numbers.

    Args:
        values: A `pyarrow.Table` with a column for each field.
        encoding: The `Encoding`.

    Returns:
        A dictionary of `categorical` (C, rows) int32, `numerical` (N, rows) float32 and
        `multivalued` (L, rows) int32; a kind without fields is left out.
    """
    columns: dict[str, list[np.ndarray]] = {CATEGORICAL: [], NUMERICAL: [], MULTIVALUED: []}
    for field in encoding.fields:
        column = values[field.name]
        if isinstance(field, Multivalued):
            ids = _ids_of(pc.list_flatten(column), encoding.owner(field), encoding)
            lengths, length = np.asarray(pc.list_value_length(column)), encoding.lengths[field.name]
            skipped = np.maximum(lengths - length, 0) if isinstance(field, Sequential) else 0
            columns[MULTIVALUED].extend(_padded(ids, lengths, length, skipped))
        elif isinstance(field, Categorical):
            columns[CATEGORICAL].append(_ids_of(column, field, encoding))
        elif isinstance(field, Bucketed):
            ids = np.zeros(field.buckets + 2, np.int32)
            seen = encoding.buckets[field.name]
            ids[seen - MISSING_BUCKET] = np.arange(1, len(seen) + 1)
            buckets = bucket_of(column, field, *encoding.ranges[field.name])
            columns[CATEGORICAL].append(ids[buckets - MISSING_BUCKET])
        elif isinstance(field, QuantileBuckets):
            numbers, missing = as_numbers(column)
            edges = encoding.edges[field.name]
            ids = np.searchsorted(edges, numbers, side="right").clip(1)
            columns[CATEGORICAL].append(np.where(missing, len(edges) + 1, ids).astype(np.int32))
        else:
            numbers, missing = as_numbers(column)
            scaled = encoding.scale_of(field.name).apply(numbers)
            missing_number = np.nan if field.may_be_missing else 0
            columns[NUMERICAL].append(np.where(missing, missing_number, scaled).astype(np.float32))
    # Each (fields, rows).
    return {kind: np.stack(arrays) for kind, arrays in columns.items() if arrays}


def _ids_of(column, field, encoding):
    ids = pc.index_in(as_categories(column, field), value_set=encoding.vocabularies[field.name])
    # `index_in` gives null outside the vocabulary; that is id 0.
    return np.asarray(pc.fill_null(ids, -1)) + np.int32(1)


def _padded(ids, lengths, length, skipped):
    """Returns the first ids of each row behind the skipped ones, padded, (length, rows)."""
    rows = np.repeat(np.arange(len(lengths)), lengths)
    places = np.arange(len(ids)) - np.repeat(np.cumsum(lengths) - lengths + skipped, lengths)
    kept = (places >= 0) & (places < length)
    padded = np.full((length, len(lengths)), PADDING, np.int32)
    padded[places[kept], rows[kept]] = ids[kept]
    return padded


def row_dtype(
    fields: Sequence[RawField], weighted: bool = False, lengths: Mapping[str, int] | None = None
) -> np.dtype:
    """Returns the type of an encoded row of the fields, with a weight or without.

    Args:
        fields: The fields.
        weighted: Whether rows have weights. Defaults to `False`.
        lengths: The most values of each multivalued field, which the row is to hold.
            Defaults to none: it holds no such field.
    """
    numerical = sum(isinstance(field, Numerical) for field in fields)
    multivalued = sum(isinstance(field, Multivalued) for field in fields)
    kinds = [
        (CATEGORICAL, np.int32, (len(fields) - numerical - multivalued,)),
        (NUMERICAL, np.float32, (numerical,)),
        (MULTIVALUED, np.int32, (sum((lengths or {}).values()),)),
    ]
    others = [("label", np.uint8), *([("weight", np.float32)] if weighted else [])]
    return np.dtype([kind for kind in kinds if kind[2] != (0,)] + others)


def _names_between(edges, high):
    """Names buckets by where they begin and where the next does; the missing ones' is `""`."""
    for digits in range(6, 18):  # as many as tell the edges apart
        texts = [f"{edge:.{digits}g}" for edge in edges]
        if len(set(texts)) == len(texts):
            break
    names = [f"{start} to {end}" for start, end in itertools.pairwise(texts)]
    last = texts[-1] if edges[-1] >= high else f"{texts[-1]} to {high:.{digits}g}"
    return pa.array([*names, last, ""], pa.string())


def _bucket_names(buckets, field, low, high):
    """Names buckets by their numbers: `""` for the missing, `"0 to 12.5"`, …, the maximum alone."""
    width = (high - low) / field.buckets
    # Three digits tell a bucket from the next, also where their numbers start alike.
    size = max(abs(low), abs(high)) / width if high > low else 1.0
    digits = max(6, 3 + math.ceil(math.log10(size)))
    names = []
    for bucket in buckets:
        if bucket == MISSING_BUCKET:
            names.append("")
        elif bucket == field.buckets or high <= low:
            names.append(f"{high:.{digits}g}")
        else:
            start, end = low + bucket * width, low + (bucket + 1) * width
            names.append(f"{start:.{digits}g} to {end:.{digits}g}")
    return pa.array(names, pa.string())
