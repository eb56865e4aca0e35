"""Whether a model trains whose table, with its moments, is larger than a process's memory.

    python -m experiments.speed.mapped_table

The table lies in a file that is mapped into memory, each row beside its two moments. A step needs
the rows of its batch alone: they are copied into a model whose table has a row for each of the
batch's values, `LazyAdam` trains that, and they are copied back. What is trained is what
`LazyAdam` would have made of the whole table.

Trains InterHAt, `released`, of Criteo's fields with a table of 20 GB, in a process that may have
`--room` GB beside the libraries; tries the same with the table in memory, which is to fail. The
file, of 60 GB, has holes where no row was trained. Writes `speed/mapped_table.json` among the
results. About two minutes on 2 cores, with nothing else running, and 1 GB of disk; the file is
removed. `experiments.speed.sharded_tables` splits a table between devices, but of one process.
"""

import dataclasses
import itertools
import mmap
import pathlib
import resource
import tempfile
import time
from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from absl import flags

from experiments.common.flags import DATA_DIR
from experiments.common.results import record, write_result
from experiments.common.running import run_program
from experiments.common.statistics import mean_and_std
from experiments.speed.paper_sizes import SIZES, batches_of, schema_of
from experiments.speed.processes import ROUNDS, run_alone
from interhat_tf.models import InterHAt
from interhat_tf.preprocessing.value_tables import mixed
from interhat_tf.schema import CATEGORICAL, Field, Schema
from interhat_tf.training.optimizers import LazyAdam
from interhat_tf.training.step import compile_steps

BATCH_SIZE = 2048
OUT_OF_MEMORY = (MemoryError, tf.errors.ResourceExhaustedError)

TABLE_ROWS = flags.DEFINE_integer("table_rows", 416_666_667, "rows of the table, of 48 bytes each")
BATCHES = flags.DEFINE_integer("batches", 50, "different batches, which each round trains once")
ROOM = flags.DEFINE_float("room", 2.0, "GB of memory of its own that a process may have for it")


def main(_):
    pathlib.Path(DATA_DIR.value).mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=DATA_DIR.value) as folder:
        path = pathlib.Path(folder) / "table.bin"
        sizes = TABLE_ROWS.value, ROOM.value
        found = run_alone(train_mapped, path, *sizes, BATCHES.value, ROUNDS.value)
    in_memory = run_alone(build_in_memory, *sizes)
    write_result("speed/mapped_table.json", record(**found, in_memory=in_memory))
    print(
        f"{found['table_gigabytes']:.1f} GB, with moments {found['file_gigabytes']:.1f}, in "
        f"{ROOM.value} GB of memory: {found['rows_per_second']['mean']:,.0f} rows/s, losses "
        f"{found['losses'][0]:.4f} to {found['losses'][-1]:.4f}; in memory: {in_memory or 'fits'}"
    )


class MappedTable:
    """A table of vectors in a file, each beside its first and its second moment.

    A row that was never written is a hole of the file, which reads as zeros; its vector is
    the initial one, which follows from its number alone.

    Args:
        path: The file, which is made.
        rows: Number of rows.
        dim: Length of a vector.
    """

    def __init__(self, path: pathlib.Path, rows: int, dim: int):
        self.limit = np.float32(np.sqrt(6 / (rows + dim)))  # of Glorot's uniform numbers
        shape = (rows, 3, dim)
        self.data = np.memmap(path, np.float32, "w+", shape=shape)
        # Each row is on a page of its own; what the system would read around it is never asked for.
        self.data._mmap.madvise(mmap.MADV_RANDOM)

    def read(self, ids: np.ndarray) -> np.ndarray:
        """Returns vectors and both moments of rows, (n, 3, d)."""
        found = self.data[ids]
        fresh = ~found.any(axis=(1, 2))
        found[fresh, 0] = self.initial(ids[fresh])
        return found

    def write(self, ids: np.ndarray, values: np.ndarray) -> None:
        """Writes what `read` returns; the ids differ from one another."""
        self.data[ids] = values

    def initial(self, ids: np.ndarray) -> np.ndarray:
        """Returns the vectors that rows start with, (n, d)."""
        dim = self.data.shape[-1]
        # SplitMix64, a bijection of 64 bits.
        bits = ids.astype(np.uint64)[:, None] * np.uint64(dim) + np.arange(dim, dtype=np.uint64)
        bits = mixed((bits + np.uint64(1)) * np.uint64(0x9E3779B97F4A7C15))
        return ((bits >> np.uint64(40)) * np.float32(2**-23) - 1).astype(np.float32) * self.limit


