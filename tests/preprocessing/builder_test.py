"""Tests of the preparation, on builders whose log is made up in memory."""

import collections
import contextlib
import dataclasses
import os
import resource
import signal
import subprocess
import sys
import textwrap
import threading

import numpy as np
import pyarrow as pa
import pytest
import tensorflow as tf
import tensorflow_datasets as tfds

from interhat_tf.input_pipeline.catalog import prepare
from interhat_tf.input_pipeline.dataset import PreparedDataset
from interhat_tf.preprocessing import local_runner, shuffle, vocabulary
from interhat_tf.preprocessing.builder import ClickLogBuilder
from interhat_tf.preprocessing.fields import Bucketed, Categorical, Numerical
from interhat_tf.preprocessing.rows import Rows, random_bits
from interhat_tf.schema import Field

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
        return [Bucketed("age", 20), Numerical("tail"), *super().fields]

    def columns(self, rows):
        ages = (draw(rows, 2) % 1_000) / 10
        cities = draw(rows, 4) % (1 << (draw(rows, 5) % 12))
        return {
            **super().columns(rows),
            "app": [None if value % 7 == 0 else f"app{value}" for value in draw(rows, 0) % 50],
            "city": [f"città{value}" if value else "" for value in cities],
            "age": pa.array(ages, mask=ages < 5),
            "tail": pa.array(2.0 ** (draw(rows, 3) % 30), mask=rows % 11 == 0),
        }


def draw(rows, seed):
    """Draws a number below 2^31 for each of consecutive rows."""
    return (random_bits(rows[0], len(rows), (7, seed)) >> np.uint64(33)).astype(np.int64)


def expected(builder):
    """Returns each split's categorical and numerical columns and labels, by plain Python.

    The rows of a split are sorted by random bits, however many files they are in.
    """
    log = builder._read_chunk(Chunk(0, builder.rows))
    train = np.flatnonzero(log.splits == TRAIN)
    order = np.argsort(np.random.PCG64(1).random_raw(builder.rows))
    categorical, numerical = [], []
    for field in builder.fields:
        values = log.values[field.name].to_pylist()
        if isinstance(field, Categorical):
            values = ["" if value is None else value for value in values]
            counts = collections.Counter(values[row] for row in train)
            names = sorted(counts, key=lambda name, counts=counts: (-counts[name], name.encode()))
            names = [name for name in names if counts[name] >= field.min_count]
            ids = {name: id for id, name in enumerate(names, start=1)}
            categorical.append([ids.get(value, 0) for value in values])
            continue
        known = [values[row] for row in train if values[row] is not None]
        low, high = min(known), max(known)
        scaled = [
            None if value is None else min(max((value - low) / (high - low), 0), 1)
            for value in values
        ]
        if isinstance(field, Numerical):
            numerical.append([value or 0 for value in scaled])
        else:
            buckets = [-1 if value is None else int(value * field.buckets) for value in scaled]
            seen = sorted({buckets[row] for row in train})
            ids = {bucket: id for id, bucket in enumerate(seen, start=1)}
            categorical.append([ids.get(bucket, 0) for bucket in buckets])
    columns = np.transpose(categorical), np.transpose(numerical).astype(np.float32), log.labels
    rows = {split: order[log.splits[order] == number] for number, split in enumerate(SPLITS)}
    return {split: [column[rows[split]] for column in columns] for split in SPLITS}


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


