"""Tests of the preparation as a whole, on logs that are made up in memory."""

import contextlib
import os
import resource
import signal
import subprocess
import sys
import textwrap

import numpy as np
import pyarrow as pa
import pytest
import tensorflow as tf

from interhat_tf.input_pipeline.catalog import prepare
from interhat_tf.input_pipeline.dataset import PreparedDataset
from interhat_tf.preprocessing import shuffle, vocabulary
from interhat_tf.preprocessing.rows import random_bits
from interhat_tf.schema import Field
from tests.preprocessing.logs import (
    SPLITS,
    LogBuilder,
    MixedLogBuilder,
    assert_nothing_finished,
    file_bytes,
    read,
)


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


def test_features_of_a_record_are_in_one_order(prepared):
    """Left to Protocol buffers, it differs from process to process, and so would the files."""
    for split in SPLITS:
        for record in tf.data.TFRecordDataset(PreparedDataset(prepared).files(split)):
            text = record.numpy()
            assert text.index(b"categorical") < text.index(b"label") < text.index(b"numerical")


def test_metadata(tmp_path):
    builder = MixedLogBuilder(data_dir=tmp_path)
    dataset = prepare(builder)
    names = ["age", "size", "app", "city", "tail", "price"]
    assert list(dataset.schema.field_names) == names
    assert list(dataset.vocabularies) == names[:4]
    assert dataset.schema == dataset.encoding.schema()
    assert list(dataset.encoding.fields) == builder.fields
    assert dataset.schema.fields[0] == Field(
        "age", "categorical", len(dataset.vocabularies["age"]) + 1
    )
    assert dataset.vocabularies["age"][0] == ""
    # Of ages from 5 to 99.9, in width 4.745.
    assert dataset.vocabularies["age"][1] == "5 to 9.745"
    assert dataset.vocabularies["age"][-1] == "99.9"
    assert len(dataset.vocabularies["size"]) == 9 and dataset.vocabularies["size"][-1] == ""
    assert dataset.statistics["numerical_fields"] == 4
    assert dataset.statistics["features"]["size"] == 8
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
    with pytest.raises(
        ValueError, match=rf"^log_builder/1.0.0: the {split} split has no rows; the log "
    ):
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


@pytest.mark.usefixtures("quick_processes")
@pytest.mark.slow
@pytest.mark.parametrize("stage", ["encoding", "writing"])
def test_killed_preparation_leaves_nothing_that_loads(tmp_path, prepared, stage):
    program = textwrap.dedent(
        f"""
        import os, signal
        from interhat_tf.input_pipeline.catalog import prepare
        from interhat_tf.preprocessing import shuffle
        from tests.preprocessing.logs import LogBuilder

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
