"""Tests of the batches of a prepared data set."""

import itertools
import multiprocessing
import random

import numpy as np
import pytest
import tensorflow as tf

from interhat_tf import input_pipeline, preparation
from interhat_tf.input_pipeline import PreparedDataset, prepared_dataset
from tests.preparation_test import LogBuilder

ROWS, BATCH_SIZE, BATCHES = 1_600, 100, 16  # of the training split


class SmallLogBuilder(LogBuilder, skip_registration=True):
    rows = 2_000


@pytest.fixture(scope="module")
def dataset(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(preparation, "BLOCK_ROWS", 64)
        builder = SmallLogBuilder(data_dir=tmp_path_factory.mktemp("prepared"))
        builder.download_and_prepare()
    return PreparedDataset(builder)


@pytest.fixture(autouse=True)
def small_windows(monkeypatch):
    # 25 blocks in windows of 4 batches.
    monkeypatch.setattr(input_pipeline, "BLOCK_ROWS", 64)
    monkeypatch.setattr(input_pipeline, "WINDOW_BLOCKS", 7)


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
        def _generate_examples(self, shuffle):
            for number, example in super()._generate_examples(shuffle):
                if shuffle.folder.name == "rows.test.tmp":
                    example[column].reshape(200, -1)[row, -1] = value
                yield number, example

    # In one block, so that the rows stay in order: tfds orders the blocks itself.
    monkeypatch.setattr(preparation, "BLOCK_ROWS", 200)
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


def test_prepared_once_and_quietly(tmp_path, capfd):
    first = prepared_dataset("synthetic_rules/rule_1", tmp_path)
    out, err = capfd.readouterr()
    assert out == ""
    folder = tmp_path / "synthetic_rules/rule_1/1.0.0"
    assert err == f"Preparing synthetic_rules/rule_1 in {folder}\n"
    written = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*tfrecord*")}
    second = prepared_dataset("synthetic_rules/rule_1", tmp_path)
    assert {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*tfrecord*")} == written
    assert second.schema == first.schema
    assert capfd.readouterr().err == ""


def test_preparation_leaves_the_random_state(tmp_path):
    state = random.getstate()
    prepared_dataset("synthetic_rules/rule_1", tmp_path)
    assert random.getstate() == state


def test_the_slower_of_two_preparations_uses_the_first(tmp_path, monkeypatch):
    find = input_pipeline._find_builder

    def find_and_overtake(name):
        builder_class, config = find(name)

        class Overtaken(builder_class, skip_registration=True):
            name = builder_class.name
            pkg_dir_path = builder_class.pkg_dir_path
            overtaken = False

            def _split_generators(self, dl_manager):
                if not Overtaken.overtaken:
                    Overtaken.overtaken = True
                    builder_class(data_dir=tmp_path, config=config).download_and_prepare()
                return super()._split_generators(dl_manager)

        return Overtaken, config

    monkeypatch.setattr(input_pipeline, "_find_builder", find_and_overtake)
    dataset = prepared_dataset("synthetic_rules/rule_1", tmp_path)
    dataset.check("train")
    assert [path.name for path in (tmp_path / "synthetic_rules/rule_1").iterdir()] == ["1.0.0"]


@pytest.mark.slow
def test_two_processes_prepare_at_once(tmp_path):
    context = multiprocessing.get_context("spawn")
    with context.Pool(2) as pool:
        arguments = [("synthetic_rules/rule_2", str(tmp_path))] * 2
        rows = pool.starmap(_prepare_and_count, arguments)
    assert rows == [80_000, 80_000]


def _prepare_and_count(name, data_dir):
    random.seed(0)  # as a training program does in both
    dataset = prepared_dataset(name, data_dir)
    dataset.check("train")
    return dataset.num_rows("train")
