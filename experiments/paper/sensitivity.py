"""How InterHAt's figures change with one of its hyperparameters; the others stay as in Table 2."""

import inspect

from experiments.common.run_flags import SEEDS
from experiments.common.studies import (
    dataset_name,
    heading,
    open_data,
    results_folder,
    run_flags,
    summarise,
    train_all,
)
from interhat_tf.models import InterHAt
from interhat_tf.models.presets import hyperparameters
from interhat_tf.utils.files import write_json

PRESET = "released"


def vary(experiment, flag, values):
    """Trains InterHAt with each value of a flag and all seeds, and writes `summary.json`.

    The run with the preset's own value has no such flag, so that it is Table
    3's run as well, and not trained twice.

    Args:
        experiment: Name of the experiment and of its folder of results.
        flag: Flag of `experiments.train`.
        values: Its values.
    """
    data = open_data()
    own = hyperparameters(dataset_name(), PRESET)[0].get(flag, default_of(flag))
    runs = {}
    for value in values:
        changed = {} if value == own else {flag: value}
        runs[value] = [
            run_flags("interhat", preset=PRESET, seed=seed, **changed) for seed in SEEDS.value
        ]
    reports = train_all(runs)
    points = [{flag: value, **summarise(reports[value])} for value in values]
    summary = {**heading(data), "flag": flag, "preset": PRESET, "own": own, "points": points}
    write_json(results_folder(experiment) / "summary.json", summary)
    for point in points:
        auc, logloss = point["test"]["auc"], point["test"]["logloss"]
        print(
            f"{flag} {point[flag]}: AUC {auc['mean']:.4f} ± {auc['std']:.4f}, "
            f"logloss {logloss['mean']:.4f} ± {logloss['std']:.4f}"
        )


def default_of(flag):
    """Returns the model's own default of an argument."""
    return inspect.signature(InterHAt).parameters[flag].default