@contextlib.contextmanager
def full_disk(file_bytes):
    """Makes writing more than some bytes to a file an error, as a full disk does."""
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (file_bytes, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        signal.signal(signal.SIGXFSZ, handler)


@pytest.fixture(scope="module")
def prepared(tmp_path_factory):
    builder = LogBuilder(data_dir=tmp_path_factory.mktemp("prepared"))
    builder.download_and_prepare()
    return builder


@pytest.fixture
def small_partitions(monkeypatch):
    monkeypatch.setattr(shuffle, "BLOCK_ROWS", 64)
    monkeypatch.setattr(shuffle, "PARTITION_ROWS", 256)


def test_prepared_rows_are_the_log(prepared):
    dataset = PreparedDataset(prepared)
    log = pa.table(prepared.columns(np.arange(30_000))).to_pydict()
    last_digits = {"train": set(range(8)), "validation": {8}, "test": {9}}
    seen = 0
    for split, digits in last_digits.items():
        categorical, numerical, labels = read(prepared, split)
        assert len(labels) == dataset.num_rows(split)
        # The price is the row's number, which identifies the row.
        rows = np.rint(numerical[:, 0] * 29_997).astype(int)
        if split != "train":
            # 29,998 and 29,999 are above the training rows' maximum and were clipped.
            keep = rows != 29_997
            categorical, labels, rows = categorical[keep], labels[keep], rows[keep]
        assert set(rows % 10) == digits
        seen += len(np.unique(rows))
        for position, field in enumerate(["app", "city"]):
            values = np.array(["", *dataset.vocabularies[field]])
            np.testing.assert_array_equal(
                values[categorical[:, position]], np.array(log[field])[rows]
            )
        np.testing.assert_array_equal(labels, rows % 3 == 0)
    assert seen == 30_000 - 2


def test_rows_are_shuffled(prepared):
    for split in SPLITS:
        numbers = read(prepared, split)[1][:, 0]
        bound = 5 / np.sqrt(len(numbers))
        assert abs(np.corrcoef(numbers, np.arange(len(numbers)))[0, 1]) < bound
        assert abs(np.corrcoef(numbers[1:], numbers[:-1])[0, 1]) < bound


@pytest.mark.parametrize("builder_class", [LogBuilder, MixedLogBuilder])
def test_rows_and_their_order_against_plain_python(tmp_path, small_partitions, builder_class):
    class Builder(builder_class, skip_registration=True):
        rows = 3_000

    builder = Builder(data_dir=tmp_path)
    builder.download_and_prepare()
    for split, columns in expected(builder).items():
        for ours, column in zip(read(builder, split), columns, strict=True):
            np.testing.assert_array_equal(ours, column)
    # As many files as 256 rows on average need, of blocks of 64 rows.
    for split, files in {"train": 10, "validation": 2, "test": 2}.items():
        assert builder.info.splits[split].num_shards == files
        assert builder.info.splits[split].num_examples >= -(
            -PreparedDataset(builder).num_rows(split) // 64
        )


def test_files_do_not_depend_on_the_chunks(tmp_path, small_partitions):
    contents = []
    for chunk_rows in (3_000, 700, 123):
        builder = MixedLogBuilder(data_dir=tmp_path / str(chunk_rows))
        builder.chunk_rows = chunk_rows
        builder.download_and_prepare()
        contents.append(file_bytes(builder))
    assert len(contents[0]) == 10 + 2 + 2 + 1
    assert contents[0] == contents[1] == contents[2]


def test_pieces_that_are_no_list(tmp_path, prepared):
    """As those of compressed files, which are read again each time."""

    class Chunks:
        def __iter__(self):
            return iter(LogBuilder._chunks(LogBuilder, None))

    class IterableBuilder(LogBuilder, skip_registration=True):
        name = "log_builder"

        def _chunks(self, dl_manager):
            return Chunks()

    builder = IterableBuilder(data_dir=tmp_path)
    builder.download_and_prepare()
    assert file_bytes(builder) == file_bytes(prepared)


def test_values_that_do_not_fit_into_memory(tmp_path, prepared, monkeypatch):
    monkeypatch.setattr(vocabulary, "MEMORY_VALUES", 10)
    builder = LogBuilder(data_dir=tmp_path)
    builder.download_and_prepare()
    assert file_bytes(builder) == file_bytes(prepared)


def test_pieces_are_read_at_most_a_few_ahead(tmp_path, monkeypatch):
    monkeypatch.setattr(local_runner.os, "cpu_count", lambda: 2)
    lock, running, most = threading.Lock(), [], []

    class WatchedBuilder(LogBuilder, skip_registration=True):
        rows = 2_000
        chunk_rows = 100

        def _read_chunk(self, chunk):
            with lock:
                running.append(chunk)
                most.append(len(running))
            rows = super()._read_chunk(chunk)
            with lock:
                running.remove(chunk)
            return rows

    WatchedBuilder(data_dir=tmp_path).download_and_prepare()
    assert len(most) == 2 * 20  # every chunk is read twice
    assert max(most) <= 2


def test_features_of_a_record_are_in_one_order(prepared):
    """Left to Protocol buffers, it differs from process to process, and so would the files."""
    for split in SPLITS:
        for record in tf.data.TFRecordDataset(PreparedDataset(prepared).files(split)):
            text = record.numpy()
            assert text.index(b"categorical") < text.index(b"label") < text.index(b"numerical")


def test_metadata(tmp_path):
    builder = MixedLogBuilder(data_dir=tmp_path)
    dataset = prepare(builder)
    names = ["age", "app", "city", "tail", "price"]
    assert list(dataset.schema.field_names) == names
    assert list(dataset.vocabularies) == names[:3]
    assert dataset.schema == dataset.encoding.schema()
    assert list(dataset.encoding.fields) == builder.fields
    assert dataset.schema.fields[0] == Field(
        "age", "categorical", len(dataset.vocabularies["age"]) + 1
    )
    assert dataset.vocabularies["age"][0] == ""
    # Of ages from 5 to 99.9, in width 4.745.
    assert dataset.vocabularies["age"][1] == "5 to 9.745"
    assert dataset.vocabularies["age"][-1] == "99.9"
    assert dataset.statistics["numerical_fields"] == 3
    assert dataset.statistics["records"] == 3_000
    assert [dataset.num_rows(split) for split in SPLITS] == [2_400, 300, 300]
    # Nothing but the set itself is left.
    assert {path.name for path in builder.data_path.parent.iterdir()} == {"1.0.0", ".1.0.0.lock"}
    assert all(path.is_file() for path in builder.data_path.iterdir())


def test_raw_rows_are_encoded_as_the_prepared_ones(tmp_path):
    dataset = prepare(MixedLogBuilder(data_dir=tmp_path))
    builder = MixedLogBuilder(data_dir=tmp_path)
    rows = np.arange(3_000)
    order = np.argsort(random_bits(0, 3_000, shuffle.SHUFFLE_SEED))
    for split, digits in {"train": range(8), "validation": [8], "test": [9]}.items():
        numbers = order[np.isin(order % 10, digits)]
        table = pa.table(builder.columns(rows)).take(numbers)
        categorical, numerical, _ = read(builder, split)
        for records in (table, table.to_pydict(), table.select(sorted(table.column_names))):
            inputs = dataset.encode(records)
            assert inputs["categorical"].dtype == np.int32
            assert inputs["numerical"].dtype == np.float32
            np.testing.assert_array_equal(inputs["categorical"], categorical)
            np.testing.assert_array_equal(inputs["numerical"], numerical)
        assert (categorical == 0).any()
        dataset.schema.check(inputs)


@pytest.mark.parametrize(("rows", "split"), [(8, "validation"), (9, "test")])
def test_log_without_a_split(tmp_path, rows, split):
    builder = LogBuilder(data_dir=tmp_path)
    builder.rows = rows
    with pytest.raises(ValueError, match=rf"^log_builder/1.0.0: the {split} split has no rows$"):
        builder.download_and_prepare()
    assert_nothing_finished(tmp_path)


def test_log_without_rows(tmp_path):
    builder = LogBuilder(data_dir=tmp_path)
    builder.rows = 0
    with pytest.raises(ValueError, match=r"^the log has no rows$"):
        builder.download_and_prepare()
    assert_nothing_finished(tmp_path)


def test_failed_preparation_leaves_nothing(tmp_path):
    builder = LogBuilder(data_dir=tmp_path)
    builder.fails_at = 14_000
    with pytest.raises(ValueError, match=r"^log.csv:7: broken$"):
        prepare(builder)
    assert_nothing_finished(tmp_path)
    assert not LogBuilder(data_dir=tmp_path).is_prepared()
    assert prepare(LogBuilder(data_dir=tmp_path)).num_rows("train") == 24_000


class FullDiskBuilder(LogBuilder, skip_registration=True):
    """A builder whose disk is full from a stage of the preparation on."""

    name = "log_builder"
    disk = stage = file_bytes = None

    def _fill(self, stage):
        if stage == self.stage:
            self.disk.enter_context(full_disk(self.file_bytes))

    def _chunks(self, dl_manager):
        self._fill("reading")
        return super()._chunks(dl_manager)

    def _shard_iterators_per_split(self, dl_manager):
        iterators = super()._shard_iterators_per_split(dl_manager)
        self._fill("files")
        return iterators

    def _download_and_prepare(self, **arguments):
        super()._download_and_prepare(**arguments)
        self._fill("metadata")


FULL_FOLDER = r"log_builder/incomplete\.\w+_1\.0\.0"


FULL_MESSAGES = {
    "counts": rf"\] File too large: '{{}}/{FULL_FOLDER}/counts\.tmp/0-0-0\.arrow'$",
    "partitions": rf"\] File too large: '{{}}/{FULL_FOLDER}/partitions\.tmp/train-0'$",
    "files": rf"^{{}}/{FULL_FOLDER}: .*train\.tfrecord.*; File too large$",
    "end of a file": rf"^{{}}/{FULL_FOLDER}: .*train\.tfrecord.*; File too large$",
    "metadata": r"\] File too large",
}


@pytest.mark.parametrize("stage", FULL_MESSAGES)
def test_full_disk(tmp_path, prepared, monkeypatch, stage):
    size = max(map(len, file_bytes(prepared).values()))
    if stage == "counts":
        monkeypatch.setattr(vocabulary, "MEMORY_VALUES", 10)
    builder = FullDiskBuilder(data_dir=tmp_path)
    builder.stage, builder.file_bytes = {
        "counts": ("reading", 100),
        "partitions": ("reading", size // 2),
        "files": ("files", size // 2),
        "end of a file": ("files", size - 1),
        "metadata": ("metadata", 100),
    }[stage]
    with (
        contextlib.ExitStack() as builder.disk,
        pytest.raises(OSError, match=FULL_MESSAGES[stage].format(tmp_path)),
    ):
        prepare(builder)
    assert_nothing_finished(tmp_path)
    # Once there is room again, it works.
    prepare(LogBuilder(data_dir=tmp_path))
    assert file_bytes(LogBuilder(data_dir=tmp_path)) == file_bytes(prepared)


@pytest.mark.slow
@pytest.mark.parametrize("stage", ["encoding", "writing"])
def test_killed_preparation_leaves_nothing_that_loads(tmp_path, prepared, stage):
    program = textwrap.dedent(
        f"""
        import os, signal
        from interhat_tf.input_pipeline.catalog import prepare
        from interhat_tf.preprocessing import shuffle
        from tests.preprocessing.builder_test import LogBuilder

        number = 0

        def kill_second(function):
            def killing(*arguments):
                global number
                number += 1
                if number == 2:
                    os.kill(os.getpid(), signal.SIGKILL)
                return function(*arguments)
            return killing

        if {stage!r} == "encoding":
            shuffle.Partitions.path = kill_second(shuffle.Partitions.path)
        else:
            shuffle.Partition.__call__ = kill_second(shuffle.Partition.__call__)
        prepare(LogBuilder(data_dir={str(tmp_path)!r}))
        """
    )
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    run = subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True)
    assert run.returncode == -signal.SIGKILL, run.stderr.decode()
    (left,) = (tmp_path / "log_builder").glob("incomplete.*_1.0.0")
    assert list(left.glob("*.tfrecord*" if stage == "writing" else "partitions.tmp/*"))
    assert not LogBuilder(data_dir=tmp_path).is_prepared()
    assert not list((tmp_path / "log_builder").glob("1.0.0"))
    # The leftovers of other versions are not ours.
    (tmp_path / "log_builder/incomplete.ABCDEF_1.0.1").mkdir()
    prepare(LogBuilder(data_dir=tmp_path))
    assert file_bytes(LogBuilder(data_dir=tmp_path)) == file_bytes(prepared)
    names = {path.name for path in (tmp_path / "log_builder").iterdir()}
    assert names == {"1.0.0", ".1.0.0.lock", "incomplete.ABCDEF_1.0.1"}
