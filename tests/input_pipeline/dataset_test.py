"""Tests of the batches of a prepared data set."""

import itertools
import multiprocessing
import os
import pathlib
import random
import threading
import time

import numpy as np
import pyarrow as pa
import pytest
import tensorflow as tf
import tensorflow_datasets as tfds

from interhat_tf.input_pipeline import blocks, catalog, shuffled_batches
from interhat_tf.input_pipeline.catalog import prepare, prepared_dataset
from interhat_tf.input_pipeline.dataset import PreparedDataset
from interhat_tf.preprocessing import shuffle
from tests.preprocessing.builder_test import LogBuilder

ROWS, BATCH_SIZE, BATCHES = 1_600, 100, 16  # of the training split


class SmallLogBuilder(LogBuilder, skip_registration=True):
    rows = 2_000


@pytest.fixture(scope="module")
def dataset(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(shuffle, "BLOCK_ROWS", 64)
        builder = SmallLogBuilder(data_dir=tmp_path_factory.mktemp("prepared"))
        builder.download_and_prepare()
    return PreparedDataset(builder)


@pytest.fixture(autouse=True)
def small_windows(monkeypatch):
    # 25 blocks in windows of 4 batches.
    monkeypatch.setattr(blocks, "BLOCK_ROWS", 64)
    monkeypatch.setattr(shuffled_batches, "WINDOW_ROWS", 7 * 64)


def take(batches, count):
    return [
        np.column_stack([inputs["categorical"], inputs["numerical"], labels])
        for inputs, labels in itertools.islice(batches.as_numpy_iterator(), count)
    ]


def assert_equal(one, other):
    assert len(one) == len(other)
    for rows, other_rows in zip(one, other, strict=True):
        np.testing.assert_array_equal(rows, other_rows)


def sorted_rows(batches):
    rows = np.concatenate(batches)
    return rows[np.lexsort(rows.T)]


def test_what_the_dataset_tells(dataset):
    assert dataset.schema.field_names == ("app", "city", "price")
    assert dataset.schema.vocabulary_sizes == (51, 21)
    assert [len(values) for values in dataset.vocabularies.values()] == [50, 20]
    assert dataset.statistics["records"] == 2_000
    assert [dataset.num_rows(split) for split in ("train", "validation", "test")] == [
        1600,
        200,
        200,
    ]


def test_batch_types(dataset):
    expected = (
        {
            "categorical": tf.TensorSpec((None, 2), tf.int32),
            "numerical": tf.TensorSpec((None, 1), tf.float32),
        },
        tf.TensorSpec((None,), tf.float32),
    )
    assert dataset.training_batches(8, seed=0).element_spec == expected
    assert dataset.evaluation_batches("test", 8).element_spec == expected


@pytest.mark.parametrize("batch_size", [BATCH_SIZE, 300, 2_000])
def test_every_row_once_an_epoch(dataset, batch_size):
    count = -(-ROWS // batch_size)
    epochs = take(dataset.training_batches(batch_size, seed=1), 2 * count)
    stored = sorted_rows(take(dataset.evaluation_batches("train", 512), None))
    for epoch in (epochs[:count], epochs[count:]):
        assert {len(batch) for batch in epoch[:-1]} <= {batch_size}
        assert len(epoch[-1]) == ROWS - (count - 1) * batch_size
        np.testing.assert_array_equal(sorted_rows(epoch), stored)


def test_order_differs_between_epochs_and_seeds(dataset):
    batches = take(dataset.training_batches(BATCH_SIZE, seed=1), 2 * BATCHES)
    other = take(dataset.training_batches(BATCH_SIZE, seed=2), BATCHES)
    first, second = np.concatenate(batches[:BATCHES]), np.concatenate(batches[BATCHES:])
    assert (first != second).any(axis=1).mean() > 0.9
    assert (first != np.concatenate(other)).any(axis=1).mean() > 0.9
    # Blocks move, not only the rows within the first window.
    assert len(set(first[:400, 2]) & set(second[:400, 2])) < 200


def test_order_depends_on_seed_and_epoch_alone(dataset):
    tf.random.set_seed(1)
    batches = take(dataset.training_batches(BATCH_SIZE, seed=1), 3 * BATCHES)
    tf.random.set_seed(2)
    assert_equal(take(dataset.training_batches(BATCH_SIZE, seed=1), 3 * BATCHES), batches)


@pytest.mark.parametrize(("epoch", "batch"), [(0, 5), (1, 0), (2, 15), (1, 16)])
def test_resumed_order_is_the_unbroken_one(dataset, epoch, batch):
    unbroken = take(dataset.training_batches(BATCH_SIZE, seed=1), 4 * BATCHES)
    resumed = dataset.training_batches(BATCH_SIZE, 1, first_epoch=epoch, skip_batches=batch)
    assert_equal(take(resumed, 10), unbroken[epoch * BATCHES + batch :][:10])


def test_evaluation_has_every_row_in_a_fixed_order(dataset):
    batches = take(dataset.evaluation_batches("validation", 64), None)
    assert [len(batch) for batch in batches] == [64, 64, 64, 8]
    assert_equal(take(dataset.evaluation_batches("validation", 64), None), batches)
    whole = take(dataset.evaluation_batches("validation", 1_000), None)
    np.testing.assert_array_equal(np.concatenate(batches), whole[0])


def test_check_accepts_what_was_prepared(dataset):
    for split in ("train", "validation", "test"):
        dataset.check(split)


@pytest.mark.parametrize(
    ("column", "row", "value", "message"),
    [
        ("categorical", 70, 99, "field 'city', row 70: id 99 is outside the vocabulary [0, 21)"),
        ("categorical", 3, -1, "field 'city', row 3: id -1 is outside the vocabulary [0, 21)"),
        ("numerical", 70, np.nan, "field 'price', row 70: the number is nan; it must be finite"),
        ("label", 199, 2, "label, row 199: 2 is neither 0 nor 1"),
    ],
)
def test_check_names_the_row(tmp_path, monkeypatch, column, row, value, message):
    class DamagedBuilder(SmallLogBuilder, skip_registration=True):
        def _shard_iterators_per_split(self, dl_manager):
            iterators = super()._shard_iterators_per_split(dl_manager)
            (blocks,) = iterators["test"]

            def damaged():
                for key, block in blocks():
                    if key <= row < key + 64:
                        block[column].reshape(len(block["label"]), -1)[row - key, -1] = value
                    yield key, block

            return {**iterators, "test": [damaged]}

    monkeypatch.setattr(shuffle, "BLOCK_ROWS", 64)
    builder = DamagedBuilder(data_dir=tmp_path)
    builder.download_and_prepare()
    with pytest.raises(ValueError) as error:
        PreparedDataset(builder).check("test")
    assert str(error.value) == f"damaged_builder/1.0.0, test: {message}"


def test_unknown_names(dataset, tmp_path):
    with pytest.raises(ValueError, match=r"^there is no data set 'mnist'; known ones: .*frappe.*"):
        prepared_dataset("mnist", tmp_path)
    with pytest.raises(
        ValueError, match=r"^frappe has no configuration 'x'; it has nfm, usage_log"
    ):
        prepared_dataset("frappe/x", tmp_path)
    with pytest.raises(ValueError, match=r"no split 'dev'; it has train, validation, test$"):
        dataset.evaluation_batches("dev", 8)


@pytest.mark.parametrize("records", [{"app": ["a"], "price": [1]}, pa.table({"app": ["a"]})])
def test_records_without_a_field(dataset, records):
    missing = "city" if "price" in records else "city, price"
    with pytest.raises(ValueError, match=rf"^the records have no {missing}$"):
        dataset.encode(records)


def test_records_whose_number_is_none(dataset):
    record = {"app": ["app1"] * 2, "city": ["city1"] * 2}
    for number in (np.nan, np.inf, -np.inf):
        message = rf"^field 'price', row 1: the number is {number}; it must be finite$"
        with pytest.raises(ValueError, match=message):
            dataset.encode({**record, "price": [1.0, number]})
    with pytest.raises(ValueError, match=r"^field 'price', row 1: 'many' is not a number"):
        dataset.encode({**record, "price": ["1", "many"]})
    numbers = dataset.encode({**record, "price": ["999", None]})["numerical"]
    np.testing.assert_array_equal(numbers, [[np.float32(999 / 1997)], [0]])


def test_ids_of_raw_values(dataset):
    for field, values in dataset.vocabularies.items():
        column = list(dataset.vocabularies).index(field)
        record = {"app": ["?"], "city": ["?"], "price": [None]}
        for value in values:
            ids = dataset.encode({**record, field: [value]})["categorical"][0]
            assert ids[column] == dataset.id_of(field, value) > 0
            assert ids[1 - column] == 0
    with pytest.raises(ValueError, match=r"^field 'city' of .* never is 'Atlantis' in training$"):
        dataset.id_of("city", "Atlantis")
    with pytest.raises(ValueError, match=r"no categorical field 'price'; it has app, city$"):
        dataset.id_of("price", "1")


def test_prepared_once_and_quietly(tmp_path, capfd):
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


def modification_times(folder):
    return {path: path.stat().st_mtime_ns for path in folder.rglob("*") if path.is_file()}


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
    """Two of a process, as two of different processes, hold locks of their own."""
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


@pytest.fixture(scope="module")
def several_files(tmp_path_factory):
    """A prepared set whose training rows lie in several files."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(shuffle, "BLOCK_ROWS", 64)
        patch.setattr(shuffle, "PARTITION_ROWS", 300)
        builder = SmallLogBuilder(data_dir=tmp_path_factory.mktemp("files"))
        builder.download_and_prepare()
    data = PreparedDataset(builder)
    assert len(data.files("train")) > 3
    return data


@pytest.mark.parametrize("shards", [2, 3])
@pytest.mark.parametrize("kind", ["dataset", "several_files"])
def test_shards_make_up_the_batches_of_one_that_reads_them_all(request, kind, shards):
    data = request.getfixturevalue(kind)
    steps = data.num_batches(90, shards)
    assert steps >= data.num_batches(90)
    parts = [
        take(data.training_batches(90, 1, shards=shards, of_shards=[shard]), 2 * steps)
        for shard in range(shards)
    ]
    joined = [np.concatenate(of_batch) for of_batch in zip(*parts, strict=True)]
    assert_equal(take(data.training_batches(90, 1, shards=shards), 2 * steps), joined)
    assert (sorted_rows(joined[:steps]) == sorted_rows(joined[steps:])).all()
    assert len(np.unique(np.concatenate(joined[:steps]), axis=0)) == ROWS
    assert any((a != b).any() for a, b in zip(joined[:2], joined[steps:], strict=False))
    resumed = data.training_batches(90, 1, 1, 3, shards=shards, of_shards=[0])
    assert_equal(take(resumed, 4), parts[0][steps + 3 : steps + 7])


def test_a_shard_is_whole_files_where_there_are_enough(several_files):
    every = [file for shard in range(3) for file in set(files_of(several_files, shard, 3))]
    assert sorted(every) == sorted(several_files.files("train"))


def files_of(data, shard, shards):
    return [block.path for block in data._shards(shards)[shard].blocks]


def test_shards_that_cannot_be(dataset):
    with pytest.raises(ValueError, match="100 rows cannot be cut into 3 equal parts"):
        dataset.training_batches(100, 0, shards=3)
    with pytest.raises(ValueError, match="train: 25 blocks of rows are too few for 50 shards"):
        dataset.training_batches(100, 0, shards=50)
