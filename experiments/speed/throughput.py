"""Seconds an epoch and rows a second: training on Frappe, and the input pipeline alone.

    python -m experiments.speed.throughput --raw_dir=FOLDER

Trains `released` and `paper` on Frappe in turn (batch 2,048; the first epoch of
a run is not counted) and reads shuffled training batches of Frappe and of a
generated set of 36 fields, beside NumPy copying the same bytes from the same
files. Writes `experiments/results/throughput.json`. About 4 minutes on 2 cores;
nothing else should run meanwhile.
"""

import datetime

from absl import flags

from experiments.common.markdown import markdown_table
from experiments.common.running import run_program, train_runs
from experiments.speed.timing import figure, reading
from interhat_tf.input_pipeline.catalog import prepared_dataset
from interhat_tf.utils.files import write_json
from interhat_tf.utils.provenance import versions

PRESETS = ("released", "paper")
BATCH_SIZE = 2048
EPOCHS = 3

RAW_DIR = flags.DEFINE_string("raw_dir", None, "folder of Frappe's NFM files")
DATA_DIR = flags.DEFINE_string("data_dir", "prepared", "folder of the prepared data sets")
RUNS_DIR = flags.DEFINE_string("runs_dir", "runs/throughput", "folder of the runs; must be new")
RESULTS = flags.DEFINE_string("results", "experiments/results/throughput.json", "what is written")
ROUNDS = flags.DEFINE_integer("rounds", 5, "rounds of each measurement")


def main(_):
    sets = {
        "Frappe": prepared_dataset("frappe/nfm", DATA_DIR.value, RAW_DIR.value),
        "36 fields": prepared_dataset("synthetic_rules/wide", DATA_DIR.value),
    }
    figures = []
    for name, data in sets.items():
        figures += reading(name, data, BATCH_SIZE, ROUNDS.value)
    figures += training(sets["Frappe"].num_rows("train"))
    write_json(
        RESULTS.value,
        {"date": datetime.date.today().isoformat(), "versions": versions(), "figures": figures},
    )
    rows = [
        [f["what"], f"{f['rows_per_second']:,.0f}", f"{f['seconds']:.2f}", f["times"]]
        for f in figures
    ]
    print(markdown_table(["what", "rows/s", "seconds an epoch", "measured"], rows))


def training(rows):
    """Times epochs of the presets on Frappe, in turn."""
    runs = [
        {
            "dataset": "frappe/nfm",
            "preset": preset,
            "batch_size": BATCH_SIZE,
            "max_epochs": EPOCHS,
            "patience": EPOCHS,
            "test": False,
            "data_dir": DATA_DIR.value,
            "output_dir": f"{RUNS_DIR.value}/{preset}-{number}",
        }
        for number in range(ROUNDS.value)
        for preset in PRESETS
    ]
    seconds = {preset: [] for preset in PRESETS}
    for run, report in train_runs(runs, workers=1):
        seconds[run["preset"]] += report["training"]["epoch_seconds"][1:]
    return [figure(f"Frappe: training {p}", rows, times) for p, times in seconds.items()]


if __name__ == "__main__":
    run_program(main)
