"""Table 3: all models, tuned alike on validation, then several seeds on the test split.

    python -m experiments.paper.table_3 --dataset=frappe/nfm --raw_dir=FOLDER

For every row `--trials` settings are drawn from its declared space
(`common/search_spaces.py`) and trained with seed 0. Where the best of them has a
value at the edge of an ordered choice, up to `--wider` more trials move such
values outward, one in each trial, until the best lies inside. The best on
validation is trained again with the seeds 1 to 5; InterHAt and the `--leaders`
best rows by these runs' validation with the seeds 6 to 10 as well. Only these
runs read the test split, once each.

Each row is a file, `table_3/DATASET/ROW.json`, written after each trial and each
final run. What it has is not trained again, on this data, of this space, `--epochs` and
number of drawn trials, so that a study goes on where it was stopped, on another machine
too, and with a larger `--wider` where it ended. Trials that failed are tried again at each
start. `--redo` starts the row again (runs whose folders are under `--runs_dir` are not run
again). `make page` draws the table from the files that are there.
"""

import json
import math
from collections.abc import Sequence
from typing import Any

from absl import flags

from experiments.common import studies
from experiments.common.flags import DATASET, EPOCHS, chosen_models
from experiments.common.markdown import spread
from experiments.common.results import read_result, write_result
from experiments.common.running import RunFailed, run_program
from experiments.common.search import Setting, Space, draw, edges, outward, size, with_values_of
from experiments.common.search_spaces import contenders, search_space
from experiments.common.seed_flags import SEEDS, WORKERS
from experiments.common.statistics import mean_and_std
from experiments.common.studies import dataset_name, run_flags
from experiments.common.table_3_files import MEMORISATION, REFERENCE, Record, file_name
from experiments.paper.memorisation_baseline import memorisation_baseline
from interhat_tf.input_pipeline.dataset import PreparedDataset
from interhat_tf.models.presets import hyperparameters

TRIAL_SEED = 0
# What a process takes beside its training, to load TensorFlow and the data.
SECONDS_TO_START = 10

TRIALS = flags.DEFINE_integer("trials", 12, "settings that are drawn for each row")
WIDER = flags.DEFINE_integer("wider", 4, "further trials beyond the edges of a row's space")
LEADERS = flags.DEFINE_integer("leaders", 3, "first places that get more seeds; 0: none")
MORE_SEEDS = flags.DEFINE_multi_integer(
    "more_seeds", [6, 7, 8, 9, 10], "further seeds of the first places and of InterHAt"
)
REDO = flags.DEFINE_bool("redo", False, "train the rows again whose files are there")

Trial = dict[str, Any]


def main(_):
    if TRIAL_SEED in (*SEEDS.value, *MORE_SEEDS.value):
        raise ValueError(f"seed {TRIAL_SEED} chose the settings; the final runs need others")
    data = studies.open_data()
    every = contenders(dataset_name(), histories=bool(data.schema.sequences))
    names = chosen_models(every)
    memorise(data)
    failures = []
    for number, name in enumerate(names, 1):
        try:
            study(name, data)
            print(remaining([other for other in names[number:] if not is_done(other, data)]))
        except RunFailed as error:
            failures.append(f"{name}: {error}")
            print(f"{failures[-1]}; the study goes on")
    for name in leaders(every, data):
        add_seeds(read_row(name), MORE_SEEDS.value)
    if failures:
        raise ValueError("; ".join(failures))


def memorise(data: PreparedDataset) -> None:
    """Writes the memorisation baseline's row, unless it is there and of these data."""
    known = None if REDO.value else read_row(MEMORISATION)
    if known and about(data).items() <= known["data"].items():
        return
    record = studies.study_record(data)
    write_row({"name": MEMORISATION, **record, MEMORISATION: memorisation_baseline(data)})


def study(name: str, data: PreparedDataset) -> None:
    """Searches a row and trains its final runs, unless that is done.

    Raises:
        RunFailed: If all trials fail, or a final run does.
    """
    asked = asked_of(name, data)
    record = None if REDO.value else read_row(name)
    if record is None or record.get("asked") != asked or failed(record["trials"]):
        of_data = {**studies.study_record(data), **studies.best_possible(data)}
        record = {"name": name, "asked": asked, **of_data, **known_of(record, asked)}
    if "setting" not in record:
        record |= search(record)
        before = record.pop("before", {})
        if before.get("setting") == record["setting"]:
            record |= before
        write_row(record)
    add_seeds(record, SEEDS.value)


