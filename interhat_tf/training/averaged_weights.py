"""The decaying average of a model's weights, which predicts better than the last step's weights."""

import contextlib
from collections.abc import Iterator

import keras
import numpy as np
import tensorflow as tf

WARM_UP_STEPS = 10


class AveragedWeights:
    """Follows the weights w of a model with a decaying average a.

        a_t = m_t a_{t-1} + (1 - m_t) w_t,  m_t = min(momentum, t / (t + 10))

    after step t. The steps scatter around a good place, whose middle the average
    is (Polyak and Juditsky 1992). While t is small, m_t is, so that the average
    forgets the initial weights. The training goes on from the weights
    themselves.

    Keras' `use_ema` leaves out batch normalisation's statistics, which belong to
    the weights of the same steps; here all weights are averaged.

    Args:
        model: The model; its strategy's replicas each keep a copy.
        momentum: The average's momentum, between 0 and 1.

    Attributes:
        variables: What changes, for a checkpoint.

    Example:

    >>> model = keras.Sequential([keras.layers.Dense(1, use_bias=False)])
    >>> model.build((None, 1))
    >>> model.set_weights([np.array([[0.0]])])
    >>> averaged = AveragedWeights(model, momentum=0.995)
    >>> model.set_weights([np.array([[11.0]])])
    >>> averaged.update(step=1)  # m_1 is 1 / 11
    >>> with averaged.in_place():
    ...     print(model.get_weights()[0].round(4))
    [[10.]]
    >>> print(model.get_weights()[0])
    [[11.]]
    """

    def __init__(self, model: keras.Model, momentum: float):
        self.momentum, self.strategy = momentum, model.distribute_strategy
        self.weights = [w for w in model.weights if keras.backend.is_float_dtype(w.dtype)]
        with self.strategy.scope():
            self.variables = [
                # A narrower type would lose the small differences.
                tf.Variable(tf.cast(w.value, keras.backend.result_type(w.dtype, "float32")))
                for w in self.weights
            ]

    def update(self, step: int | tf.Tensor) -> None:
        """Takes in the weights after a step.

        Args:
            step: The step's number, from 1.
        """
        step = tf.cast(step, tf.float32)
        share = 1 - tf.minimum(self.momentum, step / (step + WARM_UP_STEPS))

        def move(average: tf.Variable, weight: tf.Variable) -> None:
            difference = average - tf.cast(weight, average.dtype)
            average.assign_sub(tf.cast(share, average.dtype) * difference)

        for average, weight in zip(self.variables, self.weights, strict=True):
            self.strategy.extended.update(average, move, args=(weight.value,), group=False)

    @contextlib.contextmanager
    def in_place(self) -> Iterator[None]:
        """Lets the model have the averages as its weights, and afterwards its own again."""
        own = [np.array(weight) for weight in self.weights]
        self._assign([np.asarray(average) for average in self.variables])
        try:
            yield
        finally:
            self._assign(own)

    def _assign(self, values):
        for weight, value in zip(self.weights, values, strict=True):
            weight.assign(value)
