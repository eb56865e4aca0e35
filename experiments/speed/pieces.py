"""Training rows a second of InterHAt on a CPU: whole, in pieces, without our operations, by Keras.

    python -m experiments.speed.pieces

Trains `released` at the paper's sizes of Criteo and Avazu, and the printed
equations with d_K = d / h and d_K = s at Criteo's, with batches of 2,048: whole, in
pieces of several sizes (see `interhat_tf/training/step.py`), whole without the operations
of `interhat_tf.kernels`, and the same model of Keras' own layers, with Keras' Adam,
compiled by XLA and not. How TensorFlow uses its threads is settled for a process,
so that the kinds run in processes of their own, in turn. Writes
`experiments/results/pieces/summary.json`. About ten minutes on 2 cores, with
nothing else running.
"""

import datetime
import json
import pathlib
import time

import keras
from absl import flags
from tqdm.auto import tqdm

from experiments.common.markdown import markdown_table
from experiments.common.results import RESULTS_DIR
from experiments.common.running import run_alone, run_program
from experiments.common.statistics import mean_and_std
from experiments.speed.paper_sizes import SIZES, batches_of, schema_of
from experiments.speed.plain_keras import plain_interhat
from experiments.speed.timing import Training, ratio
from interhat_tf import kernels
from interhat_tf.models import InterHAt
from interhat_tf.models.presets import hyperparameters
from interhat_tf.training.optimizers import Adam
from interhat_tf.training.step import use_one_thread_an_operation
from interhat_tf.utils.files import write_json
from interhat_tf.utils.provenance import versions

FORMS = {
    "Criteo, released": ("criteo", "released", None),
    "Criteo, paper, d_K = d / h": ("criteo", "paper", 1),
    "Criteo, paper, d_K = s": ("criteo", "paper", None),
    "Avazu, released": ("avazu", "released", None),
}
STEPS = 3

STEP_ROWS = flags.DEFINE_integer("step_rows", 2048, "records a step")
SMALLER = flags.DEFINE_multi_integer("smaller", [16, 32, 64, 256], "records of a piece")
TURNS = flags.DEFINE_integer("turns", 4, "times that each kind is timed")
KINDS = ("whole", "pieces", "tensorflow", "keras", "keras_xla")
KIND = flags.DEFINE_enum("kind", None, KINDS, "time one kind, and print it as JSON")


def main(_):
    if not kernels.LIBRARY.exists():
        raise ValueError("build our operations first: python -m interhat_tf.kernels")
    if KIND.value:
        print(json.dumps(times(KIND.value)))
        return
    seconds = {}
    for _ in tqdm(range(TURNS.value), desc="turns", disable=None):
        for kind in KINDS:
            given = {"kind": kind, "step_rows": STEP_ROWS.value, "smaller": SMALLER.value}
            environment = {kernels.SWITCH: "0"} if kind == "tensorflow" else {}
            for form, piece_rows, found in run_alone(
                "experiments.speed.pieces", given, **environment
            ):
                seconds.setdefault((form, kind, piece_rows), []).append(found)
    rows = []
    for (form, kind, piece_rows), of_turns in seconds.items():
        rows.append(
            {
                "form": form,
                "kind": kind,
                "piece_rows": piece_rows,
                "rows_per_second": mean_and_std([STEP_ROWS.value / time for time in of_turns]),
                "gain": ratio(seconds[form, "whole", None], of_turns),
                "gain_over_keras": ratio(seconds[form, "keras", None], of_turns),
            }
        )
    rows.sort(key=lambda row: list(FORMS).index(row["form"]))
    summary = {
        "date": datetime.date.today().isoformat(),
        "versions": versions(),
        "batch_size": STEP_ROWS.value,
        "turns": TURNS.value,
        "rows": rows,
    }
    write_json(pathlib.Path(RESULTS_DIR.value) / "pieces/summary.json", summary)
    cells = [
        [
            r["form"],
            r["kind"],
            r["piece_rows"] or "all",
            f"{r['rows_per_second']['mean']:,.0f}",
            f"{r['gain_over_keras']['mean']:.2f}",
        ]
        for r in rows
    ]
    header = ["form", "kind", "rows at a time", "rows/s", "times plain Keras"]
    print(markdown_table(header, cells))


def times(kind):
    """Returns the seconds a step of every form, for each size of a piece."""
    if kind == "pieces":
        use_one_thread_an_operation()
    found = []
    for form, (size, preset, key_dim) in FORMS.items():
        arguments, _ = hyperparameters(size, preset)
        arguments["key_dim"] = key_dim
        schema = schema_of(SIZES[size])
        if kind.startswith("keras"):
            found.append((form, None, time_of_keras(schema, arguments, kind == "keras_xla")))
            continue
        for piece_rows in SMALLER.value if kind == "pieces" else [None]:
            training = Training(
                InterHAt(schema, **arguments), Adam(), STEP_ROWS.value, microbatch_size=piece_rows
            )
            training.time(1)
            found.append((form, piece_rows, training.time(STEPS) / STEPS))
    return found


def time_of_keras(schema, arguments, jit_compile):
    """Returns the seconds a step of Keras' own layers, Adam and training function."""
    model = plain_interhat(schema, **arguments)
    loss = keras.losses.BinaryCrossentropy(from_logits=True)
    model.compile(keras.optimizers.Adam(), loss, jit_compile=jit_compile)
    model.make_train_function()
    batches = iter(batches_of(schema, STEP_ROWS.value, batches=4))
    model.train_function(batches)
    start = time.perf_counter()
    for _ in range(STEPS):
        float(model.train_function(batches)["loss"])
    return (time.perf_counter() - start) / STEPS


if __name__ == "__main__":
    run_program(main)
