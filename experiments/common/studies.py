"""What the experiments on the paper's tables and figures share: their data, runs and summaries."""

import hashlib
import json
import pathlib
import sys
from collections.abc import Hashable, Iterable, Mapping, Sequence
from typing import Any

import tensorflow_datasets as tfds
from absl import flags

from experiments.common.flags import DATA_DIR, DATASET, EPOCHS, RAW_DIR, RUNS_DIR
from experiments.common.markdown import spread
from experiments.common.published import sample_note
from experiments.common.results import read_result, record
from experiments.common.running import PROGRAMS, train_runs
from experiments.common.seed_flags import SEEDS, WORKERS
from experiments.common.statistics import METRICS, mean_and_std
from experiments.generated_logs.generator import generate_once
from experiments.generated_logs.truth import best_of_split
from interhat_tf.input_pipeline.catalog import prepared_dataset
from interhat_tf.input_pipeline.dataset import PreparedDataset

# tfds knows a builder by its name alone, and a checkout has each under two modules.
with tfds.core.registered.skip_registration():
    from interhat_tf.datasets.avazu import avazu_dataset_builder
    from interhat_tf.datasets.criteo import criteo_dataset_builder

GENERATE = flags.DEFINE_integer("generate", None, "rows of a generated log, Criteo's or Avazu's")
NOTE = flags.DEFINE_string("note", "", "what results say of the data")

# The data sets whose logs can be generated.
BUILDERS = {"criteo": criteo_dataset_builder, "avazu": avazu_dataset_builder}

Run = dict[str, Any]
Report = dict[str, Any]


def open_data() -> PreparedDataset:
    """Returns the prepared data set that the flags name; it is prepared if need be."""
    log = raw_log()
    data = prepared_dataset(DATASET.value, data_dir(), log and str(log))
    if not GENERATE.value and (note := sample_note(dataset_name(), data.statistics)):
        print(f"warning: {note}", file=sys.stderr)
    return data


def raw_log() -> pathlib.Path | None:
    """Returns the path of the original files, or of the generated log, which is made if need be."""
    if GENERATE.value:
        return generated()[0]
    return pathlib.Path(RAW_DIR.value) if RAW_DIR.value else None


def generated() -> tuple[pathlib.Path, dict[str, Any]]:
    """Returns the path of the log that `--generate` asks for, and the truth about its clicks."""
    name, rows = dataset_name(), GENERATE.value
    if name not in BUILDERS:
        raise ValueError(f"--generate makes logs of {', '.join(BUILDERS)}, not of others")
    path = pathlib.Path(DATA_DIR.value) / f"logs/{name}-{rows}" / BUILDERS[name].FILE_NAMES[0]
    return path, generate_once(path, name, rows)


def data_dir() -> str:
    """Returns the folder of the prepared set; each log of Criteo or Avazu has its own.

    A sample of a log is another log; it has another size.
    """
    if dataset_name() in BUILDERS and (log := raw_log()) and log.exists():
        files = [log] if log.is_file() else [path for path in log.iterdir() if path.is_file()]
        size = sum(path.stat().st_size for path in files)
        return f"{DATA_DIR.value}/{dataset_name()}-{size}"
    return DATA_DIR.value


def dataset_name() -> str:
    """Returns the data set's name without its config."""
    return DATASET.value.split("/")[0]


def result_name() -> str:
    """Returns what results call the data set: its name, and its config but for Frappe's first.

    A generated log of another number of rows is another data set.
    """
    name, _, config = DATASET.value.partition("/")
    generated = f"generated_{GENERATE.value}" if GENERATE.value else ""
    return "_".join(filter(None, (name, config.removeprefix("nfm"), generated)))


def summary_of(experiment: str) -> str:
    """Returns the name of an experiment's result on the data set."""
    return f"{experiment}/{result_name()}/summary.json"


def runs_of(model: str, **arguments: Any) -> list[Run]:
    """Returns the runs of a model and its flags, one for each of `--seeds`."""
    return [run_flags(model, seed=seed, **arguments) for seed in SEEDS.value]


def run_flags(model: str, **arguments: Any) -> Run:
    """Returns the flags of a training run; its folder is named after all of them.

    So a run that two experiments ask for is one run.
    """
    run = {"dataset": DATASET.value, "data_dir": data_dir(), "model": model, **arguments}
    if EPOCHS.value and has_epochs(model):
        run["max_epochs"] = EPOCHS.value
    return {**run, "output_dir": f"{RUNS_DIR.value}/{dataset_name()}/{model}-{digest(run)}"}


def has_epochs(model: str) -> bool:
    """Returns whether `--epochs` is about a model: an epoch of trees is a single tree."""
    return model not in PROGRAMS


