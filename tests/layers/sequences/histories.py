"""Histories of four records to test layers with: of three values, none, five, and one."""

import numpy as np
import tensorflow as tf

LENGTHS = (3, 0, 5, 1)
PRESENT = np.arange(5) < np.array(LENGTHS)[:, None]  # (4, 5)
_RNG = np.random.default_rng(1)
VALUES = _RNG.normal(size=(4, 5, 6)).astype("float32")
TARGET = _RNG.normal(size=(4, 6)).astype("float32")
OTHERS = np.where(PRESENT[:, :, None], VALUES, np.float32(100.0))
"""The same values with other vectors behind them."""


def check_no_gradient_of_padding(function):
    """Asserts that gradients of a function's outputs are finite, and 0 of padding."""
    values = tf.constant(VALUES)
    with tf.GradientTape() as tape:
        tape.watch(values)
        total = tf.reduce_sum(tf.cast(function(values), "float32") ** 2)
    gradient = np.asarray(tape.gradient(total, values))
    assert np.isfinite(gradient).all()
    assert not gradient[~PRESENT].any()
    assert gradient[PRESENT].any(axis=1).all()
