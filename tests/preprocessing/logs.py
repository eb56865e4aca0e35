"""Logs that are made up in memory, their builders, and what is asked of the prepared sets."""

import dataclasses

import numpy as np
import pyarrow as pa
import tensorflow_datasets as tfds

from interhat_tf.input_pipeline.dataset import PreparedDataset
from interhat_tf.preprocessing.builder import ClickLogBuilder
from interhat_tf.preprocessing.fields import (
    Bucketed,
    Categorical,
    Multivalued,
    Numerical,
    QuantileBuckets,
    Sequential,
)
from interhat_tf.preprocessing.rows import Rows, random_bits

TRAIN, VALIDATION, TEST = 0, 1, 2


SPLITS = ("train", "validation", "test")


@dataclasses.dataclass(frozen=True)
class Chunk:
    """Consecutive rows of a log."""

    start: int
    rows: int


class LogBuilder(ClickLogBuilder, skip_registration=True):
    """A log of 30,000 rows whose numerical field is the row's number."""

    VERSION = tfds.core.Version("1.0.0")
    rows = 30_000
    chunk_rows = 7_000
    fails_at = None

    @property
    def fields(self):
        return [Categorical("app"), Categorical("city", min_count=2), Numerical("price")]

    def _chunks(self, dl_manager):
        starts = range(0, self.rows, self.chunk_rows)
        return [Chunk(start, min(self.chunk_rows, self.rows - start)) for start in starts]

    def _read_chunk(self, chunk):
        if self.fails_at is not None and chunk.start >= self.fails_at:
            raise ValueError("log.csv:7: broken")
        rows = np.arange(chunk.start, chunk.start + chunk.rows)
        return Rows(
            pa.table(self.columns(rows)),
            (rows % 3 == 0).astype(np.uint8),
            np.where(rows % 10 < 8, TRAIN, rows % 10 - 7).astype(np.int8),
            "log.csv",
            first_line=chunk.start + 1,
            first_row=chunk.start,
        )

    def columns(self, rows):
        return {
            "app": [f"app{value}" for value in draw(rows, 0) % 50],
            "city": [f"city{value}" for value in draw(rows, 1) % 20],
            "price": rows.astype(np.float64),
        }


class MixedLogBuilder(LogBuilder, skip_registration=True):
    """A log with every kind of field, missing values, rare ones and a long tail."""

    rows = 3_000
    chunk_rows = 700

    @property
    def fields(self):
        tail = Numerical("tail", "quantiles", may_be_missing=True)
        return [Bucketed("age", 20), tail, QuantileBuckets("size", 8), *super().fields]

    def columns(self, rows):
        ages = (draw(rows, 2) % 1_000) / 10
        cities = draw(rows, 4) % (1 << (draw(rows, 5) % 12))
        return {
            **super().columns(rows),
            "app": [None if value % 7 == 0 else f"app{value}" for value in draw(rows, 0) % 50],
            "city": [f"città{value}" if value else "" for value in cities],
            "age": pa.array(ages, mask=ages < 5),
            "tail": pa.array(2.0 ** (draw(rows, 3) % 30), mask=rows % 11 == 0),
            "size": pa.array(draw(rows, 6) % 1_000, mask=rows % 13 == 0),
        }


class ListsLogBuilder(MixedLogBuilder, skip_registration=True):
    """The same with a bag, and with a history that shares a field's vocabulary."""

    @property
    def fields(self):
        history = Sequential("history", max_length=3, shares="app")
        return [*super().fields, Multivalued("tags", min_count=2), history]

    def columns(self, rows):
        return {
            **super().columns(rows),
            "tags": [[f"tag{v}" for v in range(n)] or [""] for n in draw(rows, 7) % 5],
            "history": [[f"app{v % 60}" for v in range(n, n + n % 7)] for n in draw(rows, 8) % 99],
        }


def draw(rows, seed):
    """Draws a number below 2^31 for each of consecutive rows."""
    return (random_bits(rows[0], len(rows), (7, seed)) >> np.uint64(33)).astype(np.int64)


def make_rows(columns, splits=None, labels=None, **arguments):
    values = pa.table(columns)
    splits = [TRAIN] * len(values) if splits is None else splits
    labels = [0] * len(values) if labels is None else labels
    arguments = {"source": "log.csv", **arguments}
    return Rows(values, np.array(labels, np.uint8), np.array(splits, np.int8), **arguments)


def read(builder, split):
    batches = PreparedDataset(builder).evaluation_batches(split, 4096)
    inputs, labels = zip(*batches.as_numpy_iterator(), strict=True)
    return (
        np.concatenate([part["categorical"] for part in inputs]),
        np.concatenate([part["numerical"] for part in inputs]),
        np.concatenate(labels),
    )


def file_bytes(builder):
    """Returns the content of the prepared set's files of rows and of its metadata, by name."""
    paths = [*builder.data_path.glob("*tfrecord*"), builder.data_path / "metadata.json"]
    return {path.name: path.read_bytes() for path in paths}


def assert_nothing_finished(data_dir):
    """Checks that a failed preparation has left its lock at most."""
    files = [path for path in data_dir.rglob("*") if path.is_file()]
    assert [path.name for path in files] in ([], [".1.0.0.lock"])
    assert not list(data_dir.rglob("*1.0.0"))
