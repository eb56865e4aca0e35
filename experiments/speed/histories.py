"""How fast DIN, DIEN and InterHAt train on long histories, beside a DIN of FuxiCTR's layers.

    taskset -c 0 python -m experiments.speed.histories --pytorch_python=OTHER/bin/python

Whole training steps, forward, backward and Adam, of made-up records of the sizes of Amazon's
electronics: a user, an item, its category, and histories of both of up to 100 values. Both DIN
have the same sizes, Dice in the activation unit and ReLU in the MLP. FuxiCTR's is PyTorch's, in
its own environment (`pip install torch fuxictr`); without one, ours are timed alone. Steps
are timed in turn, round after round, by the processor's seconds of one thread. Writes
`speed/histories.json` among the results; some minutes.
"""

import contextlib
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import tensorflow as tf
from absl import flags

from experiments.common.markdown import markdown_table
from experiments.common.results import record, write_result
from experiments.common.running import run_program
from experiments.common.statistics import mean_and_std
from experiments.speed.paper_sizes import log_uniform
from experiments.speed.processes import ROUNDS
from experiments.speed.pytorch_process import PYTHON, pytorch_model
from experiments.speed.timed_cases import Training
from interhat_tf import Field, Schema
from interhat_tf.models import MODELS
from interhat_tf.schema import CATEGORICAL, MULTIVALUED, PADDING
from interhat_tf.training.optimizers import Adam

BATCH = flags.DEFINE_integer("history_batch", 2048, "records of a step", lower_bound=2)

SIZES = {"user": 192_403, "item": 63_001, "category": 801}
"""Those of the 5-core electronics, as DIN's paper counts them."""
LENGTH, DIM, UNITS, ATTENTION_UNITS = 100, 16, (200, 80), (36,)
BATCHES = 4

_DEEP = {"embedding_dim": DIM, "mlp_units": UNITS}
CONTESTANTS: dict[str, dict[str, Any]] = {
    "din": {**_DEEP, "mlp_activation": "relu", "attention_units": ATTENTION_UNITS},
    "dien": {**_DEEP, "mlp_activation": "relu"},
    "dnn": _DEEP,
    "interhat": {"embedding_dim": DIM, "num_heads": 4, "attention_size": 16, "order": 2},
}
PEER = "FuxiCTR's DIN"
PEERS_ARGUMENTS = {
    "sizes": list(SIZES.values()),
    "dim": DIM,
    "units": UNITS,
    "attention_units": ATTENTION_UNITS,
}

Train = Callable[[int], float]
"""Trains a number of steps and returns the processor's seconds."""


def main(_):
    arrays = made_up(np.random.default_rng(0), BATCH.value)
    with contextlib.ExitStack() as stack:
        contestants = {name: of_model(name, arrays) for name in CONTESTANTS}
        if PYTHON.value:
            peer = stack.enter_context(pytorch_model("din", arrays, PEERS_ARGUMENTS, threads=1))
            contestants[PEER] = lambda steps: peer.train(steps).processor
        for train in contestants.values():
            train(2)  # traces, and takes the memory
        seconds: dict[str, list[float]] = {name: [] for name in contestants}
        for _ in range(ROUNDS.value):
            for name, train in contestants.items():
                seconds[name].append(train(BATCHES) / BATCHES)
    rows = [
        {
            "model": name,
            "rows_per_second": mean_and_std([BATCH.value / s for s in taken]),
            "times": mean_and_std([b / a for a, b in zip(taken, seconds["din"], strict=True)]),
        }
        for name, taken in seconds.items()
    ]
    about = {"batch": BATCH.value, "length": LENGTH, "embedding_dim": DIM, "rounds": ROUNDS.value}
    write_result("speed/histories.json", record(**about, rows=rows))
    cells = [
        [r["model"], f"{r['rows_per_second']['mean']:,.0f}", f"{r['times']['mean']:.2f}"]
        for r in rows
    ]
    print(markdown_table(["model", "rows/s", "times DIN's"], cells))


def made_up(rng: np.random.Generator, rows: int) -> dict[str, np.ndarray]:
    """Returns batches: ids (BATCHES, B, 3), histories (BATCHES, 2, B, L), labels (BATCHES, B).

    Ids are log-uniform; a history has 1 to L values, and -1 behind them.
    """
    sizes = np.array(list(SIZES.values()))

    histories = log_uniform(rng, sizes[1:, None, None], (BATCHES, 2, rows, LENGTH))
    lengths = rng.integers(1, LENGTH + 1, (BATCHES, 1, rows, 1))
    histories[np.broadcast_to(np.arange(LENGTH) >= lengths, histories.shape)] = PADDING
    labels = (rng.random((BATCHES, rows)) < 0.5).astype("float32")
    return {
        "ids": log_uniform(rng, sizes, (BATCHES, rows, 3)),
        "histories": histories,
        "labels": labels,
    }


def schema() -> Schema:
    """Returns the records' schema."""
    fields = [Field(name, "categorical", size) for name, size in SIZES.items()]
    histories = [
        Field(f"{name}_history", "sequence", SIZES[name], max_length=LENGTH, shares=name)
        for name in ("item", "category")
    ]
    return Schema([*fields, *histories])


def of_model(name: str, arrays: dict[str, np.ndarray]) -> Train:
    """Returns what trains a model of the library."""
    values = np.concatenate(list(arrays["histories"].swapaxes(0, 1)), axis=-1)  # (BATCHES, B, 2 L)
    inputs = {
        CATEGORICAL: arrays["ids"].astype("int32"),
        MULTIVALUED: values.astype("int32"),
    }
    batches = tf.data.Dataset.from_tensor_slices((inputs, arrays["labels"])).repeat()
    training = Training(MODELS[name](schema(), **CONTESTANTS[name]), Adam(), batches)

    def train(times: int) -> float:
        start = time.process_time()
        training.train(times)
        return time.process_time() - start

    return train


if __name__ == "__main__":
    run_program(main)
