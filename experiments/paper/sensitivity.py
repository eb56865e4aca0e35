"""How InterHAt's figures change with one of its hyperparameters; the others stay as in Table 2."""

import inspect
from collections.abc import Sequence
from typing import Any

from experiments.common import studies
from experiments.common.results import read_result, write_result
from interhat_tf.models import InterHAt
from interhat_tf.models.presets import hyperparameters

PRESET = "released"


def vary(experiment: str, flag: str, values: Sequence[int]) -> None:
    """Trains InterHAt with each value of a flag and all seeds, and writes the summary.

    The run with the preset's own value has no such flag, so that it is Table
    3's run as well, and not trained twice. Other values that the summary has
    already stay in it, if they were trained alike.

    Args:
        experiment: Name of the experiment and of its folder of results.
        flag: Flag of `experiments.train`.
        values: Its values.
    """
    data = studies.open_data()
    default = inspect.signature(InterHAt).parameters[flag].default
    own = hyperparameters(studies.dataset_name(), PRESET)[0].get(flag, default)
    changes = {value: {} if value == own else {flag: value} for value in values}
    rows = studies.train_rows(
        {f"{flag} {v}": studies.runs_of("interhat", preset=PRESET, **c) for v, c in changes.items()}
    )
    points = [{flag: value, **row} for value, row in zip(values, rows.values(), strict=True)]
    name, about = studies.summary_of(experiment), studies.study_record(data)
    if (earlier := read_result(name)) and earlier["data"] == about["data"]:
        points += [
            point
            for point in earlier["points"]
            if point[flag] not in values and trained_as(point, flag) == trained_as(points[0], flag)
        ]
    summary = {
        **about,
        "flag": flag,
        "preset": PRESET,
        "own": own,
        "points": sorted(points, key=lambda point: point[flag]),
    }
    write_result(name, summary)


def trained_as(point: dict[str, Any], flag: str) -> dict[str, Any]:
    """Returns what two points of a figure must have in common: all but the flag's value."""
    arguments = {name: value for name, value in point["arguments"].items() if name != flag}
    return {"arguments": arguments, "training": point["training"], "seeds": point["seeds"]}
