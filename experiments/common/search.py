"""A search of hyperparameters: what is drawn from a space, and where a space turns out too small.

A space is a dictionary from a flag of a training program to the values that it may take; a flag
with one value is fixed. A setting is a dictionary from the flags to a value of each.
"""

import math
import random
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

Space = Mapping[str, Sequence[Any]]
Setting = dict[str, Any]

# The next value of these lies as far away as the last two from each other; that of any other
# number is as many times the last.
ADDITIVE = ("dropout", "order", "num_layers", "num_cross_layers")
LOWEST = {
    **dict.fromkeys(("order", "num_layers", "num_cross_layers", "num_heads"), 1),
    **dict.fromkeys(("min_data_in_leaf", "min_samples_leaf", "min_cat_samples"), 1),
    "dropout": 0.0,
    # A tenth of the rate at a plateau is little; a hundredth was never better in a trial.
    "learning_rate_factor": 0.1,
}
HIGHEST = {"dropout": 0.9, "learning_rate_factor": 1.0, "feature_fraction": 1.0, "interactions": 45}


def size(space: Space) -> int:
    """Returns the number of settings of a space."""
    return math.prod(map(len, space.values()))


def draw(space: Space, trials: int, seed: int | str) -> list[Setting]:
    """Returns `trials` different settings, in which no value of a flag is much rarer than others.

    The values of each flag are distributed in turn and then shuffled, flag by
    flag: so eight settings cover a space more evenly than independent draws do.

    Args:
        space: Dictionary from a name to its possible values.
        trials: Number of settings.
        seed: Seed of the shuffling, a number or a name.

    Raises:
        ValueError: If the space has fewer settings.

    Example:

    >>> [setting["x"] for setting in draw({"x": (1, 2), "y": "abc"}, 4, seed=0)].count(1)
    2
    """
    if trials > size(space):
        raise ValueError(f"the space has fewer than {trials} settings: {space}")
    rng = random.Random(seed)
    while True:
        columns = {}
        for name, values in space.items():
            columns[name] = [values[i % len(values)] for i in range(trials)]
            rng.shuffle(columns[name])
        settings = [{name: column[i] for name, column in columns.items()} for i in range(trials)]
        if all(setting not in settings[:i] for i, setting in enumerate(settings)):
            return settings


def with_values_of(space: Space, settings: Iterable[Setting]) -> dict[str, list[Any]]:
    """Returns a space to which the values of settings are added that it does not have."""
    wider = {name: list(values) for name, values in space.items()}
    for setting in settings:
        for name, value in setting.items():
            if value not in wider[name]:
                wider[name].append(value)
    return wider


def edges(space: Space, setting: Setting) -> dict[str, Any]:
    """Returns the flags whose value in a setting is the lowest or the highest of an ordered choice.

    Choices between numbers are ordered. A value beyond which there is none,
    such as a dropout of 0, is no edge.

    Returns:
        Dictionary from such a flag to the next value beyond the edge.

    Example:

    >>> edges({"learning_rate": (1e-3, 2e-3), "dropout": (0.0, 0.1)},
    ...       {"learning_rate": 2e-3, "dropout": 0.0})
    {'learning_rate': 0.004}
    """
    found = {}
    for name, values in space.items():
        if len(values) < 2 or not all(map(_is_number, values)):
            continue
        ordered = sorted(values)
        for inner, outer in ((ordered[1], ordered[0]), (ordered[-2], ordered[-1])):
            value = _beyond(name, inner, outer)
            if setting[name] == outer and value is not None:
                found[name] = value
    return found


def outward(space: Space, setting: Setting) -> list[Setting]:
    """Returns the settings that differ from one in a single flag, which lies beyond its edge."""
    return [{**setting, name: value} for name, value in edges(space, setting).items()]


def _is_number(value):
    return isinstance(value, int | float) and not isinstance(value, bool)


def _beyond(name, inner, outer):
    """Returns the value that comes after `inner` and `outer`, `None` where there is none."""
    if name in ADDITIVE:
        value = outer + (outer - inner)
    elif outer == 0:  # such as the penalty that is none
        return None
    else:
        value = outer * outer / inner if inner else 2 * outer
    value = round(value) if isinstance(outer, int) else float(f"{value:.2g}")
    inside = LOWEST.get(name, -math.inf) <= value <= HIGHEST.get(name, math.inf)
    return value if inside and value != outer else None
