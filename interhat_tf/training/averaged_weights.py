"""The decaying average of a model's weights, which predicts better than the last step's weights."""

import contextlib
import re
from collections.abc import Container, Iterator
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from interhat_tf.errors import SettingError
from interhat_tf.training.table_sharding import TABLES

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
        lazy: Whether a step reads only those rows of an embedding table that its
            gradient holds, for `LazyAdam`; see `AveragedTable`. Defaults to
            `False`.

    Attributes:
        variables: What changes, for a checkpoint.

    Raises:
        ValueError: If `lazy` is asked for on several devices.

    Example:

    >>> model = keras.Sequential([keras.layers.Dense(1, use_bias=False)])
    >>> model.build((None, 1))
    >>> model.set_weights([np.array([[0.0]])])
    >>> averaged = AveragedWeights(model, momentum=0.995)
    >>> model.set_weights([np.array([[11.0]])])
    >>> averaged.after_step(1)  # m_1 is 1 / 11
    >>> with averaged.in_place():
    ...     print(model.get_weights()[0].round(4))
    [[10.]]
    >>> print(model.get_weights()[0])
    [[11.]]
    """

    def __init__(self, model: keras.Model, momentum: float, lazy: bool = False):
        self.momentum, self.strategy = momentum, model.distribute_strategy
        if lazy and self.strategy.num_replicas_in_sync > 1:
            raise SettingError("ema_momentum and lazy_adam do not go together on several devices")
        self.weights = [w for w in model.weights if keras.backend.is_float_dtype(w.dtype)]
        self.log_decay = tf.Variable(0.0, dtype=tf.float64, trainable=False)
        self.tables = {
            w.path: AveragedTable(w, self.log_decay)
            for w in self.weights
            if lazy and re.fullmatch(TABLES, w.path)
        }
        with self.strategy.scope():
            self.averages = {
                w.path: tf.Variable(_wide(w.value))
                for w in self.weights
                if w.path not in self.tables
            }
        of_tables = (variable for table in self.tables.values() for variable in table.variables)
        self.variables = [self.log_decay, *self.averages.values(), *of_tables]

    def restart(self) -> None:
        """Forgets all steps: the averages are the model's present weights."""
        self.log_decay.assign(0.0)
        for weight in self.weights:
            if weight.path in self.tables:
                self.tables[weight.path].restart()
            else:
                self.averages[weight.path].assign(_wide(weight.value))

    def before_step(self, gradients: list[Any], variables: list[keras.Variable]) -> None:
        """Prepares for a step that moves some rows of tables, which are in its gradients."""
        for gradient, variable in zip(gradients, variables, strict=True):
            if variable.path in self.tables:
                self.tables[variable.path].catch_up(gradient)

    def after_step(self, step: int | tf.Tensor, without: Container[str] = ()) -> None:
        """Takes in the weights.

        Args:
            step: The step's number, from 1.
            without: Paths of weights that the optimizer has taken in, by their `share`. Defaults
                to none.
        """
        momentum = self._momentum(step)

        def move(average: tf.Variable, weight: tf.Variable) -> None:
            difference = average - tf.cast(weight, average.dtype)
            average.assign_sub(tf.cast(1 - momentum, average.dtype) * difference)

        for weight in self.weights:
            if weight.path not in self.tables and weight.path not in without:
                average = self.averages[weight.path]
                self.strategy.extended.update(average, move, args=(weight.value,), group=False)
        if self.tables:
            self.log_decay.assign_add(tf.math.log(momentum))

    def share(self, step: int | tf.Tensor) -> tf.Tensor:
        """Returns 1 - m_t, the share of the weights after a step in their average, float32."""
        return tf.cast(1 - self._momentum(step), tf.float32)

    def _momentum(self, step):
        step = tf.cast(step, tf.float64)
        return tf.minimum(tf.cast(self.momentum, tf.float64), step / (step + WARM_UP_STEPS))

    @contextlib.contextmanager
    def in_place(self) -> Iterator[None]:
        """Lets the model have the averages as its weights, and afterwards its own again."""
        own = self.swap_in()
        try:
            yield
        finally:
            self.swap_out(own)

    def swap_in(self) -> list[np.ndarray]:
        """Gives the model the averages; returns its own weights, for `swap_out`."""
        own = [np.asarray(weight) for weight in self.weights]
        self.swap_out([self._average(weight.path) for weight in self.weights])
        return own

    def swap_out(self, own: list[np.ndarray]) -> None:
        """Gives the model its own weights back."""
        for weight, value in zip(self.weights, own, strict=True):
            weight.assign(value)

    def _average(self, path):
        table = self.tables.get(path)
        return np.asarray(self.averages[path] if table is None else table.rows())


