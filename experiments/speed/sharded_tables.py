"""What each of two devices holds of a model whose tables are split, and whether it learns the same.

    python -m experiments.speed.sharded_tables

Trains InterHAt, `released`, at Criteo's sizes but for its features on Keras' JAX
backend: on one device, and with `interhat_tf.training.table_sharding.shard_tables` on two. Both
are the same CPU, which JAX counts as one or as two, so that the seconds say what
splitting costs, not what a second device gains. How many there are is settled
when JAX starts: each kind runs in a process of its own. Writes
`experiments/results/sharded_tables/summary.json`. About two minutes on 2 cores,
with nothing else running.
"""

import collections
import dataclasses
import datetime
import importlib.metadata
import json
import pathlib
import time

import keras
from absl import flags

from experiments.common.results import RESULTS_DIR
from experiments.common.running import run_alone, run_program
from experiments.common.statistics import mean_and_std
from experiments.speed.paper_sizes import SIZES, batches_of, schema_of
from interhat_tf.models import InterHAt
from interhat_tf.models.presets import hyperparameters
from interhat_tf.training.optimizers import Adam
from interhat_tf.training.table_sharding import pad_vocabulary, shard_tables
from interhat_tf.utils.files import write_json
from interhat_tf.utils.provenance import versions

CRITEO = SIZES["criteo"]
BATCH_SIZE = 2048
DEVICES = {"one_device": 1, "sharded": 2}

FEATURES = flags.DEFINE_integer("sharded_features", 1_000_000, "number of features")
STEPS = flags.DEFINE_integer("sharded_steps", 10, "steps of a round")
ROUNDS = flags.DEFINE_integer("sharded_rounds", 3, "rounds that count; the first is none of them")
KIND = flags.DEFINE_enum(
    "sharded_kind", None, list(DEVICES), "train on one kind of devices, and print it as JSON"
)


def main(_):
    if KIND.value:
        print(json.dumps(train()))
        return
    rows = [{"kind": kind, "devices": n, **found_by(kind)} for kind, n in DEVICES.items()]
    losses = zip(*(row["losses"] for row in rows), strict=True)
    summary = {
        "date": datetime.date.today().isoformat(),
        "versions": {**versions(), "jax": importlib.metadata.version("jax")},
        "batch_size": BATCH_SIZE,
        "fields": CRITEO.categories + CRITEO.numbers,
        "features": FEATURES.value,
        "steps": STEPS.value,
        "rounds": ROUNDS.value,
        "rows": rows,
        "largest_difference_of_loss": max(max(pair) - min(pair) for pair in losses),
    }
    write_json(pathlib.Path(RESULTS_DIR.value) / "sharded_tables/summary.json", summary)
    for row in rows:
        print(
            f"{row['kind']:10} each device: table {row['table_bytes'][0] / 2**20:.1f} MiB, "
            f"optimizer {row['optimizer_bytes'][0] / 2**20:.1f} MiB; "
            f"{row['seconds_per_step']['mean'] * 1e3:,.1f} ms a step, loss {row['loss']:.7f}"
        )


def found_by(kind):
    """Returns what a process of its own found, with JAX and so many devices."""
    return run_alone(
        "experiments.speed.sharded_tables",
        {KIND.name: kind, **{flag.name: flag.value for flag in (FEATURES, STEPS, ROUNDS)}},
        KERAS_BACKEND="jax",
        JAX_PLATFORMS="cpu",
        XLA_FLAGS=f"--xla_force_host_platform_device_count={DEVICES[kind]}",
    )


def train():
    """Trains the model of this process's kind; returns its bytes, its seconds and its losses."""
    if KIND.value == "sharded":
        shard_tables()
    keras.utils.set_random_seed(0)
    # Both kinds train the very same model.
    schema = pad_vocabulary(
        schema_of(dataclasses.replace(CRITEO, features=FEATURES.value)), DEVICES["sharded"]
    )
    arguments, training = hyperparameters("criteo", "released")
    model = InterHAt(schema, **arguments)
    optimizer = Adam(beta_2=training["beta_2"])
    model.compile(optimizer, keras.losses.BinaryCrossentropy(from_logits=True))
    batches = batches_of(schema, BATCH_SIZE, batches=4)
    seconds, losses = [], []
    for _ in range(ROUNDS.value + 1):
        start = time.perf_counter()
        history = model.fit(batches, steps_per_epoch=STEPS.value, shuffle=False, verbose=0).history
        seconds.append((time.perf_counter() - start) / STEPS.value)
        losses += history["loss"]
    return {
        "table_bytes": bytes_held([model.embedding.table]),
        "optimizer_bytes": bytes_held(optimizer.variables),
        # The first round compiles.
        "seconds_per_step": mean_and_std(seconds[1:]),
        # Of each round the mean over its steps, the first round's too.
        "losses": losses,
        "loss": losses[-1],
    }


def bytes_held(variables):
    """Returns the bytes of variables that each device holds."""
    held = collections.Counter()
    for variable in variables:
        for shard in variable.value.addressable_shards:
            held[shard.device] += shard.data.nbytes
    return list(held.values())


if __name__ == "__main__":
    run_program(main)