class MappedTraining:
    """Trains a model of categorical fields whose table is a `MappedTable`.

    Args:
        schema: The whole schema.
        path: The table's file.
        batch_size: Records of every batch.
    """

    def __init__(self, schema: Schema, path: pathlib.Path, batch_size: int):
        self.sizes = [min(size, batch_size) for size in schema.vocabulary_sizes]
        small = zip(schema.field_names, self.sizes, strict=True)
        self.model = make_model(Schema([Field(name, "categorical", n) for name, n in small]))
        self.table = MappedTable(
            path, sum(schema.vocabulary_sizes), self.model.embedding.embedding_dim
        )
        self.offsets = [0, *itertools.accumulate(schema.vocabulary_sizes)][:-1]
        self.starts = [0, *itertools.accumulate(self.sizes)][:-1]
        self.optimizer = make_optimizer(self.model)
        self.loss_sum = tf.Variable(0.0, dtype=tf.float64, trainable=False)
        self.steps = compile_steps(self.model, self.optimizer, self.loss_sum)
        self.held = held_variables(self.model, self.optimizer)

    def step(self, ids: np.ndarray, labels: np.ndarray) -> None:
        """Trains with a batch: ids, (B, C), and labels, (B,)."""
        rows, places, small = self._compact(ids)
        values = self.table.read(rows)  # (n, 3, d)
        for number, variable in enumerate(self.held):
            variable.scatter_update(tf.IndexedSlices(values[:, number], places))
        batch = tf.data.Dataset.from_tensors(({CATEGORICAL: small}, labels))
        self.steps(iter(batch), tf.constant(1))
        taken = [tf.gather(variable, places).numpy() for variable in self.held]
        self.table.write(rows, np.stack(taken, axis=1))

    def _compact(self, ids):
        """Returns the table's rows of a batch, their places in the model's, and the ids there."""
        rows, places, small = [], [], np.empty_like(ids)
        for field, (offset, start) in enumerate(zip(self.offsets, self.starts, strict=True)):
            values, small[:, field] = np.unique(ids[:, field], return_inverse=True)
            rows.append(values.astype(np.int64) + offset)
            places.append(np.arange(len(values), dtype=np.int32) + start)
        return np.concatenate(rows), np.concatenate(places), small


def make_model(schema: Schema) -> InterHAt:
    """Returns the model, without the penalty that gives every row a gradient."""
    keras.utils.set_random_seed(0)
    return InterHAt.from_preset("released", schema, dataset="criteo", embedding_l2=0.0)


def make_optimizer(model: InterHAt) -> LazyAdam:
    """Returns the optimizer, with its moments."""
    optimizer = LazyAdam(beta_2=model.training_settings["beta_2"])
    optimizer.build(model.trainable_variables)
    return optimizer


def held_variables(model: InterHAt, optimizer: LazyAdam) -> list[tf.Variable]:
    """Returns the variables of a model's table and of its two moments."""
    table = model.embedding.table
    place = [variable is table for variable in model.trainable_variables].index(True)
    # Keras has no other way to an optimizer's moments of one variable.
    return [
        each.value for each in (table, optimizer._momentums[place], optimizer._velocities[place])
    ]


def train_mapped(
    path: pathlib.Path, rows: int, room: float, batches: int, rounds: int
) -> dict[str, Any]:
    """Trains in this process, within its room; returns what there is to say of it."""
    schema = schema_of(dataclasses.replace(SIZES["criteo"], features=rows))
    limit_memory(room)
    training = MappedTraining(schema, path, BATCH_SIZE)
    data = batches_of(schema, BATCH_SIZE, batches).take(batches).as_numpy_iterator()
    known: Sequence[Any] = [(inputs[CATEGORICAL], labels) for inputs, labels in data]
    rates, losses = [], []
    for _ in range(rounds + 1):
        start = time.perf_counter()
        training.loss_sum.assign(0.0)
        for ids, labels in known:
            training.step(ids, labels)
        rates.append(batches * BATCH_SIZE / (time.perf_counter() - start))
        losses.append(float(training.loss_sum.numpy()) / (batches * BATCH_SIZE))
    return {
        "batch_size": BATCH_SIZE,
        "batches": batches,
        "rounds": rounds,
        "room_gigabytes": room,
        "table_rows": rows,
        "table_gigabytes": training.table.data.nbytes / 3 / 1e9,
        "file_gigabytes": training.table.data.nbytes / 1e9,
        "disk_gigabytes": path.stat().st_blocks * 512 / 1e9,
        # The first round traces the step.
        "rows_per_second": mean_and_std(rates[1:]),
        "losses": losses,
    }


def build_in_memory(rows: int, room: float) -> str:
    """Makes model and optimizer with the whole table; returns the error, or nothing."""
    schema = schema_of(dataclasses.replace(SIZES["criteo"], features=rows))
    limit_memory(room)
    try:
        make_optimizer(make_model(schema))
    except OUT_OF_MEMORY as error:
        return type(error).__name__
    return ""


def limit_memory(room: float) -> None:
    """Lets this process have so many GB more memory of its own; mapped files are none."""
    status = pathlib.Path("/proc/self/status").read_text()
    of_data = next(line for line in status.splitlines() if line.startswith("VmData"))
    limit = int(of_data.split()[1]) * 1024 + int(room * 1e9)
    resource.setrlimit(resource.RLIMIT_DATA, (limit, limit))


if __name__ == "__main__":
    run_program(main, rounds=3)
