"""What a machine can do at most: its rate of matrix products, its memory's bandwidth."""

import timeit

import tensorflow as tf

SIDE = 4096
"""Rows and columns of the matrices that are multiplied."""

NUMBERS = 1 << 28
"""Numbers of a vector that is copied, too many for any cache: 1 GiB."""


def ceilings(repeats: int = 5, side: int = SIDE, numbers: int = NUMBERS) -> dict[str, float]:
    """Measures both ceilings in float32; the best of some repeats counts.

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

    def seconds(function):
        # The first call traces the function, so that it is never the best one.
        return min(timeit.repeat(lambda: function().numpy(), number=1, repeat=repeats + 1))

    return {
        "flops": 2 * side**3 / seconds(multiply),
        # A product reads one vector and writes one; the assignment takes it over.
        "bytes": 2 * 4 * numbers / seconds(scale),
    }