def failed(trials: Sequence[Trial]) -> list[Trial]:
    """Returns the trials that failed, which a study that is started again tries again."""
    return [trial for trial in trials if "failed" in trial]


def known_of(record: Record | None, asked: Record) -> Record:
    """Returns what a row's file knows already of what is asked now: its trials and final runs.

    That is nothing unless it was asked for the same but for the number of wider trials. The final
    runs stay aside, as `before`, until the search has chosen their setting again.
    """
    if record is None or {**record.get("asked", {}), "wider": asked["wider"]} != asked:
        return {"trials": []}
    final = {key: record[key] for key in ("setting", "row", "unfinished") if key in record}
    return {"trials": record["trials"], "before": final or record.get("before", {})}


def is_done(name: str, data: PreparedDataset) -> bool:
    """Returns whether nothing but further seeds is left to do of a row."""
    record = read_row(name)
    if record is None or record.get("asked") != asked_of(name, data) or failed(record["trials"]):
        return False
    return set(SEEDS.value) <= set(record.get("row", {"seeds": []})["seeds"])


def about(data: PreparedDataset) -> Record:
    """Returns which data a file is about, as it says it."""
    return json.loads(json.dumps({"set": data.name, "statistics": data.statistics}))


def asked_of(name: str, data: PreparedDataset) -> Record:
    """Returns what a row's file answers; if that changes, the file is out of date.

    Epochs are in it if they are limited, so that earlier files without a limit are not.
    """
    space = search_space(dataset_name(), name)
    asked = {
        "data": about(data),
        "space": space,
        "trials": TRIALS.value,
        "wider": WIDER.value,
        "hyperparameters": [
            hyperparameters(DATASET.value, preset, model)
            for preset in space.get("preset", ("released",))
            for model in space.get("model", (name,))
        ],
    }
    if EPOCHS.value and studies.has_epochs(name):
        asked["epochs"] = EPOCHS.value
    return json.loads(json.dumps(asked))  # as it is read again, where a tuple is a list


def search(record: Record) -> Record:
    """Returns the trials of a row, the best on validation first, and its chosen setting."""
    name = record["name"]
    space = search_space(dataset_name(), name)
    if size(space) == 1:
        (setting,) = draw(space, 1, seed=name)
        return {"space": space, "trials": [], "edges": {}, "setting": setting}
    drawn = draw(space, min(TRIALS.value, size(space)), seed=name)
    trials = ranked(train(record, drawn, "drawn"))
    left = WIDER.value
    while further := outward(tried(space, trials), trials[0]["setting"])[:left]:
        trials = ranked(trials + train(record, further, "wider"))
        left -= len(further)
    asked = {key_of(trial["setting"]) for trial in trials}
    earlier = [trial for trial in record["trials"] if key_of(trial["setting"]) not in asked]
    trials = ranked(trials + earlier)  # of a search that asked for others
    space = tried(space, trials)
    chosen = trials[0]["setting"]
    return {"space": space, "trials": trials, "edges": edges(space, chosen), "setting": chosen}


def train(record: Record, settings: Sequence[Setting], why: str) -> list[Trial]:
    """Returns the trials of settings; the row's file is written after each that it lacks.

    A trial that fails is recorded with its error. It is lacking when the study is started again;
    until then it is not tried again, since a search asks for each setting once.
    """
    known = {key_of(t["setting"]): t for t in record["trials"] if "failed" not in t}
    model = {"model": record["name"], "seed": TRIAL_SEED, "test": False}
    lacking = [setting for setting in settings if key_of(setting) not in known]
    runs = [run_flags(**{**model, **setting}) for setting in lacking]
    setting_of = {run["output_dir"]: s for run, s in zip(runs, lacking, strict=True)}
    for run, report in studies.train_runs(runs, WORKERS.value, keep_failures=True):
        setting = setting_of[run["output_dir"]]
        found = report if "failed" in report else studies.describe(report)
        known[key_of(setting)] = trial = {"setting": setting, "why": why, **found}
        others = [t for t in record["trials"] if key_of(t["setting"]) != key_of(setting)]
        record["trials"] = [*others, trial]
        write_row(record)
    return [known[key_of(setting)] for setting in settings]