def digest(settings: Mapping[str, Any]) -> str:
    """Returns a short name of settings; others have another one."""
    return hashlib.sha256(json.dumps(settings, sort_keys=True).encode()).hexdigest()[:10]


def train_all(
    runs: Mapping[Hashable, Sequence[Run]], **options: Any
) -> dict[Hashable, list[Report]]:
    """Trains runs, `--workers` at a time; those that are done are not run again.

    Args:
        runs: Dictionary from a key to a list of runs, as `run_flags` returns them.
        **options: Further arguments of `train_runs`.

    Returns:
        Dictionary from the keys to the lists of their runs' reports, in the same order.
    """
    every = {run["output_dir"]: run for of_key in runs.values() for run in of_key}
    done = train_runs(list(every.values()), WORKERS.value, **options)
    reports = {run["output_dir"]: report for run, report in done}
    return {key: [reports[run["output_dir"]] for run in of_key] for key, of_key in runs.items()}


def train_rows(runs: Mapping[Hashable, Sequence[Run]]) -> dict[Hashable, dict[str, Any]]:
    """Trains runs as `train_all` does; returns mean and spread for each key, and prints them."""
    rows = {key: summarise(reports) for key, reports in train_all(runs).items()}
    for key, row in rows.items():
        auc, logloss = (spread(row["test"][metric]) for metric in METRICS)
        print(f"{key}: test AUC {auc}, logloss {logloss}")
    return rows


def study_record(data: PreparedDataset) -> dict[str, Any]:
    """Returns what every summary starts with: the data, and the record of `results.record`.

    With the data stands after how many epochs trainings on it stop in any case, if at any.
    """
    note = f"a generated log of {GENERATE.value:,} rows" if GENERATE.value else NOTE.value
    about = {"set": data.name, "note": note, "statistics": data.statistics}
    if EPOCHS.value:
        about["epochs"] = EPOCHS.value
    return {"data": about, **record()}


def known_summary(name: str, new: Mapping[str, Any], **about: Any) -> dict[str, Any] | None:
    """Returns a result that is there, if it is of the same data and says the same of itself.

    Args:
        name: Its name, as `read_result` takes it.
        new: The `study_record` of now, with whose data and epochs those of the result are
            compared; the note on the data may be another.
        **about: What else the result has to say.
    """
    known, now = read_result(name), json.loads(json.dumps({**new, **about}))  # as it is read
    if known is None:
        return None
    data = [of.get("data", {}) for of in (known, now)]
    same_data = all(data[0].get(key) == data[1].get(key) for key in ("set", "statistics", "epochs"))
    return known if same_data and all(known.get(key) == now[key] for key in about) else None


def best_possible(data: PreparedDataset) -> dict[str, dict[str, dict[str, float]]]:
    """Returns `best`, the best possible AUC and logloss on each split of a generated log.

    Of another log nothing is known.
    """
    if not GENERATE.value:
        return {}
    truth = generated()[1]
    return {"best": {split: best_of_split(data, truth, split) for split in ("validation", "test")}}


def summarise(reports: Sequence[Report]) -> dict[str, Any]:
    """Returns mean and spread of the reports of one setting, which differ by their seed."""
    config = reports[0]["config"]
    return {
        **summarise_runs(map(describe, reports)),
        "parameters": reports[0]["parameters"],
        "arguments": config["arguments"],
        "training": {name: v for name, v in config["training"].items() if name != "seed"},
    }


def summarise_runs(runs: Iterable[Run]) -> dict[str, Any]:
    """Returns mean and spread of runs of one setting, as `describe` returns them.

    Runs that did not read the test split have no figures of it.
    """
    runs = sorted(runs, key=lambda run: run["seed"])
    return {
        **{split: scores(runs, split) for split in ("validation", "test") if split in runs[0]},
        "seconds_per_epoch": mean_and_std([run["seconds"] / run["epochs"] for run in runs]),
        "seeds": [run["seed"] for run in runs],
        "runs": runs,
        "commits": sorted({str(run["commit"]) for run in runs}),
    }


def scores(runs: Sequence[Report], split: str) -> dict[str, dict[str, float]]:
    """Returns mean and spread of AUC, logloss and whatever else runs measured on a split."""
    return {metric: mean_and_std([run[split][metric] for run in runs]) for metric in runs[0][split]}


def describe(report: Report) -> dict[str, Any]:
    """Returns what is kept of a single run."""
    return {
        "seed": report["config"]["training"]["seed"],
        "commit": report["versions"]["commit"],
        "validation": report["validation"],
        **{key: report[key] for key in ("test", "attention") if key in report},
        "best_epoch": report["best_epoch"],
        "epochs": report["training"]["epochs"],
        "seconds": round(report["training"]["seconds"], 1),
    }
