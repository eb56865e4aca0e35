"""A form of a model, and one change at a time: what each does to the figures on validation.

The summary is written after each change, and keeps the rows that are there
already: a study can be stopped, and gone on with, at any change.
"""

from collections.abc import Callable, Mapping
from typing import Any

from absl import flags

from experiments.common import studies
from experiments.common.results import read_result, write_result
from experiments.common.studies import Report, Run

CHANGE = flags.DEFINE_multi_string("change", None, "changes to try, by name; default: all")

Changes = Mapping[str, Mapping[str, Any]]
"""What is changed, as flags of `experiments.train`, by name."""


def try_changes(
    experiment: str,
    form: Mapping[str, Any],
    changes: Changes,
    look: Callable[[Run], Mapping[str, Any]] = lambda run: {},
) -> None:
    """Trains a form with each change and all of `--seeds`, and writes the summary.

    The test split is not read.

    Args:
        experiment: Name of the experiment and of its folder of results.
        form: Flags of `experiments.train` that all runs have; `model` among them.
        changes: What is changed, by name; a change of nothing is the form itself.
        look: Says more of a run, from its flags and its folder.

    Raises:
        ValueError: If `--change` names none of the changes.
    """
    names = CHANGE.value or list(changes)
    if unknown := set(names) - set(changes):
        raise ValueError(f"--change: {', '.join(sorted(unknown))}: not of {', '.join(changes)}")
    data, path = studies.open_data(), studies.summary_of(experiment)
    best = studies.best_possible(data)
    for name in names:
        runs = studies.runs_of(**{**form, **changes[name], "test": False})
        reports = studies.train_all({name: runs})[name]
        row = {"flags": changes[name], **_row(reports, [look(run) for run in runs])}
        rows = {**((read_result(path) or {}).get("changes", {})), name: row}
        in_order = {key: rows[key] for key in changes if key in rows}
        summary = {**studies.study_record(data), **best, "form": form, "changes": in_order}
        write_result(path, summary)
        _print(name, row)


def _row(reports: list[Report], more: list[Mapping[str, Any]]) -> dict[str, Any]:
    found = studies.summarise(reports)
    own = {r["config"]["training"]["seed"]: of_run for r, of_run in zip(reports, more, strict=True)}
    return {**found, "runs": [{**run, **own[run["seed"]]} for run in found["runs"]]}


def _print(name, row):
    auc, logloss = (row["validation"][metric] for metric in studies.METRICS)
    print(
        f"{name}: validation AUC {auc['mean']:.5f} ± {auc['std']:.5f}, "
        f"logloss {logloss['mean']:.5f} ± {logloss['std']:.5f}",
        flush=True,
    )
