"""Tests of logs in object storage: a store in this process's memory stands for a bucket."""

import pathlib

import fsspec
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from etils.epath import backend, gpath
from fsspec.implementations.memory import MemoryFileSystem
from fsspec.registry import _registry

from interhat_tf import prepare_click_log
from interhat_tf.input_pipeline.catalog import prepared_dataset
from interhat_tf.preprocessing.log_files import check_address, log_path
from tests.click_log_example import write_click_log


class Bucket(MemoryFileSystem):
    """fsspec's file system in memory, under the addresses of another store."""

    protocol = ("s3",)
    store: dict = {}  # noqa: RUF012
    pseudo_dirs: list = [""]  # noqa: RUF012

    @classmethod
    def _strip_protocol(cls, path):
        return super()._strip_protocol(path.removeprefix("s3://"))


@pytest.fixture
def read_by(monkeypatch):
    """Sets what reads addresses, which `epath` settles once in a process."""
    caches = gpath._is_tf_installed, backend._FileSystemSpecBackend._get_filesystem

    def choose(tensorflow):
        monkeypatch.setenv("EPATH_USE_TF", tensorflow)
        for cached in caches:
            cached.cache_clear()

    yield choose
    for cached in caches:
        cached.cache_clear()


@pytest.fixture
def bucket(monkeypatch, read_by):
    read_by("false")
    monkeypatch.setitem(_registry, "s3", Bucket)
    yield fsspec.filesystem("s3")
    Bucket.store.clear()


@pytest.mark.parametrize("compression", ["", ".gz"])
def test_a_log_in_a_bucket_gives_the_same_set(bucket, tmp_path, compression):
    path = tmp_path / "clicks.csv"
    write_click_log(path)
    with fsspec.open(
        f"s3://bucket/logs/clicks.csv{compression}", "wb", compression="infer"
    ) as file:
        file.write(path.read_bytes())
    here = prepare_click_log(path, name="clicks", data_dir=tmp_path / "here")
    log = f"s3://bucket/logs/clicks.csv{compression}"
    there = prepare_click_log(log, name="clicks", data_dir=tmp_path / "there")
    assert there.metadata["parts"][0]["path"] == log
    for split in ("train", "validation", "test"):
        expected, found = (
            [pathlib.Path(file).read_bytes() for file in data.files(split)]
            for data in (here, there)
        )
        assert found == expected


def test_a_folder_of_parquet_files(bucket, tmp_path):
    table = pa.table({"click": [0, 1] * 100, "app": ["maps", "mail", "chat", "mail"] * 50})
    for number in range(2):
        with bucket.open(f"s3://bucket/parts/{number}.parquet", "wb") as file:
            pq.write_table(table, file)
    data = prepare_click_log("s3://bucket/parts", name="parts", data_dir=tmp_path)
    assert data.statistics["records"] == 400


def test_what_is_not_in_the_bucket(bucket):
    with pytest.raises(FileNotFoundError, match=r"^s3://bucket/none\.csv is missing"):
        log_path("s3://bucket/none.csv")


@pytest.mark.parametrize("address", ["memory://bucket/log.csv", "http://host/log.csv"])
def test_other_addresses_are_refused(address, tmp_path):
    message = f"^{address}: a log is read from a disk or from gs://, s3://, az://, hf://; copy"
    with pytest.raises(ValueError, match=message):
        prepare_click_log(address, name="clicks", data_dir=tmp_path)
    with pytest.raises(ValueError, match=message):
        prepared_dataset("criteo/all_fields", tmp_path, address)


@pytest.mark.parametrize("tensorflow", ["true", "false"])
def test_a_store_that_nothing_reads(read_by, tensorflow):
    read_by(tensorflow)
    message = r"^s3://bucket/log\.csv: nothing here reads s3://; pip install s3fs, and set EPATH"
    with pytest.raises(ValueError, match=message):
        check_address("s3://bucket/log.csv")


def test_a_store_that_does_not_answer(bucket, monkeypatch):
    def broken(self, path, **_):
        raise PermissionError("access denied")

    monkeypatch.setattr(Bucket, "info", broken)
    with pytest.raises(ValueError, match=r"log\.csv: PermissionError: access denied; is the addr"):
        log_path("s3://bucket/log.csv")
