"""Scales of numbers: what a model reads in place of a field's numbers, and back.

A scale is fitted to a field's training rows: to their range, and to a `NumberSample`,
which stands for their distribution.
"""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Self, TypeAlias

import numpy as np

from interhat_tf.preprocessing.rows import random_bits

SAMPLE_ROWS = 1 << 14
"""Numbers of a field that its scale is fitted to: their ranks err by 0.4% at most, as a rule."""

SAMPLE_SEED = 1

FARTHEST = 5.0
"""The largest number that a `SignedLog` scale gives, of either sign."""

KNOTS = 101
"""Quantiles between which a `Quantiles` scale is straight."""


@dataclasses.dataclass(frozen=True)
class NumberSample:
    """A random sample of a field's numbers, which does not depend on how the log is read.

    Each row of the log has a random key, by its position; the sample has the rows of
    the smallest keys.

    Args:
        keys: The rows' keys, (n,) uint64.
        numbers: Their numbers, (n,) float64.
    """

    keys: np.ndarray
    numbers: np.ndarray

    @classmethod
    def draw(cls, numbers: np.ndarray, chosen: np.ndarray, first_row: int) -> Self:
        """Draws from consecutive rows.

        Args:
            numbers: Their numbers, (rows,).
            chosen: Which of them count, (rows,) booleans.
            first_row: Position of the first row in the log.
        """
        keys = random_bits(first_row, len(numbers), SAMPLE_SEED)
        return cls(keys[chosen], numbers[chosen])._smallest()

    def merge(self, other: "NumberSample") -> "NumberSample":
        """Returns the sample of this one's rows and another's."""
        keys = np.concatenate([self.keys, other.keys])
        return NumberSample(keys, np.concatenate([self.numbers, other.numbers]))._smallest()

    def in_order(self) -> np.ndarray:
        """Returns the numbers, (n,), in the order of their rows' keys."""
        return self.numbers[np.argsort(self.keys)]

    def _smallest(self) -> Self:
        if len(self.keys) <= SAMPLE_ROWS:
            return self
        rows = np.argpartition(self.keys, SAMPLE_ROWS)[:SAMPLE_ROWS]
        return type(self)(self.keys[rows], self.numbers[rows])


@dataclasses.dataclass(frozen=True)
class MinMax:
    """From 0, the training rows' minimum, to 1, their maximum; as the paper has it.

    Args:
        low: The minimum.
        high: The maximum.

    Example:

    >>> MinMax(2.0, 12.0).apply(np.array([2.0, 7.0, 99.0])).tolist()
    [0.0, 0.5, 1.0]
    """

    name: ClassVar[str] = "min-max"
    digits: ClassVar[int] = 6
    low: float
    high: float

    @classmethod
    def fit(cls, low: float, high: float, numbers: np.ndarray) -> Self:
        """Fits the scale; see `fit_scale`."""
        return cls(low, high)

    def apply(self, numbers: np.ndarray) -> np.ndarray:
        """Returns scaled numbers; those beyond the training rows' are clipped."""
        if self.high <= self.low:
            return 0.0 * numbers
        return np.clip((numbers - self.low) / (self.high - self.low), 0, 1)

    def invert(self, scaled: np.ndarray) -> np.ndarray:
        """Returns the numbers that have these scaled ones."""
        numbers = self.low + scaled * (self.high - self.low)
        return _without_rounding(numbers, max(abs(self.low), abs(self.high)))


@dataclasses.dataclass(frozen=True)
class SignedLog:
    """The standardised logarithm, of either sign: a heavy tail takes no more room than the rest.

        (sign(x) log(1 + |x| / unit) - mean) / deviation

    Numbers are first clipped to the training rows' range. Of a number that is nearly always
    the same, a count that is mostly 0, the few others would be dozens of standard deviations
    away, and models would learn these rows by heart: the deviation is at least a fifth of the
    farthest number's distance from the mean.

    Args:
        low: The training rows' minimum.
        high: Their maximum.
        unit: The median of their |numbers| that are not 0: below it the scale is
            nearly straight.
        mean: The mean of their logarithms.
        deviation: The standard deviation of these, or what brings the farthest of the training
            rows to `FARTHEST`, if that is more; 1 if they are all the same.

    Example:

    >>> scale = SignedLog.fit(0.0, 9.0, np.array([0.0, 1.0, 1.0, 9.0]))
    >>> scale.apply(np.array([0.0, 9.0])).round(2).tolist(), scale.unit
    ([-1.09, 1.63], 1.0)
    >>> scale.invert(scale.apply(np.array([0.5, 99.0]))).round(6).tolist()
    [0.5, 9.0]
    """

    name: ClassVar[str] = "log"
    digits: ClassVar[int] = 6
    low: float
    high: float
    unit: float
    mean: float
    deviation: float

    @classmethod
    def fit(cls, low: float, high: float, numbers: np.ndarray) -> Self:
        """Fits the scale; see `fit_scale`."""
        sizes = np.abs(numbers[numbers != 0])
        unit = float(np.median(sizes)) if len(sizes) else 1.0
        logs = signed_log(numbers, unit)
        if not len(logs):
            return cls(low, high, unit, 0.0, 1.0)
        ends = signed_log(np.array([low, high]), unit)
        if ends[1] - ends[0] <= 1e-12 * np.abs(ends).max():  # they differ by rounding alone
            return cls(low, high, unit, float(ends.mean()), 1.0)
        mean = float(logs.mean())
        deviation = max(float(logs.std()), float(np.abs(ends - mean).max()) / FARTHEST)
        return cls(low, high, unit, mean, deviation)

    def apply(self, numbers: np.ndarray) -> np.ndarray:
        """Returns scaled numbers; those beyond the training rows' are clipped."""
        logs = signed_log(np.clip(numbers, self.low, self.high), self.unit)
        return (logs - self.mean) / self.deviation

    def invert(self, scaled: np.ndarray) -> np.ndarray:
        """Returns the numbers that have these scaled ones."""
        logs = _without_rounding(scaled * self.deviation + self.mean, abs(self.mean))
        return _signed_exp(logs, self.unit)


