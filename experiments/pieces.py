"""Training rows a second of InterHAt on a CPU: whole batches against pieces of them.

    python -m experiments.pieces

Trains `released` at the paper's sizes of Criteo and Avazu, and the printed
equations with d_K = d / h at Criteo's, with batches of 2,048: whole, and in
pieces of several sizes (see `interhat_tf/steps.py`). How TensorFlow uses its
threads is settled for a process, so that the two kinds run in processes of their
own, in turn. Writes `experiments/results/pieces/summary.json`. About six minutes
on 2 cores, with nothing else running.
"""

import datetime
import json
import pathlib
import subprocess
import sys

from absl import flags
from tqdm.auto import tqdm

from experiments.hyperparameters import hyperparameters
from experiments.paper_sizes import SIZES, schema_of
from experiments.programs import markdown_table, mean_and_std, run_program
from experiments.result_flags import RESULTS_DIR
from experiments.timing import Training
from interhat_tf.files import write_json
from interhat_tf.models import InterHAt
from interhat_tf.optimizers import Adam
from interhat_tf.steps import use_one_thread_an_operation
from interhat_tf.training import versions

FORMS = {
    "Criteo, released": ("criteo", "released"),
    "Criteo, paper": ("criteo", "paper"),
    "Avazu, released": ("avazu", "released"),
}
BATCH_SIZE = 2048
STEPS = 3

SMALLER = flags.DEFINE_multi_integer("smaller", [8, 16, 32, 64], "records of a piece")
TURNS = flags.DEFINE_integer("turns", 4, "times that each kind is timed")
KIND = flags.DEFINE_enum("kind", None, ["whole", "pieces"], "time one kind, and print it as JSON")


def main(_):
    if KIND.value:
        print(json.dumps(times(KIND.value == "pieces")))
        return
    seconds = {}
    for _ in tqdm(range(TURNS.value), desc="turns", disable=None):
        for kind in ("whole", "pieces"):
            for form, piece_rows, found in run_alone(kind):
                seconds.setdefault((form, piece_rows), []).append(found)
    rows = []
    for (form, piece_rows), of_turns in seconds.items():
        whole = seconds[form, None]
        rows.append(
            {
                "form": form,
                "piece_rows": piece_rows,
                "rows_per_second": mean_and_std([BATCH_SIZE / time for time in of_turns]),
                "gain": mean_and_std([a / b for a, b in zip(whole, of_turns, strict=True)]),
            }
        )
    rows.sort(key=lambda row: (list(FORMS).index(row["form"]), row["piece_rows"] or 0))
    summary = {
        "date": datetime.date.today().isoformat(),
        "versions": versions(),
        "batch_size": BATCH_SIZE,
        "turns": TURNS.value,
        "rows": rows,
    }
    write_json(pathlib.Path(RESULTS_DIR.value) / "pieces/summary.json", summary)
    cells = [
        [r["form"], r["piece_rows"] or "all", f"{r['rows_per_second']['mean']:,.0f}"] for r in rows
    ]
    print(markdown_table(["form", "rows at a time", "rows/s"], cells))


def run_alone(kind):
    """Returns what a process of its own found: form, size of a piece, seconds a step."""
    command = [sys.executable, "-m", "experiments.pieces", f"--kind={kind}"]
    command += [f"--smaller={rows}" for rows in SMALLER.value]
    result = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    return json.loads(result.stdout.splitlines()[-1])


def times(in_pieces):
    """Returns the seconds a step of every form, for each size of a piece."""
    if in_pieces:
        use_one_thread_an_operation()
    found = []
    for form, (size, preset) in FORMS.items():
        arguments, _ = hyperparameters(size, preset)
        if preset == "paper":
            arguments["key_dim"] = max(1, arguments["embedding_dim"] // arguments["num_heads"])
        for piece_rows in SMALLER.value if in_pieces else [None]:
            model = InterHAt(schema_of(SIZES[size]), **arguments)
            training = Training(model, Adam(), BATCH_SIZE, piece_rows=piece_rows)
            training.time(1)
            found.append((form, piece_rows, training.time(STEPS) / STEPS))
    return found


if __name__ == "__main__":
    run_program(main)
