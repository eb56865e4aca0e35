"""Raw click logs to row blocks: vocabularies and scaling from the training rows, then encoding.

A log is read twice, in chunks. The first pass (`count_chunk`, `Counts`) sees
what values the fields take, the second (`encode_chunk`) turns them into ids and
numbers. `ClickLogBuilder` runs both in a tfds builder; the functions know
nothing of files or of tfds, so that they run on a cluster's workers as well.
"""

import abc
import dataclasses
import shutil
import sys
from collections.abc import Iterator

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import tensorflow_datasets as tfds
from etils import epath
from tqdm import tqdm

from interhat_tf.schema import CATEGORICAL, NUMERICAL, Field, Schema

SPLITS = ("train", "validation", "test")

BLOCK_ROWS = 8192
"""Rows of one example of the prepared set; a split's last block may have fewer."""

BUCKET_ROWS = 64 * BLOCK_ROWS
"""Rows that are held in memory at once while the rows are shuffled, on average."""

SHUFFLE_SEED = 0


@dataclasses.dataclass(frozen=True)
class Categorical:
    """A raw field whose values are names.

    Values get ids 1, 2, … by falling frequency in the training rows, equally
    frequent ones in the order of their UTF-8 bytes. A missing value is the
    empty string, a value like any other.

    Args:
        name: The field's name.
        min_count: Values in fewer training rows than this are out of
            vocabulary. Defaults to 1: all training values have an id.
    """

    name: str
    min_count: int = 1


@dataclasses.dataclass(frozen=True)
class Numerical:
    """A raw field whose values are numbers.

    It is scaled to [0, 1] by the training rows' minimum and maximum; other
    rows' values beyond them are clipped. A missing value, and every value of a
    field that is constant in the training rows, is 0.

    Args:
        name: The field's name.
    """

    name: str


@dataclasses.dataclass(frozen=True)
class Chunk:
    """Consecutive rows of a raw log.

    Args:
        values: The rows' values, a `pyarrow.Table` with a column for each
            field: text or anything that casts to it for a categorical field,
            numbers for a numerical one, null where missing.
        labels: 0 or 1, (rows,) uint8.
        splits: Each row's split as its position in `SPLITS`, (rows,) int8.
        source: The rows' file, for messages.
        first_line: The first row's line in it, for messages.
    """

    values: pa.Table
    labels: np.ndarray
    splits: np.ndarray
    source: str
    first_line: int = 1


def count_chunk(chunk, fields):
    """First pass: counts the values of a chunk.

    Args:
        chunk: The `Chunk`.
        fields: The log's `Categorical` and `Numerical` fields.

    Returns:
        Its `Counts`.

    Raises:
        ValueError: If a number is NaN or infinite. The message names file,
            line and field.
    """
    train = chunk.splits == SPLITS.index("train")
    values, ranges = {}, {}
    for field in fields:
        column = chunk.values[field.name]
        if isinstance(field, Categorical):
            values[field.name] = [_count_values(_as_text(column), train)]
        else:
            numbers, missing = _as_numbers(column)
            _check_finite(numbers, chunk, field)
            numbers = numbers[train & ~missing]
            ranges[field.name] = (
                numbers.min(initial=np.inf),
                numbers.max(initial=-np.inf),
            )
    rows = np.bincount(chunk.splits, minlength=len(SPLITS))
    positives = np.bincount(chunk.splits[chunk.labels == 1], minlength=len(SPLITS))
    return Counts(values, ranges, rows, positives)


@dataclasses.dataclass
class Counts:
    """What the first pass knows of the rows it has seen.

    Args:
        values: For each categorical field, tables of `value`, `train` (its
            training rows) and `all` (its rows); a value may be in several.
        ranges: For each numerical field, the training rows' minimum and maximum.
        rows: Number of rows of each split.
        positives: Number of rows with label 1 of each split.
    """

    values: dict
    ranges: dict
    rows: np.ndarray
    positives: np.ndarray

    def __iadd__(self, other):
        for name, tables in other.values.items():
            self.values[name] = _merge_tables(self.values[name] + tables)
        for name, (low, high) in other.ranges.items():
            self.ranges[name] = min(self.ranges[name][0], low), max(self.ranges[name][1], high)
        self.rows = self.rows + other.rows
        self.positives = self.positives + other.positives
        return self

    def vocabulary(self, field):
        """Returns the values of ids 1, 2, … of a `Categorical` field, a string array."""
        table = _merged(self.values[field.name])
        table = table.filter(pc.greater_equal(table["train"], max(field.min_count, 1)))
        table = table.sort_by([("train", "descending"), ("value", "ascending")])
        return table["value"].combine_chunks()

    def statistics(self):
        """Returns the figures of the paper's Table 1, and each split's size.

        `distinct_features` counts every value of every categorical field in
        all rows, and one for each numerical field.
        """
        distinct = sum(len(_merged(tables)) for tables in self.values.values())
        return {
            "categorical_fields": len(self.values),
            "numerical_fields": len(self.ranges),
            "records": int(self.rows.sum()),
            "distinct_features": distinct + len(self.ranges),
            "splits": {
                split: {"rows": int(rows), "positives": int(positives)}
                for split, rows, positives in zip(SPLITS, self.rows, self.positives, strict=True)
            },
        }


