"""Tests of training on several devices, against one device that sees the same batches.

Two devices must be asked for before TensorFlow does anything, so the tests run
this file as a program in a fresh process, once for all of them.
"""

import sys

import keras
import numpy as np
import pytest
import tensorflow as tf

from data.synthetic_rules.synthetic_rules_dataset_builder import Builder, RuleConfig
from interhat_tf import Adam, Field, InterHAt, LazyAdam, Schema, TrainingSettings, train
from interhat_tf.input_pipeline.catalog import prepare
from interhat_tf.training import loop
from interhat_tf.training.averaged_weights import AveragedWeights
from interhat_tf.training.distribution import (
    check_agreement,
    distribute_batches,
    naming_lost_workers,
)
from interhat_tf.training.effect_alignment import EffectAlignment
from interhat_tf.training.evaluation import compile_prediction
from interhat_tf.training.order_alignment import OrderAlignment
from interhat_tf.training.record_weights import RecordWeights
from interhat_tf.training.step import compile_steps
from interhat_tf.utils.files import read_json
from tests.conftest import pytest_configure, run_python

SCHEMA = Schema([Field("a", "categorical", 7), Field("b", "categorical", 5)])
# What one device and two train with, and what the two alone do: microbatches and XLA once
# each, with the sparse gradients and the weights of records that they have to carry.
WEIGHTED = {"optimizer": LazyAdam, "record_weights": RecordWeights(mean=1.3, positive=2.0)}
CASES = {
    "Adam": ({"optimizer": Adam}, {}),
    "LazyAdam": ({"optimizer": LazyAdam}, {}),
    "Weighted": (WEIGHTED, {"microbatch_size": 5}),
    "Aligned": ({**WEIGHTED, "alignment_weight": 5.0}, {"jit_compile": True}),
}
# What each of the two replicas gets; the last batch is all the first's.
PARTS = [(slice(0, 12), slice(12, 24))] * 2 + [(slice(0, 12), slice(12, 12))]
ROWS = (24, 24, 12)


@pytest.fixture(scope="module")
def found(tmp_path_factory):
    """The folder with what two devices have found."""
    folder = tmp_path_factory.mktemp("two_devices")
    run_python("-m", "tests.training.distribution_test", folder)
    return folder


@pytest.mark.slow
@pytest.mark.parametrize("name", CASES)
def test_two_replicas_take_the_steps_of_one(found, name):
    one, two = (np.load(found / f"{name}-{devices}.npz") for devices in ("one", "two"))
    np.testing.assert_allclose(two["loss"], one["loss"], rtol=1e-6)
    weights = [name for name in one if name.startswith("weight")]
    assert weights and weights == [name for name in two if name.startswith("weight")]
    for name in weights:
        np.testing.assert_allclose(two[name], one[name], atol=2e-5)
    for rows in (1, 24):
        assert two[f"logits_{rows}"].shape == (rows, 1)
        np.testing.assert_allclose(two[f"logits_{rows}"], one[f"logits_{rows}"], atol=1e-4)


@pytest.mark.slow
def test_weights_of_records_change_the_steps(found):
    plain, weighted = (np.load(found / f"{name}-one.npz") for name in ("LazyAdam", "Weighted"))
    assert np.abs(weighted["logits_24"] - plain["logits_24"]).max() > 1e-3


@pytest.mark.slow
def test_each_replica_reads_a_shard(found):
    paths = list(found.glob("batch-*.npz"))
    assert len(paths) > 2
    for path in paths:
        batch = np.load(path)
        np.testing.assert_array_equal(batch["read"], batch["expected"])


@pytest.mark.slow
def test_epochs_end_with_short_batches(found):
    report = read_json(found / "run/report.json")
    # The second epoch's steps are compiled again, for a penalty that has grown.
    assert [epoch["penalty_scale"] for epoch in report["history"]] == [1, 2], report
    assert len(report["alignment"]["validation"]) == 2
    # One replica's last batch is empty, which batch normalisation has to bear.
    assert np.isfinite(report["validation"]["logloss"])


def test_shards_are_a_multiple_of_the_replicas(rule_data):
    class Two:
        num_replicas_in_sync = 2

    with pytest.raises(ValueError, match="3 shards cannot be distributed to 2 replicas equally"):
        distribute_batches(Two(), rule_data, 90, 3, seed=0)


def test_one_replica_agrees_with_itself():
    check_agreement(tf.distribute.get_strategy(), 1, 2)


def test_a_lost_worker_is_named():
    lost = pytest.raises(ConnectionError, match="start all workers again, and resume")
    with lost, naming_lost_workers():
        raise tf.errors.UnavailableError(None, None, "Connection reset by peer")
    with pytest.raises(tf.errors.InvalidArgumentError), naming_lost_workers():
        raise tf.errors.InvalidArgumentError(None, None, "something else")


