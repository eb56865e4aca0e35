"""Tests of training on several devices, against one device that sees the same batches."""

import pytest
import tensorflow as tf

from interhat_tf.training.distribution import (
    check_agreement,
    distribute_batches,
    naming_lost_workers,
)
from tests.conftest import run_python

# Two devices must be asked for before TensorFlow does anything.
SCRIPT = """
import itertools
import sys

import keras
import numpy as np
import tensorflow as tf

from interhat_tf import Field, InterHAt, Schema
from interhat_tf.training.distribution import check_agreement
from interhat_tf.training.optimizers import Adam, LazyAdam
from interhat_tf.training.evaluation import compile_prediction
from interhat_tf.training.step import compile_steps

cpu = tf.config.list_physical_devices("CPU")[0]
tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)
schema = Schema([Field("a", "categorical", 7), Field("b", "categorical", 5)])
rng = np.random.default_rng(0)
batches = [
    ({"categorical": rng.integers(0, (7, 5), (n, 2))}, rng.integers(2, size=n).astype("float32"))
    for n in (24, 24, 10)
]
# What each of the two replicas gets; the last batch is all the first's.
parts = [(slice(0, 12), slice(12, 24))] * 2 + [(slice(0, 10), slice(10, 10))]


def trained(strategy, optimizer, **how):
    keras.utils.set_random_seed(3)
    with strategy.scope():
        model = InterHAt(schema, embedding_dim=4, dense_l2=1e-3)
        optimizer = optimizer(1e-2, epsilon=1e-3)
        optimizer.build(model.trainable_variables)
    loss_sum = tf.Variable(0.0, dtype=tf.float64)
    steps = compile_steps(model, optimizer, loss_sum, **how)
    alone = strategy.num_replicas_in_sync == 1
    given = [
        ({"categorical": inputs["categorical"][part]}, labels[part])
        for (inputs, labels), of_batch in zip(batches, parts)
        for part in ([slice(None)] if alone else of_batch)
    ]
    spec = ({"categorical": tf.TensorSpec((None, 2), tf.int64)}, tf.TensorSpec((None,), tf.float32))
    data = strategy.distribute_datasets_from_function(
        lambda _: tf.data.Dataset.from_generator(lambda: given, output_signature=spec)
    )
    steps(iter(data), tf.constant(3))
    return model, float(loss_sum)


two = tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"])
how = eval(sys.argv[2])
one_model, one_loss = trained(tf.distribute.get_strategy(), eval(sys.argv[1]))
model, loss = trained(two, eval(sys.argv[1]), **how)
np.testing.assert_allclose(loss, one_loss, rtol=1e-6)
for weight, expected in zip(model.get_weights(), one_model.get_weights(), strict=True):
    np.testing.assert_allclose(weight, expected, atol=2e-5)
for rows in (1, 24):
    inputs = {"categorical": tf.constant(batches[0][0]["categorical"][:rows])}
    logits = compile_prediction(model, how.get("microbatch_size"))(inputs)
    np.testing.assert_allclose(logits, one_model(inputs), atol=1e-4)
check_agreement(two, 1, 2)
"""


@pytest.mark.slow
@pytest.mark.parametrize("optimizer", ["Adam", "LazyAdam"])
@pytest.mark.parametrize("how", [{}, {"microbatch_size": 5}, {"jit_compile": True}])
def test_two_replicas_take_the_steps_of_one(optimizer, how):
    run_python("-c", SCRIPT, optimizer, repr(how))


@pytest.mark.slow
def test_each_replica_reads_a_shard(tmp_path):
    script = """
import sys
import numpy as np
import tensorflow as tf
cpu = tf.config.list_physical_devices("CPU")[0]
tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)
from data.synthetic_rules.synthetic_rules_dataset_builder import Builder, RuleConfig
from interhat_tf.training.distribution import distribute_batches
from interhat_tf.input_pipeline.catalog import prepare
config = RuleConfig(name="small", group=(1,), records=20_000, num_fields=4)
data = prepare(Builder(config=config, data_dir=sys.argv[1]))
strategy = tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"])
batches = iter(distribute_batches(strategy, data, 500, 2, seed=1))
joined = iter(data.training_batches(500, 1, shards=2))
for _ in range(2 * data.num_batches(500, 2)):
    parts = strategy.experimental_local_results(next(batches)[0]["categorical"])
    np.testing.assert_array_equal(np.concatenate(parts), next(joined)[0]["categorical"])
"""
    run_python("-c", script, tmp_path)


@pytest.mark.slow
def test_epochs_end_with_short_batches(tmp_path):
    script = """
import sys
import tensorflow as tf
cpu = tf.config.list_physical_devices("CPU")[0]
tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)
from data.synthetic_rules.synthetic_rules_dataset_builder import Builder, RuleConfig
from interhat_tf import InterHAt, TrainingSettings, train
from interhat_tf.input_pipeline.catalog import prepare
config = RuleConfig(name="small", group=(1,), records=20_000, num_fields=4)
data = prepare(Builder(config=config, data_dir=sys.argv[1]))
with tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"]).scope():
    model = InterHAt(data.schema, embedding_dim=4, order=2)
# 8,192 and 7,808 rows: the shares of the two are unequal, and both end short.
settings = TrainingSettings(batch_size=300, max_epochs=1)
report = train(model, data, sys.argv[1] + "/run", settings)
assert report["training"]["epochs"] == 1, report
"""
    run_python("-c", script, tmp_path)


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
