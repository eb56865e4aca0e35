"""How several runs differ: settings and figures."""

import os
import pathlib
from collections.abc import Iterable
from typing import Any

from interhat_tf.utils.files import read_json

METRICS = ("auc", "logloss")
LEFT_OUT = ("architecture.schema", "arguments", "data.numbers", "versions.kernels")
"""Settings left out because other entries contain them."""

VERSIONS = "versions."

Row = dict[str, Any]


def compare_runs(folders: Iterable[str | os.PathLike]) -> list[Row]:
    """Returns a row for each run: its settings that differ from another's, and its figures.

    Args:
        folders: Folders of runs; one that is none stands for the runs below it.

    Returns:
        For each run, in the order given, a dictionary: `run`, its folder; the settings of which
        the runs have not all the same value, `None` where a run has none; and, of a finished
        one, `validation_auc`, `validation_logloss`, `test_auc` and `test_logloss` as far as
        they were measured, `best_epoch`, `epochs`, `parameters` and `seconds`.

    Raises:
        FileNotFoundError: If there is no run.
        ValueError: If a run's file is damaged.

    Example:

        pandas.DataFrame(compare_runs(["runs"]))
    """
    runs = list(dict.fromkeys(run for folder in folders for run in find_runs(folder)))
    settings = [_settings(run) for run in runs]
    names = list(dict.fromkeys(name for of_run in settings for name in of_run))
    different = [name for name in names if _differ(name, settings)]
    return [
        {
            "run": str(run),
            **{name.removeprefix(VERSIONS): of_run.get(name) for name in different},
            **_figures(run),
        }
        for run, of_run in zip(runs, settings, strict=True)
    ]


def find_runs(folder: str | os.PathLike) -> list[pathlib.Path]:
    """Returns a folder if it is that of a run, otherwise those of the runs below it.

    Raises:
        FileNotFoundError: If there is none.
    """
    folder = pathlib.Path(folder)
    if (folder / "config.json").exists():
        return [folder]
    found = sorted(path.parent for path in folder.rglob("config.json"))
    if not found:
        raise FileNotFoundError(f"{folder} holds no run: there is no config.json in it or below it")
    return found


def _differ(name: str, settings: list[dict[str, Any]]) -> bool:
    """Returns whether a setting is not the same of all runs.

    One that a run lacks was off; but versions are not known of runs that have not finished.
    """
    present = [of_run[name] for of_run in settings if of_run.get(name) is not None]
    lacking = len(present) < len(settings) and not name.startswith(VERSIONS)
    return any(value != present[0] for value in present) or (lacking and any(present))


def _settings(run: pathlib.Path) -> dict[str, Any]:
    """Returns a run's settings, by names without what is the same for all."""
    config = read_json(run / "config.json")
    if report := _report(run):
        config["versions"] = report["versions"]
    flat = _flatten(config)
    if "architecture.class" in flat:
        flat["model"] = flat.pop("architecture.class")
    kept = {
        name: value
        for name, value in flat.items()
        if not any(name == left or name.startswith(f"{left}.") for left in LEFT_OUT)
    }
    return {
        name.removeprefix("architecture.").removeprefix("training."): value
        for name, value in kept.items()
    }


def _flatten(config: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    flat = {}
    for name, value in config.items():
        if isinstance(value, dict) and "class_name" in value:  # an object of Keras
            flat[prefix + name] = value.get("config", {}).get("name", value["class_name"])
        elif isinstance(value, dict) and f"{prefix}{name}" not in LEFT_OUT:
            flat |= _flatten(value, f"{prefix}{name}.")
        else:
            flat[prefix + name] = value
    return flat


def _figures(run: pathlib.Path) -> Row:
    report = _report(run)
    if not report:
        return {}
    figures = {
        f"{split}_{metric}": report[split][metric]
        for split in ("validation", "test")
        for metric in METRICS
        if metric in report.get(split, {})
    }
    training = report.get("training", {})
    more = {name: report.get(name) for name in ("best_epoch", "parameters")}
    return {**figures, **more, **{name: training.get(name) for name in ("epochs", "seconds")}}


def _report(run: pathlib.Path) -> dict[str, Any]:
    path = run / "report.json"
    return read_json(path) if path.exists() else {}
