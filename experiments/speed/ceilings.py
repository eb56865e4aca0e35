"""What a machine can do at most: its rate of matrix products, its memory's bandwidth."""

import time
from collections.abc import Callable

import tensorflow as tf

SIDE = 4096
"""Rows and columns of the matrices that are multiplied."""

NUMBERS = 1 << 28
"""Numbers of a vector that is copied, too many for any cache: 1 GiB."""


def ceilings(repeats: int = 5, side: int = SIDE, numbers: int = NUMBERS) -> dict[str, float]:
    """Measures both ceilings, in float32.

    Args:
        repeats: How often each is measured; the best one counts. Defaults to 5.
        side: Rows of a matrix. Defaults to `SIDE`.
        numbers: Length of the vector. Defaults to `NUMBERS`.

    Returns:
        Dictionary of `flops`, additions and multiplications a second, and
        `bytes`, bytes read and written a second.
    """
    matrix = tf.random.normal((side, side))
    vector = tf.Variable(tf.zeros(numbers))

    @tf.function
    def multiply():
        return tf.reduce_sum(tf.matmul(matrix, matrix))

    @tf.function
    def scale():
        vector.assign(vector * 1.5)
        return vector[0]  # waits for the device

    return {
        "flops": 2 * side**3 / best(multiply, repeats),
        # A product reads one vector and writes one; the assignment takes it over.
        "bytes": 2 * 4 * numbers / best(scale, repeats),
    }


def best(function: Callable[[], tf.Tensor], repeats: int) -> float:
    """Returns the seconds of a function's fastest call."""
    seconds = []
    for _ in range(repeats + 1):  # the first one traces the function
        start = time.perf_counter()
        function().numpy()
        seconds.append(time.perf_counter() - start)
    return min(seconds[1:])
