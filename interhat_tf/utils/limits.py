"""What arguments of models and settings may be: numbers by one table, or one of some choices."""

import dataclasses
import math
import numbers
import typing
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import numpy as np

from interhat_tf.errors import SettingError


@dataclasses.dataclass(frozen=True)
class Limits:
    """An interval of numbers.

    Args:
        low: The lowest one.
        high: The highest one. Defaults to infinity.
        low_too: Whether `low` itself is among them. Defaults to `True`.
        high_too: Whether `high` itself is. Defaults to `False`.
    """

    low: float
    high: float = math.inf
    low_too: bool = True
    high_too: bool = False

    def __contains__(self, number: float) -> bool:
        above = self.low <= number if self.low_too else self.low < number
        return above and (number <= self.high if self.high_too else number < self.high)

    def __str__(self) -> str:
        above = f"{'at least' if self.low_too else 'above'} {self.low:g}"
        if self.high == math.inf:
            return above
        return f"{above} and {'at most' if self.high_too else 'below'} {self.high:g}"


COUNT = Limits(1)
"""What a whole number may be that `LIMITS` does not name: sizes and numbers of things."""

LIMITS = {
    "reasons": Limits(0),
    "background": Limits(0),
    "seed": Limits(0),
    "microbatch_size": Limits(0),
    "value_dim": Limits(0),
    "learning_rate": Limits(0, low_too=False),
    "learning_rate_factor": Limits(0, low_too=False),
    "penalty_factor": Limits(1),
    "penalty_scale": Limits(0, low_too=False),
    "beta_2": Limits(0, 1),
    "ema_momentum": Limits(0, 1),
    "dropout": Limits(0, 1),
    "self_distillation": Limits(0),
    "auxiliary_weight": Limits(0),
    "effect_weight": Limits(0),
    "effect_donors": Limits(0),
    "order_weight": Limits(0),
    "alignment_epochs": Limits(0),
    "alignment_cost": Limits(0),
    "alignment_labels": Limits(0, 1, high_too=True),
    "positive_weight": Limits(0, low_too=False),
    "unknown_share": Limits(0, 1),
    "checkpoint_minutes": Limits(0),
    "embedding_l2": Limits(0),
    "aggregation_l2": Limits(0),
    "dense_l2": Limits(0),
}
"""What an argument of this name may be, whichever class takes it."""


def check_limits(arguments: Mapping[str, Any], types: Mapping[str, Any]) -> None:
    """Checks arguments by `LIMITS`, and that whole numbers are whole.

    Args:
        arguments: The arguments by name; `None` is let through.
        types: The type of each, an annotation. Those that are neither numbers, booleans nor
            sequences of numbers are let through.

    Raises:
        SettingError: If one is out of its limits, or not of its type.

    Example:

    >>> check_limits({"order": 2, "mlp_units": (8, 0)}, {"order": int, "mlp_units": tuple[int]})
    Traceback (most recent call last):
    interhat_tf.errors.SettingError: mlp_units must be at least 1, got 0
    """
    for name, value in arguments.items():
        kinds = set(_kinds(types.get(name)))
        if value is None or not kinds & {int, float, bool}:
            continue
        if bool in kinds:
            if not isinstance(value, (bool, np.bool_)):
                raise SettingError(f"{name} must be True or False, got {value!r}")
            continue
        limits = LIMITS.get(name, COUNT if int in kinds else None)
        several: Any = value.values() if isinstance(value, Mapping) else value
        is_one = isinstance(several, str) or not isinstance(several, Iterable)
        for number in [several] if is_one else several:
            if int in kinds and not _is_number(number, numbers.Integral):
                raise SettingError(f"{name} must be a whole number, got {number!r}")
            if not _is_number(number, numbers.Real):
                raise SettingError(f"{name} must be a number, got {number!r}")
            if limits and number not in limits:
                raise SettingError(f"{name} must be {limits}, got {number!r}")


def check_choice(name: str, value: Any, choices: Iterable[Any]) -> None:
    """Checks that an argument's value is one of its choices.

    Args:
        name: The argument.
        value: Its value.
        choices: What it may be.

    Raises:
        SettingError: If it is none of them.

    Example:

    >>> check_choice("pooling", "last", ["mean", "sum"])
    Traceback (most recent call last):
    interhat_tf.errors.SettingError: pooling must be one of mean, sum; got 'last'
    """
    if value not in (known := list(choices)):
        raise SettingError(f"{name} must be one of {', '.join(map(str, known))}; got {value!r}")


def _is_number(value: Any, kind: type) -> bool:
    return isinstance(value, kind) and not isinstance(value, bool)


def _kinds(annotation: Any) -> Iterator[Any]:
    """Yields the types in an annotation: those of a union, or of a sequence's members."""
    yield annotation
    for part in typing.get_args(annotation):
        yield from _kinds(part)
