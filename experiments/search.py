"""Searches InterHAt's hyperparameters on validation; the test split is never read.

    python -m experiments.search --dataset=frappe/nfm --raw_dir=FOLDER --trials=6 --workers=2

Draws `--trials` settings from SPACE at random, trains each with one seed by
`experiments.train --notest`, and writes all of them, best first, to
`experiments/results/NAME/search.json`. Trials that are done are not run again.
"""

import pathlib
import random

from absl import flags

from experiments.programs import run_program, train_runs
from interhat_tf.files import write_json
from interhat_tf.input_pipeline import prepared_dataset

# Narrowed beforehand by some 400 runs on validation of a wider space (d 16 to
# 128, 1 to 3 attention blocks, k 1 to 5, 1 to 8 heads, dropout 0 to 0.3, MLPs up
# to 3 x 400, batches of 1,024 to 8,192): a wider d, smaller batches and a penalty
# on the embeddings helped; dropout, more blocks and larger MLPs did not. d 64 is
# a little better still, at three times the cost.
SPACE = {
    "num_heads": (1, 2),
    "order": (2, 3),
    "attention_activation": ("linear", "relu"),
    "embedding_l2": (2e-3, 5e-3),
    "learning_rate": (1e-3, 2e-3),
}
# The rest is as in `released`, without its penalty on the aggregations.
FIXED = {
    "preset": "released",
    "embedding_dim": 32,
    "attention_size": 32,
    "aggregation_l2": 0.0,
    "beta_2": 0.999,
    "batch_size": 1024,
}

DATASET = flags.DEFINE_string("dataset", "frappe/nfm", "data set, as NAME or NAME/CONFIG")
RAW_DIR = flags.DEFINE_string("raw_dir", None, "folder of the data set's original files")
DATA_DIR = flags.DEFINE_string("data_dir", "prepared", "folder of the prepared data sets")
RUNS_DIR = flags.DEFINE_string("runs_dir", "runs/search", "folder of the trials' runs")
RESULTS_DIR = flags.DEFINE_string("results_dir", "experiments/results", "folder of the results")
TRIALS = flags.DEFINE_integer("trials", 6, "number of settings to try")
SEED = flags.DEFINE_integer("search_seed", 2, "seed of the draws")
WORKERS = flags.DEFINE_integer("workers", 1, "trials that run side by side")


def main(_):
    prepared_dataset(DATASET.value, DATA_DIR.value, RAW_DIR.value)
    settings = draw(TRIALS.value, SEED.value)
    path = pathlib.Path(RESULTS_DIR.value) / DATASET.value.split("/")[0] / "search.json"
    runs = [
        {
            **FIXED,
            **setting,
            "dataset": DATASET.value,
            "data_dir": DATA_DIR.value,
            "output_dir": f"{RUNS_DIR.value}/trial-{number:03d}",
            "test": False,
        }
        for number, setting in enumerate(settings)
    ]
    trials = []
    for run, report in train_runs(runs, WORKERS.value):
        trials.append(describe(run, report))
        trials.sort(key=lambda trial: trial["auc"] - trial["logloss"], reverse=True)
        # Written after every trial, so that a stopped search is not lost.
        write_json(path, {"space": SPACE, "fixed": FIXED, "trials": trials})
    print(f"best on validation: {trials[0]}")


def draw(trials, seed):
    """Returns `trials` distinct settings drawn uniformly from SPACE."""
    rng, settings = random.Random(seed), []
    while len(settings) < trials:
        setting = {name: rng.choice(values) for name, values in SPACE.items()}
        if setting not in settings:
            settings.append(setting)
    return settings


def describe(run, report):
    """Returns what is kept of a trial: its setting and its figures on validation."""
    return {
        "trial": run["output_dir"].rsplit("-", 1)[1],
        **{name: run[name] for name in SPACE},
        **report["validation"],
        "parameters": report["parameters"],
        "epochs": report["training"]["epochs"],
        "seconds": round(report["training"]["seconds"], 1),
        "machine": report["versions"]["machine"],
        "commit": report["versions"]["commit"],
    }


if __name__ == "__main__":
    run_program(main)
