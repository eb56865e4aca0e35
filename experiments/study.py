"""What the experiments on the paper's tables and figures share: their flags, runs and figures."""

import datetime
import hashlib
import json
import pathlib

import numpy as np
from absl import flags
from scipy import stats

from experiments.programs import mean_and_std
from interhat_tf.input_pipeline import prepared_dataset
from interhat_tf.training import versions

DATASET = flags.DEFINE_string("dataset", "frappe/nfm", "data set, as NAME or NAME/CONFIG")
RAW_DIR = flags.DEFINE_string("raw_dir", None, "folder of the data set's original files")
DATA_DIR = flags.DEFINE_string("data_dir", "prepared", "folder of the prepared data sets")
RUNS_DIR = flags.DEFINE_string("runs_dir", "runs", "folder of the runs")
RESULTS_DIR = flags.DEFINE_string("results_dir", "experiments/results", "folder of the results")
SEEDS = flags.DEFINE_multi_integer("seeds", [1, 2, 3, 4, 5], "seeds of the final runs")
WORKERS = flags.DEFINE_integer("workers", 2, "runs that go on side by side")
MAX_EPOCHS = flags.DEFINE_integer("max_epochs", None, "epochs after which a run stops in any case")
NAME = flags.DEFINE_string("name", None, "what results call the data; default: the data set's name")
NOTE = flags.DEFINE_string("note", "", "what results say of the data")

CONFIDENCE = 0.95


def open_data():
    """Returns the prepared data set that the flags name; it is prepared if need be."""
    return prepared_dataset(DATASET.value, DATA_DIR.value, RAW_DIR.value)


def dataset_name():
    """Returns the data set's name without its config."""
    return DATASET.value.split("/")[0]


def results_folder(experiment):
    """Returns the folder of an experiment's results on the data set."""
    return pathlib.Path(RESULTS_DIR.value) / experiment / (NAME.value or dataset_name())


def run_flags(model, **arguments):
    """Returns the flags of a training run; its folder is named after all of them.

    So a run that two experiments ask for is one run.
    """
    run = {"dataset": DATASET.value, "data_dir": DATA_DIR.value, "model": model, **arguments}
    if MAX_EPOCHS.value:
        run["max_epochs"] = MAX_EPOCHS.value
    digest = hashlib.sha256(json.dumps(run, sort_keys=True).encode()).hexdigest()[:10]
    return {**run, "output_dir": f"{RUNS_DIR.value}/{dataset_name()}/{model}-{digest}"}


def heading(data):
    """Returns what every summary starts with: the data, the date, the versions."""
    return {
        "data": {"set": data.name, "note": NOTE.value, "rows": data.num_rows("train")},
        "date": datetime.date.today().isoformat(),
        "versions": versions(),
    }


def summarise(reports):
    """Returns mean and spread of the reports of one setting, which differ by their seed."""
    reports = sorted(reports, key=lambda report: report["config"]["training"]["seed"])
    return {
        **{
            split: {
                metric: mean_and_std([report[split][metric] for report in reports])
                for metric in ("auc", "logloss")
            }
            for split in ("validation", "test")
        },
        "parameters": reports[0]["parameters"],
        "arguments": reports[0]["config"]["arguments"],
        "training": {
            name: value
            for name, value in reports[0]["config"]["training"].items()
            if name != "seed"
        },
        "seconds_per_epoch": mean_and_std(
            [r["training"]["seconds"] / r["training"]["epochs"] for r in reports]
        ),
        "seeds": [report["config"]["training"]["seed"] for report in reports],
        "runs": [describe(report) for report in reports],
        "commits": sorted({str(report["versions"]["commit"]) for report in reports}),
    }


def describe(report):
    """Returns what is kept of a single run."""
    return {
        "validation": report["validation"],
        **({"test": report["test"]} if "test" in report else {}),
        "best_epoch": report["best_epoch"],
        "epochs": report["training"]["epochs"],
        "seconds": round(report["training"]["seconds"], 1),
    }


def paired_difference(values, others):
    """Returns the mean of `values - others`, run by run, and its Student confidence interval.

    Example:

    >>> found = paired_difference([0.9, 0.8, 0.85], [0.8, 0.7, 0.75])
    >>> round(found["mean"], 6), round(found["low"], 6)
    (0.1, 0.1)
    """
    differences = np.subtract(values, others)
    mean = float(differences.mean())
    if len(differences) < 2:
        return {"mean": mean, "low": float("nan"), "high": float("nan")}
    quantile = stats.t.ppf(0.5 + CONFIDENCE / 2, len(differences) - 1)
    margin = float(quantile * differences.std(ddof=1) / np.sqrt(len(differences)))
    return {"mean": mean, "low": mean - margin, "high": mean + margin}