def key_of(setting: Setting) -> str:
    """Returns a text that equal settings have alone, also after they were read from a file."""
    return json.dumps(setting, sort_keys=True)


def ranked(trials: Sequence[Trial]) -> list[Trial]:
    """Returns trials, the best on validation first, those that failed last.

    Raises:
        RunFailed: If all failed.
    """
    if all("failed" in trial for trial in trials):
        raise RunFailed(f"all {len(trials)} trials failed; the first: {trials[0]['failed']}")
    return sorted(trials, key=lambda t: -math.inf if "failed" in t else score(t), reverse=True)


def score(figures: Record) -> float:
    """Returns what settings are chosen by."""
    return figures["validation"]["auc"] - figures["validation"]["logloss"]


def tried(space: Space, trials: Sequence[Trial]) -> Space:
    """Returns a space with all values that trials had."""
    return with_values_of(space, [trial["setting"] for trial in trials])


def add_seeds(record: Record, seeds: Sequence[int]) -> None:
    """Trains the final runs of a row with the seeds that it lacks; its file is written after each.

    They are `unfinished` until they are complete, since a table has no half rows.
    """
    name, runs_of_row = record["name"], record.get("row", {"runs": []})["runs"]
    unfinished = record.get("unfinished", [])
    known = {run["seed"] for run in [*runs_of_row, *unfinished]}
    missing = [seed for seed in seeds if seed not in known]
    if unfinished and not missing:  # more were asked for before
        missing = [unfinished.pop()["seed"]]  # whose report says what a row has of its model
    runs = [run_flags(**{"model": name, "seed": seed, **record["setting"]}) for seed in missing]
    for number, (_, report) in enumerate(studies.train_runs(runs, WORKERS.value), 1):
        record.setdefault("unfinished", []).append(studies.describe(report))
        if number == len(runs):
            done = studies.summarise_runs([*runs_of_row, *record.pop("unfinished")])
            record["row"] = row = {**studies.summarise([report]), **done}
            auc, logloss = (spread(row["test"][metric]) for metric in studies.METRICS)
            print(f"{name}, {len(row['seeds'])} seeds: test AUC {auc}, logloss {logloss}")
        write_row(record)


def leaders(names: Sequence[str], data: PreparedDataset) -> list[str]:
    """Returns the rows that get more seeds: InterHAt, and the first places by validation.

    A row that was asked for something else is left as it is: its further runs would not be like
    its first ones.
    """
    records = {name: record for name in names if (record := read_row(name))}
    rows = {
        name: record["row"]
        for name, record in records.items()
        if "row" in record and record.get("asked") == asked_of(name, data)
    }

    def mean_score(name):
        runs = rows[name]["runs"]
        first = [run for run in runs if run["seed"] in SEEDS.value] or runs
        return mean_and_std([score(run) for run in first])["mean"]

    first = sorted(rows, key=mean_score, reverse=True)[: LEADERS.value]
    return [name for name in rows if name in first or (LEADERS.value and name == REFERENCE)]


def remaining(names: Sequence[str]) -> str:
    """Returns how long the rows that are left take, as far as the files that are there tell."""
    every = contenders(dataset_name(), histories=True)
    known = {name: record for name in every if (record := read_row(name))}
    seconds = {name: seconds_a_run(record) for name, record in known.items() if "row" in record}
    usual = mean_and_std(list(seconds.values()))["mean"]
    hours = 0.0
    for name in names:
        searched = size(search_space(dataset_name(), name)) > 1
        runs = len(SEEDS.value) + (TRIALS.value + WIDER.value if searched else 0)
        hours += runs * (seconds.get(name, usual) + SECONDS_TO_START) / WORKERS.value / 3600
    return f"rows left: {len(names)}, about {hours:.1f} h"


def seconds_a_run(record: Record) -> float:
    """Returns the mean of the seconds of a row's trials and final runs."""
    runs = [*record["trials"], *record["row"]["runs"]]
    return mean_and_std([run["seconds"] for run in runs if "seconds" in run])["mean"]


def read_row(name: str) -> Record | None:
    """Returns a row's file, `None` if it is not there."""
    return read_result(file_name(studies.result_name(), name))


def write_row(record: Record) -> None:
    """Writes a row's file."""
    write_result(file_name(studies.result_name(), record["name"]), record)


if __name__ == "__main__":
    run_program(main, required=["dataset"])
