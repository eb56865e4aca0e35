"""What the experiments on the paper's tables and figures share: their flags, runs and figures."""

import hashlib
import json
import pathlib

from absl import flags

from experiments.common.click_logs import BUILDERS, folder_of, generated_log
from experiments.common.data_flags import DATA_DIR, DATASET, RAW_DIR
from experiments.common.results import record, result_path
from experiments.common.run_flags import EPOCHS, RUNS_DIR, WORKERS
from experiments.common.running import train_runs
from experiments.common.statistics import mean_and_std
from interhat_tf.input_pipeline.catalog import prepared_dataset

GENERATE = flags.DEFINE_integer("generate", None, "rows of a generated log, Criteo's or Avazu's")
NOTE = flags.DEFINE_string("note", "", "what results say of the data")


def open_data():
    """Returns the prepared data set that the flags name; it is prepared if need be."""
    if GENERATE.value and dataset_name() not in BUILDERS:
        raise ValueError(f"--generate makes logs of {', '.join(BUILDERS)}, not of others")
    log = raw_log()
    return prepared_dataset(DATASET.value, data_dir(), log and str(log))


def raw_log():
    """Returns the path of the original files, or of the generated log, which is made if need be."""
    if GENERATE.value:
        return generated_log(f"{DATA_DIR.value}/logs", dataset_name(), GENERATE.value)[0]
    return pathlib.Path(RAW_DIR.value) if RAW_DIR.value else None


def data_dir():
    """Returns the folder of the prepared set; each log of Criteo or Avazu has one of its own."""
    if dataset_name() in BUILDERS and (log := raw_log()) and log.exists():
        return f"{DATA_DIR.value}/{folder_of(dataset_name(), log)}"
    return DATA_DIR.value


def dataset_name():
    """Returns the data set's name without its config."""
    return DATASET.value.split("/")[0]


def results_folder(experiment):
    """Returns the folder of an experiment's results on the data set."""
    name = f"{dataset_name()}_generated" if GENERATE.value else dataset_name()
    return result_path(experiment) / name


def run_flags(model, **arguments):
    """Returns the flags of a training run; its folder is named after all of them.

    So a run that two experiments ask for is one run.
    """
    run = {"dataset": DATASET.value, "data_dir": data_dir(), "model": model, **arguments}
    if EPOCHS.value:
        run["max_epochs"] = EPOCHS.value
    digest = hashlib.sha256(json.dumps(run, sort_keys=True).encode()).hexdigest()[:10]
    return {**run, "output_dir": f"{RUNS_DIR.value}/{dataset_name()}/{model}-{digest}"}


def train_all(runs):
    """Trains runs, `--workers` of them side by side; those that are done are not run again.

    Args:
        runs: Dictionary from a key to a list of runs, as `run_flags` returns them.

    Returns:
        Dictionary from the keys to the lists of their runs' reports, in the same order.
    """
    every = {run["output_dir"]: run for of_key in runs.values() for run in of_key}
    done = train_runs(list(every.values()), WORKERS.value)
    reports = {run["output_dir"]: report for run, report in done}
    return {key: [reports[run["output_dir"]] for run in of_key] for key, of_key in runs.items()}


def heading(data):
    """Returns what every summary starts with: the data, the date, the versions."""
    note = f"a generated log of {GENERATE.value:,} rows" if GENERATE.value else NOTE.value
    return {
        "data": {"set": data.name, "note": note, "statistics": data.statistics},
        **record(),
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
