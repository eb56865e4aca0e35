"""Tests of reading a log with the threads of this machine."""

import threading

import pytest

from interhat_tf.preprocessing import local_runner, vocabulary
from tests.preprocessing.logs import LogBuilder, assert_nothing_finished, file_bytes


def test_chunks_that_are_no_list(tmp_path, prepared):
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


def test_chunks_are_read_at_most_a_few_ahead(tmp_path, monkeypatch):
    monkeypatch.setattr(local_runner, "available_cores", lambda: 2)
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


def test_log_without_rows(tmp_path):
    builder = LogBuilder(data_dir=tmp_path)
    builder.rows = 0
    with pytest.raises(ValueError, match=r"^the log has no rows$"):
        builder.download_and_prepare()
    assert_nothing_finished(tmp_path)
