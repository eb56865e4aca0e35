r"""Finds hyperparameters of a model for one data set, on its validation split alone.

    interhat tune --dataset=my_clicks --output_dir=runs/tuning --trials=20

Trains the model with one setting after the other, which Optuna chooses by how good those before
it were; needs `pip install 'interhat_tf[tune]'`. What is tried of each model is declared in
`interhat_tf/tuning/spaces.py`. A flag of the model or the training that is given here
holds for all trials and is not searched. Each trial is the folder of an ordinary run,
`runs/tuning/trial_000`, so that `interhat compare runs/tuning` lists them. Called again, it
goes on where it was stopped, or with more `--trials`.

At the end it names the best trial, whose `model.keras` is ready to use, and what of its
setting lies at the end of what was tried; reads the test split for that trial alone; and
writes `tuning.json`.
"""

import pathlib
import subprocess
import sys
from typing import Any

import tensorflow as tf
from absl import flags

from interhat_tf.commands.cross_flags import CROSS_FLAGS, crosses, define_cross_flags
from interhat_tf.commands.data_flags import define_data_flags, open_data
from interhat_tf.commands.flag_groups import group
from interhat_tf.commands.signature_flags import arguments_of, define_from_signatures, given
from interhat_tf.commands.train import NO_FLAGS, settings
from interhat_tf.errors import SettingError
from interhat_tf.input_pipeline.dataset import PreparedDataset
from interhat_tf.models import MODELS, PRESETS
from interhat_tf.models.presets import average_momentum
from interhat_tf.training.early_stopping import CRITERIA
from interhat_tf.training.evaluation import evaluate
from interhat_tf.training.run_comparison import METRICS
from interhat_tf.training.run_folder import alone_in, load_saved
from interhat_tf.training.settings import TrainingSettings
from interhat_tf.tuning.search import Search, Setting, TrialFailed, edges
from interhat_tf.tuning.spaces import search_space
from interhat_tf.utils.files import read_json, write_json

REQUIRED = ("dataset", "output_dir")


def define_flags() -> flags.FlagValues:
    """Returns the command's flags."""
    values = flags.FlagValues()
    define_data_flags(values)
    flags.DEFINE_string("output_dir", None, "the folder of all trials", values)
    flags.DEFINE_integer(
        "trials", 20, "number of trials, with those that there are", 1, None, values
    )
    flags.DEFINE_enum("model", "interhat", list(MODELS.load()), "model to tune", values)
    flags.DEFINE_enum("preset", "tuned", list(PRESETS), "form of InterHAt", values)
    flags.DEFINE_integer("seed", 0, "seed of the trainings and of the search", flag_values=values)
    with group(values, "crosses"):
        define_cross_flags(values)
    with group(values, "held fixed: the model's arguments, as far as it has them"):
        define_from_signatures(MODELS.values(), values, NO_FLAGS)
    with group(values, "held fixed: the training"):
        define_from_signatures([TrainingSettings], values, NO_FLAGS)
    return values


def main(values: flags.FlagValues) -> None:
    """Makes the trials, and prints and writes what is best."""
    tf.config.set_visible_devices([], "GPU")  # the trials' processes need its memory
    data, folder = open_data(values, crosses=crosses(values)), pathlib.Path(values.output_dir)
    names = arguments_of([*MODELS.values(), TrainingSettings], NO_FLAGS)
    fixed = given(values, names)
    arguments, training = settings(values, data)
    criterion = training.get("criterion", TrainingSettings.criterion)
    batch_size = training.get("batch_size", TrainingSettings.batch_size)
    momentum = average_momentum(data.num_rows("train"), batch_size)
    declared = search_space(values.model, {**arguments, **training}, momentum)
    space = {name: choices for name, choices in declared.items() if name not in fixed}
    if all(len(choices) == 1 for choices in space.values()):
        raise SettingError(f"nothing of {values.model} is left to tune: everything is held fixed")
    asked = ("dataset", "model", "preset", "seed", *(n for n in CROSS_FLAGS if values[n].value))
    common = {name: values[name].value for name in asked} | fixed
    with alone_in(folder):
        search = Search(folder, space, {**common, "data": data.digests}, values.seed)

        def score(number: int, setting: Setting) -> float:
            flags_of_all = {**common, "data_dir": values.data_dir}
            report = _train(_folder(folder, number), {**flags_of_all, **setting})
            return CRITERIA[criterion](*(report["validation"][name] for name in METRICS))

        for number in search.run(values.trials, score):
            _print_trial(search, folder, number)
        _finish(search, folder, data)


def _folder(folder: pathlib.Path, number: int) -> pathlib.Path:
    return folder / f"trial_{number:03d}"


def _train(folder: pathlib.Path, setting: Setting) -> dict[str, Any]:
    """Trains a trial in a process of its own, whose failure ends the trial alone.

    Raises:
        TrialFailed: If the training ends with an error; the message is its own.
    """
    command = [sys.executable, "-m", "interhat", "train", "--resume", "--notest"]
    command += [f"--output_dir={folder}"]
    command += [
        f"--{name}={one}"
        for name, value in setting.items()
        for one in (value if isinstance(value, list | tuple) else [value])
    ]
    log = folder.with_suffix(".log")
    with open(log, "w") as file:
        done = subprocess.run(command, stdout=file, stderr=subprocess.STDOUT, check=False)
    if done.returncode:
        *_, last = ["no message", *log.read_text().strip().splitlines()]
        raise TrialFailed(f"{folder}: {last.removeprefix('error: ')}; see {log}")
    return read_json(folder / "report.json")


def _print_trial(search: Search, folder: pathlib.Path, number: int) -> None:
    trial = search.study.trials[number]
    setting = _words({n: v for n, v in search.setting(trial).items() if len(search.space[n]) > 1})
    if number not in search.scores():
        print(f"trial {number}: failed; {setting}", flush=True)
        return
    report = read_json(_folder(folder, number) / "report.json")
    best, _ = search.best()
    print(
        f"trial {number}: validation auc {report['validation']['auc']:.5f}, logloss "
        f"{report['validation']['logloss']:.5f}, {report['training']['seconds']:.0f} s; {setting}"
        f"{'; the best so far' if best == number else ''}",
        flush=True,
    )


def _words(setting: Setting) -> str:
    return ", ".join(f"{name} {value}" for name, value in setting.items())


def _finish(search: Search, folder: pathlib.Path, data: PreparedDataset) -> None:
    """Reads the test split for the best trial, and says what was found."""
    number, setting = search.best()
    run = _folder(folder, number)
    report = read_json(run / "report.json")
    if "test" not in report:  # a search that goes on may find the same trial best again
        report["test"] = evaluate(load_saved(run / "model.keras"), data, "test")
        report["unknown"]["test"] = data.unknown_shares_of("test")
        write_json(run / "report.json", report)
    found = {
        "best": run.name,
        "setting": setting,
        "edges": edges(search.space, setting),
        **{split: report[split] for split in ("validation", "test")},
        "trials": len(search.study.trials),
        "space": search.space,
    }
    write_json(folder / "tuning.json", found)
    print(f"best of {found['trials']} trials on validation: {run}")
    print(f"  {_words(setting)}")
    for split in ("validation", "test"):
        auc, logloss = report[split]["auc"], report[split]["logloss"]
        print(f"{split}: auc {auc:.5f}, logloss {logloss:.5f}")
    for edge in found["edges"]:
        print(f"{edge}: what lies beyond may be better still")