@dataclasses.dataclass(frozen=True)
class Quantiles:
    """The share of the training rows with smaller numbers, and half of those with the same.

    Between `KNOTS` quantiles the scale is straight, in the logarithms of the numbers.

    Args:
        unit: As of `SignedLog`.
        knots: Numbers in rising order.
        shares: Their shares, from 0 to 1.

    Example:

    >>> scale = Quantiles.fit(0.0, 1e6, np.array([0.0, 1.0, 2.0, 3.0, 1e6]))
    >>> scale.apply(np.array([0.0, 2.0, 1e9])).tolist()
    [0.0, 0.5, 1.0]
    """

    name: ClassVar[str] = "quantiles"
    digits: ClassVar[int] = 4  # single precision keeps no more where the knots are far apart
    unit: float
    knots: Sequence[float]
    shares: Sequence[float]

    @classmethod
    def fit(cls, low: float, high: float, numbers: np.ndarray) -> Self:
        """Fits the scale; see `fit_scale`."""
        unit = SignedLog.fit(low, high, numbers).unit
        shares = np.linspace(0, 1, KNOTS)
        quantiles = np.quantile(numbers, shares) if len(numbers) else np.full(KNOTS, low)
        quantiles[[0, -1]] = low, high  # of all training rows, not of the sample alone
        knots, place = np.unique(quantiles, return_inverse=True)
        # Equal numbers have the middle of their shares, the minimum 0 and the maximum 1.
        means = np.bincount(place, shares) / np.bincount(place)
        means[-1], means[0] = 1.0, 0.0
        return cls(unit, tuple(knots.tolist()), tuple(means.tolist()))

    def apply(self, numbers: np.ndarray) -> np.ndarray:
        """Returns scaled numbers; those beyond the training rows' are clipped."""
        logs, knots = (signed_log(x, self.unit) for x in (numbers, np.array(self.knots)))
        return np.interp(logs, knots, self.shares)

    def invert(self, scaled: np.ndarray) -> np.ndarray:
        """Returns the numbers that have these scaled ones."""
        knots = signed_log(np.array(self.knots), self.unit)
        logs = _without_rounding(np.interp(scaled, self.shares, knots), np.abs(knots).max())
        return _signed_exp(logs, self.unit)


Scale: TypeAlias = MinMax | SignedLog | Quantiles
"""A fitted scale."""

SCALES: dict[str, type[Scale]] = {kind.name: kind for kind in (MinMax, SignedLog, Quantiles)}


def fit_scale(scaling: str, low: float, high: float, numbers: np.ndarray) -> Scale:
    """Fits a scale to a field's training rows.

    Args:
        scaling: The name of a scale of `SCALES`.
        low: The minimum.
        high: The maximum.
        numbers: A sample of the numbers; `"min-max"` does not need it.
    """
    return SCALES[scaling].fit(low, high, numbers)


def quantile_edges(low: float, numbers: np.ndarray, buckets: int) -> np.ndarray:
    """Returns where buckets of about as many numbers each begin, the first at the minimum.

    Args:
        low: The training rows' minimum.
        numbers: A sample of the numbers.
        buckets: How many are asked for; equal quantiles make fewer.

    Example:

    >>> quantile_edges(0.0, np.array([0.0, 0.0, 0.0, 0.0, 5.0, 9.0]), 4).tolist()
    [0.0, 3.75]
    """
    if not len(numbers):
        return np.array([low])
    quantiles = np.quantile(numbers, np.arange(1, buckets) / buckets)
    return np.unique([low, *quantiles])


def scale_to_dict(scale: Scale) -> dict[str, Any]:
    """Returns a scale as what JSON can hold; `scale_from_dict` is the inverse."""
    return {"scaling": scale.name, **dataclasses.asdict(scale)}


def scale_from_dict(config: Mapping[str, Any]) -> Scale:
    """Returns the scale that `scale_to_dict` wrote."""
    arguments: dict[str, Any] = {
        name: tuple(value) if isinstance(value, list) else value
        for name, value in config.items()
        if name != "scaling"
    }
    return SCALES[config["scaling"]](**arguments)


def signed_log(numbers: np.ndarray, unit: float) -> np.ndarray:
    """Returns the logarithms of numbers of either sign: sign(x) log(1 + |x| / unit)."""
    return np.sign(numbers) * np.log1p(np.abs(numbers) / unit)


def _signed_exp(logs: np.ndarray, unit: float) -> np.ndarray:
    return np.sign(logs) * unit * np.expm1(np.abs(logs))


def _without_rounding(numbers: np.ndarray, size: float) -> np.ndarray:
    """Returns numbers, those as 0 that single precision, which models read, takes for it."""
    return np.where(np.abs(numbers) <= size * np.finfo("float32").eps, 0.0, numbers)
