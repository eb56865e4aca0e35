"""Tests of preparing and opening data sets by name."""

import multiprocessing
import os
import pathlib
import random
import threading
import time

import numpy as np
import pytest
import tensorflow as tf
import tensorflow_datasets as tfds

from interhat_tf.input_pipeline import catalog
from interhat_tf.input_pipeline.catalog import prepare, prepared_dataset
from tests.input_pipeline.small_log import ROWS, SmallLogBuilder, modification_times, take


def test_unknown_names(dataset, tmp_path):
    with pytest.raises(ValueError, match=r"^there is no data set 'mnist'; known ones: .*frappe.*"):
        prepared_dataset("mnist", tmp_path)
    with pytest.raises(
        ValueError, match=r"^frappe has no configuration 'x'; it has nfm, usage_log"
    ):
        prepared_dataset("frappe/x", tmp_path)
    with pytest.raises(ValueError, match=r"no split 'dev'; it has train, validation, test$"):
        dataset.evaluation_batches("dev", 8)


@pytest.mark.parametrize(
    ("name", "advice"),
    [
        ("raw_dri", "did you mean 'raw_dir'?"),
        ("beam_option", "did you mean 'beam_options'?"),
        ("weights", "it has name, data_dir, raw_dir, crosses"),
    ],
)
def test_misspelt_arguments(tmp_path, name, advice):
    with pytest.raises(TypeError) as error:
        prepared_dataset("frappe", tmp_path, **{name: None})
    assert str(error.value) == f"prepared_dataset has no argument {name!r}; {advice}"
    assert not any(tmp_path.iterdir())


def test_prepared_once_and_quietly(tmp_path, capfd):
    tf.zeros(())  # TensorFlow says which devices it finds when it first works
    capfd.readouterr()
    first = prepared_dataset("synthetic_rules/rule_1", tmp_path)
    out, err = capfd.readouterr()
    assert out == ""
    assert err == f"Preparing {first.name} in {tmp_path / first.name}\n"
    written = modification_times(tmp_path)
    second = prepared_dataset("synthetic_rules/rule_1", tmp_path)
    assert modification_times(tmp_path) == written
    assert second.schema == first.schema
    assert second.name == first.name
    assert capfd.readouterr() == ("", "")


def test_preparation_leaves_the_random_state(tmp_path):
    state = random.getstate()
    prepare(SmallLogBuilder(data_dir=tmp_path))
    assert random.getstate() == state


def test_raw_folder_and_further_options_reach_the_builder(tmp_path):
    seen = []

    class ManualBuilder(SmallLogBuilder, skip_registration=True):
        MANUAL_DOWNLOAD_INSTRUCTIONS = "log.csv"

        def _chunks(self, dl_manager):
            seen.append(dl_manager.manual_dir)
            return super()._chunks(dl_manager)

        def _download_and_prepare(self, dl_manager, download_config):
            seen.append(download_config.num_shards)
            super()._download_and_prepare(dl_manager, download_config)

    raw = tmp_path / "raw"
    raw.mkdir()
    (raw / "log.csv").write_text("1")
    prepare(ManualBuilder(data_dir=tmp_path / "prepared"), raw, num_shards=3)
    assert seen == [3, raw]


def test_second_preparation_waits_and_uses_the_first(tmp_path):
    """Two builders in one process hold two locks, as in two processes."""
    read = []

    class WatchedBuilder(SmallLogBuilder, skip_registration=True):
        def _chunks(self, dl_manager):
            read.append(self)
            return super()._chunks(dl_manager)

    first, second = WatchedBuilder(data_dir=tmp_path), WatchedBuilder(data_dir=tmp_path)
    datasets = []
    waiting = threading.Thread(target=lambda: datasets.append(prepare(second)))
    with catalog._alone(first):
        waiting.start()
        waiting.join(0.5)
        assert waiting.is_alive()
        first.download_and_prepare()
        written = modification_times(tmp_path)
        waiting.join(0.2)
        assert waiting.is_alive()
    waiting.join(60)
    datasets[0].check("train")
    assert read == [first]
    assert modification_times(tmp_path) == written


def test_another_version_s_preparation_is_not_waited_for(tmp_path):
    class OtherBuilder(SmallLogBuilder, skip_registration=True):
        name = "small_log_builder"
        VERSION = tfds.core.Version("1.0.1")

    with catalog._alone(SmallLogBuilder(data_dir=tmp_path)):
        prepare(OtherBuilder(data_dir=tmp_path)).check("test")


def test_lock_ends_with_a_failure(tmp_path):
    broken = SmallLogBuilder(data_dir=tmp_path)
    broken.fails_at = 0
    with pytest.raises(ValueError, match="broken"):
        prepare(broken)
    prepare(SmallLogBuilder(data_dir=tmp_path)).check("test")


class SlowLogBuilder(SmallLogBuilder, skip_registration=True):
    """Notes who looks for the log, and takes a second for it."""

    def _chunks(self, dl_manager):
        with open(f"{self._data_dir_root}/readers", "a") as file:
            file.write(f"{os.getpid()}\n")
        time.sleep(1)
        return super()._chunks(dl_manager)


@pytest.mark.usefixtures("quick_processes")
@pytest.mark.slow
def test_two_processes_prepare_at_once(tmp_path):
    context = multiprocessing.get_context("spawn")
    with context.Pool(2, _set_barrier, [context.Barrier(2)]) as pool:
        one, other = pool.map(_prepare_and_read, [str(tmp_path)] * 2, chunksize=1)
    assert one["process"] != other["process"]
    (reader,) = (tmp_path / "readers").read_text().split()
    assert int(reader) in (one["process"], other["process"])
    assert one["written"] == other["written"]
    # Both wanted it before there was one.
    assert max(one["start"], other["start"]) < min(time for _, time in one["written"])
    np.testing.assert_array_equal(one["rows"], other["rows"])
    assert len(one["rows"]) == ROWS


def _set_barrier(barrier):
    global _barrier
    _barrier = barrier


def _prepare_and_read(data_dir):
    random.seed(0)  # as a training program does in both
    builder = SlowLogBuilder(data_dir=data_dir)
    _barrier.wait()
    start = time.time_ns()
    dataset = prepare(builder)
    rows = np.concatenate(take(dataset.evaluation_batches("train", 512), None))
    written = modification_times(pathlib.Path(builder.data_path))
    return {
        "process": os.getpid(),
        "start": start,
        "written": sorted((str(path), time) for path, time in written.items()),
        "rows": rows,
    }