def trained(strategy, optimizer, alignment_weight=0.0, record_weights=None, **how):
    """Returns a model after a step on each batch, the sum of the loglosses, and the average.

    With an alignment both replicas' parts of a batch have the same records, so that
    each record has the same neighbour wherever a batch is cut.
    """
    rng = np.random.default_rng(0)
    batches = [
        (rng.integers(0, (7, 5), (rows, 2)), rng.integers(2, size=rows).astype("float32"))
        for rows in ROWS
    ]
    if alignment_weight:
        batches = [(np.tile(ids[: len(ids) // 2], (2, 1)), labels) for ids, labels in batches]
    if record_weights:
        batches = [(*batch, rng.exponential(size=len(batch[1]))) for batch in batches]
    keras.utils.set_random_seed(3)
    with strategy.scope():
        model = InterHAt(SCHEMA, embedding_dim=4, num_heads=2, order=2, dense_l2=1e-3)
        optimizer = optimizer(1e-2, epsilon=1e-3)
        optimizer.build(model.trainable_variables)
    loss_sum = tf.Variable(0.0, dtype=tf.float64)
    averaged = AveragedWeights(model, 0.9)
    alignments = []
    if alignment_weight:
        alignments.append(EffectAlignment(model, alignment_weight))
        alignments.append(OrderAlignment(model, alignment_weight, every=1))
    how |= {"averaged": averaged, "alignments": alignments, "record_weights": record_weights}
    steps = compile_steps(model, optimizer, loss_sum, **how)
    alone = strategy.num_replicas_in_sync == 1
    given = [
        ({"categorical": ids[part]}, *(values[part] for values in of_records))
        for (ids, *of_records), of_batch in zip(batches, PARTS, strict=True)
        for part in ([slice(None)] if alone else of_batch)
    ]
    of_record = tf.TensorSpec((None,), tf.float32)
    spec = ({"categorical": tf.TensorSpec((None, 2), tf.int64)}, *[of_record] * len(given[0][1:]))
    data = strategy.distribute_datasets_from_function(
        lambda _: tf.data.Dataset.from_generator(lambda: given, output_signature=spec)
    )
    steps(iter(data), tf.constant(len(ROWS)))
    return model, float(loss_sum), averaged


def save(path, model, loss, averaged, predict, ids):
    """Saves what is to be compared of a model."""
    weights = {f"weight_{i}": weight for i, weight in enumerate(model.get_weights())}
    with averaged.in_place():
        weights |= {f"weight_average_{i}": w for i, w in enumerate(model.get_weights())}
    logits = {f"logits_{rows}": predict({"categorical": ids[:rows]}) for rows in (1, 24)}
    np.savez(path, loss=loss, **weights, **logits)


def main(folder):
    """Trains on one device and on two, and reads the shards of two."""
    pytest_configure()
    cpu = tf.config.list_physical_devices("CPU")[0]
    tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)
    two = tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"])
    ids = tf.constant(np.random.default_rng(1).integers(0, (7, 5), (24, 2)))
    # A part's fields are those that the part has in the whole batch.
    EffectAlignment.draw = lambda self, rows: tf.range(rows) % 2
    OrderAlignment.draw = lambda self, rows: tf.tile([[0, 1]], [rows, 1])  # all that there are
    for name, (arguments, how) in CASES.items():
        model, *rest = trained(tf.distribute.get_strategy(), **arguments)
        save(f"{folder}/{name}-one.npz", model, *rest, model, ids)
        model, *rest = trained(two, **arguments, **how)
        predict = compile_prediction(model, how.get("microbatch_size"))
        save(f"{folder}/{name}-two.npz", model, *rest, predict, ids)
    check_agreement(two, 1, 2)

    config = RuleConfig(name="small", group=(1,), records=20_000, num_fields=4)
    data = prepare(Builder(config=config, data_dir=folder))
    batches = iter(distribute_batches(two, data, 500, 2, seed=1))
    joined = iter(data.training_batches(500, 1, shards=2))
    for i in range(2 * data.num_batches(500, 2)):
        parts = two.experimental_local_results(next(batches)[0]["categorical"])
        expected = next(joined)[0]["categorical"]
        np.savez(f"{folder}/batch-{i}.npz", read=np.concatenate(parts), expected=expected)

    with two.scope():
        sizes = {"embedding_dim": 4, "num_heads": 2, "order": 2, "value_dim": 8}
        model = InterHAt(data.schema, **sizes, embedding_l2=1e-4)
    # 8,192 and 7,808 rows: the shares of the two are unequal, and both end short.
    aligned = {"effect_weight": 0.05, "effect_donors": 2, "alignment_epochs": 1}
    loop.overfits = lambda *_: True  # so that the second epoch has a step of its own
    settings = TrainingSettings(batch_size=1_000, max_epochs=2, penalty_factor=2.0, **aligned)
    train(model, data, f"{folder}/run", settings)


if __name__ == "__main__":
    main(sys.argv[1])