@dataclasses.dataclass(frozen=True)
class Encoding:
    """How raw values become ids and numbers; fitted on training rows.

    Args:
        vocabularies: For each categorical field, the values of ids 1, 2, ….
        ranges: For each numerical field, minimum and maximum.
    """

    vocabularies: dict
    ranges: dict

    @classmethod
    def fit(cls, counts, fields):
        """Returns the encoding for `fields` that follows from `counts`."""
        categorical = [field for field in fields if isinstance(field, Categorical)]
        return cls({field.name: counts.vocabulary(field) for field in categorical}, counts.ranges)

    def schema(self):
        """Returns the `Schema` of the encoded rows."""
        return Schema(
            [Field(name, CATEGORICAL, len(ids) + 1) for name, ids in self.vocabularies.items()]
            + [Field(name, NUMERICAL) for name in self.ranges]
        )


def encode_chunk(chunk, encoding):
    """Second pass: turns a chunk's values into ids and numbers.

    Args:
        chunk: The `Chunk`.
        encoding: The `Encoding`.

    Returns:
        A structured array, (rows,), with `categorical` (C,) int32, `numerical`
        (N,) float32 and `label` uint8; a kind without fields is left out.
    """
    rows = np.empty(len(chunk.labels), row_dtype(len(encoding.vocabularies), len(encoding.ranges)))
    rows["label"] = chunk.labels
    for position, (name, vocabulary) in enumerate(encoding.vocabularies.items()):
        ids = pc.index_in(_as_text(chunk.values[name]), value_set=vocabulary)
        # Absent values are null here, and id 0, out of vocabulary, there.
        rows["categorical"][:, position] = np.asarray(pc.fill_null(ids, -1)) + 1
    for position, (name, (low, high)) in enumerate(encoding.ranges.items()):
        numbers, missing = _as_numbers(chunk.values[name])
        scaled = np.clip((numbers - low) / (high - low), 0, 1) if high > low else 0.0 * numbers
        rows["numerical"][:, position] = np.where(missing, 0, scaled)
    return rows


def row_dtype(categorical, numerical):
    """Returns the type of an encoded row with so many fields of each kind."""
    kinds = [
        ("categorical", np.int32, (categorical,)),
        ("numerical", np.float32, (numerical,)),
    ]
    return np.dtype([kind for kind in kinds if kind[2] != (0,)] + [("label", np.uint8)])


class ClickLogBuilder(tfds.core.GeneratorBasedBuilder, skip_registration=True):
    """A tfds builder of a click log: a subclass names the fields and reads the raw format.

    One example of the prepared set is a row block of up to `BLOCK_ROWS` rows.
    The rows of a split are in random order, drawn with a fixed seed. The
    metadata holds `schema` (`Schema.to_dict`), `vocabularies` (for each
    categorical field the values of ids 1, 2, …) and `statistics`
    (`Counts.statistics`).
    """

    def __init_subclass__(cls, **kwargs):
        super().__init_subclass__(**kwargs)
        # tfds reads README.md and CITATIONS.bib there. Left to itself it goes
        # by the module's name, which is not where a source checkout has it.
        # A builder that is written in a notebook has no file.
        file = getattr(sys.modules[cls.__module__], "__file__", None)
        cls.pkg_dir_path = epath.Path(file or "notebook").parent

    @property
    @abc.abstractmethod
    def fields(self):
        """The log's `Categorical` and `Numerical` fields, in order."""

    @abc.abstractmethod
    def _chunks(self, dl_manager) -> Iterator[Chunk]:
        """Yields the log's rows. It is called twice and must give the same rows both times."""

    def _info(self):
        row = row_dtype(
            sum(isinstance(field, Categorical) for field in self.fields),
            sum(isinstance(field, Numerical) for field in self.fields),
        )
        features = {
            name: tfds.features.Tensor(
                shape=(None, *row[name].shape), dtype=row[name].base, encoding="bytes"
            )
            for name in row.names
        }
        return self.dataset_info_from_configs(
            features=tfds.features.FeaturesDict(features), metadata=tfds.core.MetadataDict()
        )

    def _split_generators(self, dl_manager):
        counts = None
        for chunk in _show_progress(self._chunks(dl_manager), "Counting values"):
            counted = count_chunk(chunk, self.fields)
            if counts is None:
                counts = counted
            else:
                counts += counted
        for split, rows in zip(SPLITS, counts.rows, strict=True):
            if rows == 0:
                raise ValueError(f"{self.info.full_name}: the {split} split has no rows")

        encoding = Encoding.fit(counts, self.fields)
        self.info.metadata.update(
            schema=encoding.schema().to_dict(),
            vocabularies={
                name: vocabulary.to_pylist() for name, vocabulary in encoding.vocabularies.items()
            },
            statistics=counts.statistics(),
        )
        # tfds writes one split after the other, so all are encoded before.
        shuffles = [
            _Shuffle(self.data_path / f"rows.{split}.tmp", rows, seed=(SHUFFLE_SEED, number))
            for number, (split, rows) in enumerate(zip(SPLITS, counts.rows, strict=True))
        ]
        for chunk in _show_progress(self._chunks(dl_manager), "Encoding"):
            rows = encode_chunk(chunk, encoding)
            for number, shuffle in enumerate(shuffles):
                shuffle.add(rows[chunk.splits == number])
        return {
            split: self._generate_examples(shuffle)
            for split, shuffle in zip(SPLITS, shuffles, strict=True)
        }

    def _generate_examples(self, shuffle):
        for number, block in enumerate(shuffle.blocks()):
            yield number, {name: np.ascontiguousarray(block[name]) for name in block.dtype.names}


