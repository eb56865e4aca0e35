"""Where a training step's time goes: TensorFlow's operations by kind, as its profiler has them.

    python -m experiments.speed.profile

Traces one step of InterHAt, `released`, `tuned`, and of the printed equations with d_K = d / h,
at Criteo's sizes, whole batches, on one thread, so that the times of the operations add up to
the step's. Writes `speed/profile.json` among the results. Half a minute.
"""

import collections
import pathlib
import tempfile
from typing import Any

import tensorflow as tf
from tensorflow.tsl.profiler.protobuf import xplane_pb2

from experiments.common.markdown import markdown_table
from experiments.common.results import record, write_result
from experiments.common.running import run_program
from experiments.speed.paper_models import build
from experiments.speed.paper_sizes import SIZES, batches_of, schema_of
from experiments.speed.timed_cases import Training
from interhat_tf.training.optimizers import Adam

PROFILED = ("interhat", "interhat_paper", "interhat_tuned")
BATCH_SIZE = 2048
SHOWN = 12


def main(_):
    tf.config.threading.set_intra_op_parallelism_threads(1)
    tf.config.threading.set_inter_op_parallelism_threads(1)
    models = {name: profile(name) for name in PROFILED}
    for name, found in models.items():
        cells = [
            [row["operation"], row["times"], f"{row['ms']:.1f}", f"{row['ms'] / found['ms']:.0%}"]
            for row in found["operations"][:SHOWN]
        ]
        print(f"\n{name}, {found['ms']:.0f} ms a step\n")
        print(markdown_table(["operation", "times", "ms", "of the step"], cells))
    write_result("speed/profile.json", record(batch_size=BATCH_SIZE, models=models))


def profile(name: str) -> dict[str, Any]:
    """Returns the milliseconds of a model's step, and of its operations by kind, longest first."""
    model = build(name, schema_of(SIZES["criteo"]), "criteo")
    training = Training(model, Adam(), batches_of(model.schema, BATCH_SIZE))
    training.train(2)
    seconds = min(training.time(1) for _ in range(3))
    with tempfile.TemporaryDirectory() as folder:
        with tf.profiler.experimental.Profile(folder):
            training.train(1)
        (trace,) = pathlib.Path(folder).rglob("*.xplane.pb")
        milliseconds, times = operations(trace)
    rows = [
        {"operation": operation, "times": times[operation], "ms": ms}
        for operation, ms in milliseconds.most_common()
    ]
    return {"ms": seconds * 1e3, "operations": rows}


def operations(path: pathlib.Path) -> tuple[collections.Counter, collections.Counter]:
    """Returns, of a trace of the CPU, the milliseconds and the number of each kind of operation."""
    space = xplane_pb2.XSpace.FromString(path.read_bytes())
    milliseconds, times = collections.Counter(), collections.Counter()
    for plane in space.planes:
        for event in (event for line in plane.lines for event in line.events):
            # "NAME:KIND" is an operation; others are TensorFlow's own functions.
            name, _, kind = plane.event_metadata[event.metadata_id].name.rpartition(":")
            if name and kind.isidentifier() and not name.endswith(":"):
                milliseconds[kind] += event.duration_ps / 1e9
                times[kind] += 1
    return milliseconds, times


if __name__ == "__main__":
    run_program(main)
