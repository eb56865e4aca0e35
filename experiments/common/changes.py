"""A form of a model, and one change at a time: what each does to the figures on validation.

The summary is written after each change, and keeps the rows of the same data that are
there already: a study can be stopped, and gone on with, at any change. Several at a time
are named as `"pair values + d 64"`.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from absl import flags

from experiments.common import studies
from experiments.common.results import write_result
from experiments.common.studies import Report, Run

CHANGE = flags.DEFINE_multi_string(
    "change", None, "changes to try, by name, or several as 'NAME + NAME'; default: each"
)

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
    if unknown := {part for name in names for part in _parts(name)} - set(changes):
        raise ValueError(f"--change: {', '.join(sorted(unknown))}: not of {', '.join(changes)}")
    data, path = studies.open_data(), studies.summary_of(experiment)
    best = studies.best_possible(data)
    for name in names:
        changed = {flag: value for part in _parts(name) for flag, value in changes[part].items()}
        runs = studies.runs_of(**{**form, **changed, "test": False})
        reports = studies.train_all({name: runs})[name]
        row = {"flags": changed, **_row(reports, [look(run) for run in runs])}
        record = studies.study_record(data)
        earlier = studies.known_summary(path, record) or {"changes": {}}
        rows = {**earlier["changes"], name: row}
        in_order = {key: rows[key] for key in _in_order(rows, changes)}
        summary = {**record, **best, "form": form, "changes": in_order}
        write_result(path, summary)
        _print(name, row)


def _parts(name: str) -> list[str]:
    return name.split(" + ")


def _in_order(names: Iterable[str], changes: Changes) -> list[str]:
    """Returns the names whose parts are all changes, in their order, single ones first."""
    places = {name: place for place, name in enumerate(changes)}
    known = [name for name in names if all(part in places for part in _parts(name))]
    return sorted(known, key=lambda n: (len(_parts(n)), [places[part] for part in _parts(n)]))


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