class _Shuffle:
    """Puts rows in random order without holding them all: buckets on disk, then within each.

    Every row goes to a bucket drawn at random, and every bucket is permuted
    when read, which makes all orders of the rows equally likely.
    """

    def __init__(self, folder, rows, seed):
        self.folder = folder
        self.folder.mkdir()
        self.buckets = int(-(-rows // BUCKET_ROWS))
        self.random = np.random.Generator(np.random.PCG64(seed))
        self.dtype = None

    def add(self, rows):
        """Adds encoded rows."""
        self.dtype = rows.dtype
        bucket = self.random.integers(self.buckets, size=len(rows))
        rows = rows[np.argsort(bucket, kind="stable")]
        ends = np.cumsum(np.bincount(bucket, minlength=self.buckets))
        for number, part in enumerate(np.split(rows, ends[:-1])):
            with open(self.folder / str(number), "ab") as file:
                part.tofile(file)

    def blocks(self):
        """Yields all rows in random order, in blocks; removes the files."""
        rest = np.empty(0, self.dtype)
        try:
            for number in range(self.buckets):
                rows = np.fromfile(self.folder / str(number), self.dtype)
                rows = np.concatenate([rest, rows[self.random.permutation(len(rows))]])
                full = len(rows) - len(rows) % BLOCK_ROWS
                for start in range(0, full, BLOCK_ROWS):
                    yield rows[start : start + BLOCK_ROWS]
                rest = rows[full:]
            if len(rest):
                yield rest
        finally:
            shutil.rmtree(self.folder)


def _show_progress(chunks, description):
    # `disable=None` shows the bar on a terminal only.
    with tqdm(desc=description, unit=" rows", unit_scale=True, leave=False, disable=None) as bar:
        for chunk in chunks:
            yield chunk
            bar.update(len(chunk.labels))


def _as_text(column):
    return pc.fill_null(column.cast(pa.string()), "")


def _as_numbers(column):
    missing = np.asarray(column.is_null())
    return np.asarray(pc.fill_null(column.cast(pa.float64()), 0.0)), missing


def _check_finite(numbers, chunk, field):
    wrong = ~np.isfinite(numbers)
    if wrong.any():
        row = int(wrong.argmax())
        raise ValueError(
            f"{chunk.source}:{chunk.first_line + row}: {field.name} is {numbers[row]}; "
            f"a number must be finite, leave it empty where it is missing"
        )


def _count_values(column, train):
    encoded = column.combine_chunks().dictionary_encode()
    codes, size = np.asarray(encoded.indices), len(encoded.dictionary)
    return pa.table(
        {
            "value": encoded.dictionary,
            "train": np.bincount(codes[train], minlength=size),
            "all": np.bincount(codes, minlength=size),
        }
    )


def _merge_tables(tables):
    """Merges the tables when the later ones have outgrown the first.

    A field of millions of values is then merged a few times, not at each chunk.
    """
    grown = sum(len(table) for table in tables[1:])
    return [_merged(tables)] if grown > len(tables[0]) else tables


def _merged(tables):
    if len(tables) == 1:
        return tables[0]
    grouped = pa.concat_tables(tables).group_by("value")
    merged = grouped.aggregate([("train", "sum"), ("all", "sum")])
    return merged.rename_columns({"train_sum": "train", "all_sum": "all"})
