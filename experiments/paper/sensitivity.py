"""How InterHAt's figures change with one of its hyperparameters; the others stay as in Table 2."""

import inspect
from collections.abc import Sequence

from experiments.common import studies
from experiments.common.results import write_result
from interhat_tf.models import InterHAt
from interhat_tf.models.presets import hyperparameters

PRESET = "released"


def vary(experiment: str, flag: str, values: Sequence[int]) -> None:
    """Trains InterHAt with each value of a flag and all seeds, and writes the summary.

    The run with the preset's own value has no such flag, so that it is Table
    3's run as well, and not trained twice.

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
    summary = {
        **studies.study_record(data),
        "flag": flag,
        "preset": PRESET,
        "own": own,
        "points": points,
    }
    write_result(studies.summary_of(experiment), summary)
