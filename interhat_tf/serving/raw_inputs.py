"""What a prepared set's raw values become, as a part of an exported graph."""

import itertools
import re
from collections.abc import Mapping, Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import tensorflow as tf

from interhat_tf.input_pipeline.prepared_records import PreparedRecords
from interhat_tf.preprocessing.column_forms import (
    BOOLEAN,
    DAYS,
    ELEMENTS,
    HOUR,
    OPPOSITES,
    TEXT,
    TIMES,
    WEEKDAY,
    WHOLE,
    WHOLE_FLOAT_REPLACEMENT,
    read_form,
)
from interhat_tf.preprocessing.fields import (
    MISSING_BUCKET,
    Bucketed,
    Categorical,
    Column,
    Multivalued,
    Numerical,
    QuantileBuckets,
    Sequential,
    bucket_of,
    owner_of,
)
from interhat_tf.preprocessing.times import MAX_EPOCH, SECONDS_OF_DAY, UNITS, WEEKDAYS
from interhat_tf.schema import (
    CATEGORICAL,
    MULTIVALUED,
    NUMERICAL,
    OUT_OF_VOCABULARY,
    PADDING,
)
from interhat_tf.serving.scales import scale_tensor
from interhat_tf.serving.value_lists import packed
from interhat_tf.utils.hashing import hash_names

TEXTS, NUMBERS, MOMENTS, LISTS = "text", "number", "time", "list of text"
"""What a column's values are given as: text, float64, float64 seconds since 1970, or of several
values (B, n) texts, of which `""` is none."""

FIRST_WEEKDAY = 3
"""The place of 1970-01-01 in `WEEKDAYS`."""


class RawInputs:
    """A log's columns as a model's inputs, as `PreparedDataset.encode` makes them.

    Texts are looked up outside, because a SavedModel and an ONNX file do that each in their
    own way; all else are operations of TensorFlow.

    Args:
        data: The prepared set.

    Attributes:
        kinds: `TEXTS`, `NUMBERS`, `MOMENTS` or `LISTS` of each column.
        ids: For each column of texts, the ids of the texts that have one. That a whole
            number may be written `17.0`, a boolean `True`, and a missing value `NA`, is
            among them; in lists a missing value has the id `PADDING`. Those of a hashed column
            are of what `names` returns.
        hashed: For each hashed column, the number of names and its form.
    """

    def __init__(self, data: PreparedRecords):
        self._encoding, sources = data.encoding, data.reading.sources
        self._sources = sources
        self._nulls = data.reading.null_values
        forms = {name: ELEMENTS.get(s.form, s.form) for name, s in sources.items()}  # of a value
        self.hashed = {
            sources[field.name].column: (owner.hash_size, forms[field.name])
            for field in data.encoding.fields
            if isinstance(owner := data.encoding.owner(field), Categorical)
            and owner.hash_size is not None
        }
        self.kinds: dict[str, str] = {}
        self.ids: dict[str, dict[str, int]] = {}
        self._missing: dict[str, int] = {}  # the id of a list without a value, by field
        fields = {field.name: field for field in self._encoding.fields}
        for name, source in sources.items():
            column, form = source.column, forms[name]
            if form not in (TEXT, WHOLE, BOOLEAN):
                self.kinds[column] = MOMENTS if form in TIMES else NUMBERS
                continue
            self.kinds[column] = LISTS if source.form in ELEMENTS else TEXTS
            read_as = TEXT if column in self.hashed else form
            field = fields[name]
            vocabulary = self._encoding.vocabularies[owner_of(field)]
            ids = _ids_of_texts(vocabulary, read_as, self._nulls)
            if source.form in ELEMENTS:
                has_missing = not isinstance(field, Sequential)
                self._missing[name] = ids.get("", OUT_OF_VOCABULARY) if has_missing else PADDING
                nothing = ["", *(self._nulls if read_as == WHOLE else ())]
                ids |= dict.fromkeys(nothing, PADDING)
            self.ids[column] = ids

    def names(self, column: str, texts: tf.Tensor) -> tf.Tensor:
        """Returns what `ids` has of a column's texts: themselves, or their hashes' names."""
        if column not in self.hashed:
            return texts
        size, form = self.hashed[column]
        if form == WHOLE:
            for word in self._nulls:
                texts = tf.where(texts == word, "", texts)
            texts = tf.strings.regex_replace(texts, *WHOLE_FLOAT_REPLACEMENT)
        return hash_names(texts, size)

    def encode(self, values: Mapping[str, tf.Tensor]) -> dict[str, tf.Tensor]:
        """Returns a model's inputs.

        Args:
            values: (B,) of each column: int32 ids of texts, or float64 numbers, NaN where
                one is missing; of lists (B, n) ids.

        Returns:
            Dictionary of `categorical`, (B, C) int32, `numerical`, (B, N) float32, and
            `multivalued`, (B, L) int32; a kind without fields is left out.
        """
        columns: dict[str, list[tf.Tensor]] = {CATEGORICAL: [], NUMERICAL: [], MULTIVALUED: []}
        for field in self._encoding.fields:
            source = self._sources[field.name]
            value = values[source.column]
            if self.kinds[source.column] == TEXTS:
                columns[CATEGORICAL].append(value)
                continue
            if isinstance(field, Multivalued):
                length, missing = self._encoding.lengths[field.name], self._missing[field.name]
                lists = packed(value, length, missing, latest=isinstance(field, Sequential))
                columns[MULTIVALUED].extend(tf.unstack(lists, axis=1))
                continue
            missing = tf.math.is_nan(value)
            number = tf.where(missing, tf.zeros_like(value), value)
            number = _seconds(number) if source.form in TIMES else number
            number = number / SECONDS_OF_DAY if source.form == DAYS else number
            if isinstance(field, Numerical):
                scaled = scale_tensor(self._encoding.scale_of(field.name), number)
                absent = np.float32(np.nan if field.may_be_missing else 0.0)
                scaled = tf.where(missing, absent, tf.cast(scaled, tf.float32))
                columns[NUMERICAL].append(scaled)
            else:
                place, ids = self._places(field, source.form, number)
                place = tf.where(missing, len(ids) - 1, place)  # the last is that of the missing
                columns[CATEGORICAL].append(tf.gather(tf.constant(ids, tf.int32), place))
        return {kind: tf.stack(found, axis=1) for kind, found in columns.items() if found}

    def refused(self, values: Mapping[str, tf.Tensor]) -> dict[str, tf.Tensor]:
        """Returns which numbers `PreparedDataset.encode` refuses, (B,) booleans by column."""
        return {
            column: tf.math.is_inf(values[column])
            for column, kind in self.kinds.items()
            if kind not in (TEXTS, LISTS)
        }

    def _places(self, field, form, number):
        """Returns each number's place among ids, (B,) int32, and these ids, the missing one's last.

        A field that becomes a category of numbers or times has a few ids.
        """
        encoding = self._encoding
        if form in (HOUR, WEEKDAY):
            names = [str(hour) for hour in range(24)] if form == HOUR else WEEKDAYS.to_pylist()
            ids = _ids_in(pa.array([*names, ""]), encoding.vocabularies[field.name])
            return (_hour if form == HOUR else _weekday)(number), ids
        if isinstance(field, QuantileBuckets):
            edges = encoding.edges[field.name]
            return _count_edges(number, edges), [1, *range(1, len(edges) + 2)]
        assert isinstance(field, Bucketed)
        seen = {bucket: i + 1 for i, bucket in enumerate(encoding.buckets[field.name].tolist())}
        ids = [seen.get(bucket, 0) for bucket in (*range(field.buckets + 1), MISSING_BUCKET)]
        edges = bucket_edges(field, *encoding.ranges[field.name])
        return _count_edges(number, edges), ids


