"""Tests of the order of training batches and of their shards."""

import numpy as np
import pytest
import tensorflow as tf

from tests.input_pipeline.small_log import (
    BATCH_SIZE,
    BATCHES,
    ROWS,
    assert_equal,
    sorted_rows,
    take,
)

pytestmark = pytest.mark.usefixtures("small_windows")


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