class AveragedTable:
    """The average of an embedding table of which a step moves few rows.

    A row that rests at w between the steps s and t has the average

        a_t = w + D (a_s - w),  D = m_{s+1} ... m_t

    so that it is enough to bring a row's average up to date just before a step
    moves the row, and all rows' when the average is asked for. That is exact, and
    a step costs the same however large the table is.

    Args:
        table: The table, (rows, d).
        log_decay: Variable that holds the logarithm of the product of all momenta so far.

    Attributes:
        variables: What changes, for a checkpoint.
    """

    def __init__(self, table: keras.Variable, log_decay: tf.Variable):
        self.table, self.log_decay = table, log_decay
        self.averages = tf.Variable(_wide(table.value), trainable=False)
        self.log_decays = tf.Variable(tf.zeros(table.shape[:1], tf.float64), trainable=False)
        self.variables = [self.averages, self.log_decays]

    def restart(self) -> None:
        """Makes the averages the table's present rows."""
        self.averages.assign(_wide(self.table.value))
        self.log_decays.assign(tf.zeros_like(self.log_decays))

    def catch_up(self, gradient: Any) -> None:
        """Brings the averages up to date of the rows that a gradient holds."""
        ids = gradient.indices if isinstance(gradient, tf.IndexedSlices) else self._all_ids()
        rows = self.rows(ids)  # (n, d)
        self.averages.scatter_update(tf.IndexedSlices(rows, ids))
        now = tf.fill(tf.shape(ids), self.log_decay.read_value())  # (n,)
        self.log_decays.scatter_update(tf.IndexedSlices(now, ids))

    def rows(self, ids: tf.Tensor | None = None) -> tf.Tensor:
        """Returns the averages of rows, (n, d), by default of all."""
        ids = self._all_ids() if ids is None else ids
        averages = tf.gather(self.averages, ids)  # (n, d)
        weights = tf.cast(tf.gather(self.table.value, ids), averages.dtype)  # (n, d)
        decays = tf.exp(self.log_decay - tf.gather(self.log_decays, ids))[:, None]  # (n, 1)
        return weights + tf.cast(decays, averages.dtype) * (averages - weights)

    def _all_ids(self):
        return tf.range(self.table.shape[0])


def _wide(values):
    # A narrower type would lose the small differences.
    return tf.cast(values, keras.backend.result_type(values.dtype.name, "float32"))


class WeightAveraging(keras.callbacks.Callback):
    """Lets `fit` evaluate and keep averaged weights, as `train` does with `ema_momentum`.

    Validation, the callbacks after this one at the end of an epoch, and the model
    when `fit` is over have the average of the weights (`AveragedWeights`); the
    training itself goes on from the last ones. Those are not in what Keras'
    `BackupAndRestore` keeps: `train(…, resume=True)` resumes exactly.

    Args:
        momentum: The average's momentum, between 0 and 1. Defaults to 0.995.

    Raises:
        ValueError: When training begins, if the backend is not TensorFlow, or
            several steps are one execution, between which no callback is called.

    Example:

        callbacks = [WeightAveraging(0.995), EarlyStopping(validation_batches)]
        model.fit(batches, epochs=100, callbacks=callbacks)
    """

    def __init__(self, momentum: float = 0.995):
        super().__init__()
        self.momentum = momentum

    def on_train_begin(self, logs: Any = None) -> None:
        """Starts from the model's present weights."""
        if keras.backend.backend() != "tensorflow" or self.model.steps_per_execution > 1:
            raise SettingError("WeightAveraging needs TensorFlow, and steps_per_execution=1")
        self.averaged = AveragedWeights(self.model, self.momentum)
        self._after_step = tf.function(self.averaged.after_step, autograph=False)
        self._own: list[np.ndarray] | None = None
        self._step = 0

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        """Lets the training go on from the model's own weights."""
        self._swap_out()

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        """Takes in the weights."""
        self._step += 1
        self._after_step(tf.constant(self._step))

    def on_test_begin(self, logs: Any = None) -> None:
        """Lets validation have the averages."""
        self._own = self.averaged.swap_in()

    def on_test_end(self, logs: Any = None) -> None:
        """Gives the model its own weights back."""
        self._swap_out()

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        """Lets the callbacks that follow, and a training that ends here, have the averages."""
        self._own = self.averaged.swap_in()

    def _swap_out(self):
        if self._own is not None:
            self.averaged.swap_out(self._own)
            self._own = None