def bucket_edges(field: Bucketed, low: float, high: float) -> np.ndarray:
    """Returns the smallest numbers that are in the buckets 1, 2, … of a field, (buckets,).

    A graph compares numbers with these, because its compilers may round a division
    otherwise than NumPy does.

    Args:
        field: The field.
        low: The training rows' minimum.
        high: Their maximum.

    Example:

    >>> bucket_edges(Bucketed("age", 4), 0.0, 8.0).tolist()
    [2.0, 4.0, 6.0, 8.0]
    """
    if high <= low:
        return np.empty(0)
    buckets = np.arange(1, field.buckets + 1)
    below, edges = np.full(field.buckets, low), np.full(field.buckets, high)
    while True:  # until they are neighbours among the numbers of double precision
        middle = below / 2 + edges / 2
        if ((middle <= below) | (middle >= edges)).all():
            return edges
        reached = bucket_of(pa.array(middle), field, low, high) >= buckets
        below, edges = np.where(reached, below, middle), np.where(reached, middle, edges)


def _count_edges(number: tf.Tensor, edges: np.ndarray) -> tf.Tensor:
    if not len(edges):
        return tf.zeros_like(number, tf.int32)
    reached = number[:, tf.newaxis] >= tf.constant(edges, tf.float64)  # (B, edges)
    return tf.reduce_sum(tf.cast(reached, tf.int32), axis=1)


def _seconds(number: tf.Tensor) -> tf.Tensor:
    """Returns whole seconds since 1970, of seconds, milli-, micro- or nanoseconds."""
    unit = tf.ones_like(number)
    for smaller, larger in itertools.pairwise(UNITS):
        unit = tf.where(tf.abs(number) < MAX_EPOCH * smaller, unit, tf.ones_like(number) * larger)
    return tf.floor(number / unit)


def _hour(seconds: tf.Tensor) -> tf.Tensor:
    return tf.cast(tf.floor(_modulo(seconds, SECONDS_OF_DAY) / 3600), tf.int32)


def _weekday(seconds: tf.Tensor) -> tf.Tensor:
    days = tf.floor(seconds / SECONDS_OF_DAY) + FIRST_WEEKDAY
    return tf.cast(_modulo(days, len(WEEKDAYS)), tf.int32)


def _modulo(number: tf.Tensor, by: int) -> tf.Tensor:
    return number - tf.floor(number / by) * by


def _ids_of_texts(vocabulary: pa.Array, form: str, null_values: Sequence[str]) -> dict[str, int]:
    texts = vocabulary.to_pylist()
    if form == WHOLE:
        texts += [f"{text}.0" for text in texts if re.fullmatch(r"[+-]?\d+", text)]
    if form == BOOLEAN:
        texts += [text for pair in OPPOSITES for word in pair for text in _cases(word)]
    if form != TEXT:
        texts += [*null_values, ""]
    read, _ = read_form(pa.array(texts, pa.string()), form, null_values)
    found = dict(zip(texts, _ids_in(read, vocabulary), strict=True))
    return {text: id_ for text, id_ in found.items() if id_}


def _ids_in(values: Column, vocabulary: pa.Array) -> list[int]:
    return pc.add(pc.fill_null(pc.index_in(values, value_set=vocabulary), -1), 1).to_pylist()


def _cases(word: str) -> list[str]:
    """Returns a word in all ways of writing its letters large or small."""
    pairs: list[tuple[str, str]] = [(letter, letter.upper()) for letter in word]
    return ["".join(letters) for letters in itertools.product(*pairs)]
