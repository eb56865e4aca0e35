"""Tests of training with a table in a file, against the same table in memory."""

import dataclasses

import numpy as np
import pytest
import tensorflow as tf
from absl.testing import flagsaver

from experiments.common.results import read_result
from experiments.speed import mapped_table
from experiments.speed.mapped_table import MappedTable, MappedTraining, held_variables
from experiments.speed.paper_sizes import SIZES, batches_of, schema_of
from interhat_tf.schema import CATEGORICAL
from interhat_tf.training.step import compile_steps


def test_a_row_that_was_never_written_is_its_first(tmp_path):
    table = MappedTable(tmp_path / "table", rows=1000, dim=12)
    ids = np.array([999, 3, 500])
    first = table.read(ids)
    np.testing.assert_array_equal(first[:, 0], table.initial(ids))
    assert (first[:, 1:] == 0).all()
    whole = table.initial(np.arange(1000))
    assert abs(whole).max() <= np.sqrt(6 / 1012) and abs(whole.mean()) < 2e-3
    assert whole.std() == pytest.approx(np.sqrt(2 / 1012), rel=0.02)
    table.write(ids[:1], np.ones((1, 3, 12)))
    np.testing.assert_array_equal(table.read(ids), [np.ones((3, 12)), *first[1:]])


def test_training_is_that_of_a_table_in_memory(tmp_path):
    schema = schema_of(dataclasses.replace(SIZES["criteo"], features=20_000))
    mapped = MappedTraining(schema, tmp_path / "table", batch_size=64)
    model = mapped_table.make_model(schema)
    optimizer = mapped_table.make_optimizer(model)
    loss_sum = tf.Variable(0.0, dtype=tf.float64, trainable=False)
    steps = compile_steps(model, optimizer, loss_sum)
    table, first, second = held_variables(model, optimizer)
    everything = np.arange(20_000)
    table.assign(mapped.table.initial(everything))
    for theirs, ours in zip(model.weights, mapped.model.weights, strict=True):
        if theirs.path != model.embedding.table.path:
            theirs.assign(ours)
    batches = batches_of(schema, 64, batches=3).take(6)
    for inputs, labels in batches.as_numpy_iterator():
        mapped.step(inputs[CATEGORICAL], labels)
    steps(iter(batches), tf.constant(6))
    assert mapped.loss_sum.numpy() == pytest.approx(loss_sum.numpy(), rel=1e-6)
    found = mapped.table.read(everything)
    for number, variable in enumerate((table, first, second)):
        np.testing.assert_allclose(found[:, number], variable.numpy(), rtol=1e-4, atol=1e-7)
    assert (found[:, 1] != 0).any(axis=1).sum() > 500


@pytest.mark.usefixtures("quick_processes")
@pytest.mark.slow
def test_a_table_trains_that_is_larger_than_the_memory(study_flags):
    rows = 30_000_000
    with flagsaver.flagsaver(table_rows=rows, room=1.0, batches=2, rounds=1):
        mapped_table.main(None)
    found = read_result("speed/mapped_table.json")
    assert found["in_memory"] == "ResourceExhaustedError"
    assert found["table_gigabytes"] == pytest.approx(rows * 48 / 1e9)
    assert found["table_gigabytes"] > found["room_gigabytes"]
    assert found["disk_gigabytes"] < found["file_gigabytes"] / 2
    assert found["losses"][1] < found["losses"][0] < 0.8
    assert not list((study_flags / "prepared").iterdir())
