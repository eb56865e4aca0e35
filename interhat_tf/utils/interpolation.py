"""Straight interpolation, as a part of a model's graph."""

from collections.abc import Sequence
from typing import Any

from keras import ops

Tensor = Any


def interpolate(x: Tensor, knots: Sequence[float], values: Sequence[float]) -> Tensor:
    """Returns the values of a curve that is straight between its knots, as `numpy.interp` does.

    Between which knots a number is, is found by comparisons, since ONNX has no search in a
    sorted list.

    Args:
        x: Numbers, (B,), of any float type.
        knots: Places on the curve, in rising order, all different.
        values: The curve's values there; beyond the ends it has those of the ends.

    Example:

    >>> import numpy as np
    >>> x = ops.convert_to_tensor(np.array([-1.0, 0.5, 3.0]))
    >>> ops.convert_to_numpy(interpolate(x, [0.0, 1.0, 2.0], [0.0, 4.0, 6.0])).tolist()
    [0.0, 2.0, 6.0]
    """
    if len(knots) == 1:
        return ops.zeros_like(x) + values[0]
    at, y = (ops.convert_to_tensor(numbers, x.dtype) for numbers in (knots, values))
    inside = ops.clip(x, knots[0], knots[-1])  # (B,)
    above = ops.expand_dims(inside, -1) >= at[1:-1]  # (B, knots - 2)
    place = ops.sum(ops.cast(above, "int32"), axis=-1)  # (B,)
    low, high = ops.take(at, place), ops.take(at, place + 1)
    start, end = ops.take(y, place), ops.take(y, place + 1)
    return start + (end - start) * (inside - low) / (high - low)
