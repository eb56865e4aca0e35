"""What each of two devices holds of a model whose tables are split, and whether it learns the same.

    python -m experiments.speed.sharded_tables

Trains InterHAt, `released`, at Criteo's sizes but for its features on Keras' JAX backend: on
one device, and with `interhat_tf.training.table_sharding.shard_tables` on two. Both are the
same CPU, which JAX counts as one or as two, so that the seconds say what splitting costs, not
what a second device gains; and both lie in one process, so that it is no model larger than a
process's memory, as `mapped_table` trains. Writes `speed/sharded_tables.json` among the
results. About two minutes on 2 cores, with nothing else running.
"""

import collections
import dataclasses
import time
from collections.abc import Iterable
from typing import Any

import keras
from absl import flags

from experiments.common.results import record, write_result
from experiments.common.running import run_program
from experiments.common.statistics import mean_and_std
from experiments.speed.paper_sizes import SIZES, batches_of, schema_of
from experiments.speed.processes import ROUNDS, run_alone
from interhat_tf.models import InterHAt
from interhat_tf.training.optimizers import Adam
from interhat_tf.training.table_sharding import pad_vocabulary, shard_tables

BATCH_SIZE = 2048
DEVICES = {"one_device": 1, "sharded": 2}

FEATURES = flags.DEFINE_integer("features", 1_000_000, "number of features")
STEPS = flags.DEFINE_integer("steps", 10, "steps of a round")


def main(_):
    rows = []
    for kind, devices in DEVICES.items():
        # How many devices there are is settled when JAX starts.
        found = run_alone(
            *(train, devices, FEATURES.value, STEPS.value, ROUNDS.value),
            KERAS_BACKEND="jax",
            JAX_PLATFORMS="cpu",
            XLA_FLAGS=f"--xla_force_host_platform_device_count={devices}",
        )
        rows.append({"kind": kind, "devices": devices, **found})
        print(
            f"{kind:10} each device: table {found['table_bytes'][0] / 2**20:.1f} MiB, "
            f"optimizer {found['optimizer_bytes'][0] / 2**20:.1f} MiB; "
            f"{found['seconds_per_step']['mean'] * 1e3:,.1f} ms a step, loss {found['loss']:.7f}"
        )
    losses = zip(*(row["losses"] for row in rows), strict=True)
    summary = record(
        "jax",
        batch_size=BATCH_SIZE,
        features=FEATURES.value,
        steps=STEPS.value,
        rounds=ROUNDS.value,
        rows=rows,
        largest_difference_of_loss=max(max(pair) - min(pair) for pair in losses),
    )
    write_result("speed/sharded_tables.json", summary)


def train(devices: int, features: int, steps: int, rounds: int) -> dict[str, Any]:
    """Trains the model on this process's devices; returns its bytes, seconds and losses."""
    if devices > 1:
        shard_tables()
    keras.utils.set_random_seed(0)
    # Both kinds train the very same model.
    schema = schema_of(dataclasses.replace(SIZES["criteo"], features=features))
    schema = pad_vocabulary(schema, max(DEVICES.values()))
    model = InterHAt.from_preset("released", schema, dataset="criteo")
    optimizer = Adam(beta_2=model.training_settings["beta_2"])
    model.compile(optimizer, keras.losses.BinaryCrossentropy(from_logits=True))
    batches = batches_of(schema, BATCH_SIZE)
    seconds, losses = [], []
    for _ in range(rounds + 1):
        start = time.perf_counter()
        history = model.fit(batches, steps_per_epoch=steps, shuffle=False, verbose=0).history
        seconds.append((time.perf_counter() - start) / steps)
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


def bytes_held(variables: Iterable[keras.Variable]) -> list[int]:
    """Returns the bytes of variables that each device holds."""
    held = collections.Counter()
    for variable in variables:
        for shard in variable.value.addressable_shards:
            held[shard.device] += shard.data.nbytes
    return list(held.values())


if __name__ == "__main__":
    run_program(main, rounds=3)
