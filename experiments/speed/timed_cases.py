"""What a process of `timing` does: it makes cases of a grid ready, and times them when asked."""

import dataclasses
import time
from collections.abc import Callable
from typing import Any

import keras
import tensorflow as tf

from experiments.speed.cost import cost
from experiments.speed.grids import Case
from experiments.speed.paper_models import arguments_of, build
from experiments.speed.paper_sizes import SIZES, batches_of, schema_of
from experiments.speed.plain_keras import plain_interhat
from interhat_tf.ops import cpu_kernels
from interhat_tf.training.averaged_weights import AveragedWeights
from interhat_tf.training.optimizers import Adam, LazyAdam, table_penalties
from interhat_tf.training.step import compile_steps

OPTIMIZERS = {"adam": Adam, "lazy_adam": LazyAdam, "keras_adam": keras.optimizers.Adam}

Call = Callable[[int], Any]
"""What is timed, as a function of how many times it is to be done."""

_calls: dict[int, Call] = {}
_models: dict[str, keras.Model] = {}


def prepare(number: int, case: Case) -> dict[str, Any]:
    """Makes a case ready for `time_case`; returns the model's size, its arguments, and its `cost`.

    Only the step of a whole batch has a cost.
    """
    arguments = {**arguments_of(case.model, case.size), **case.changed}
    keras_alone = case.code == "keras"
    model = plain_interhat(_schema_of(case), **arguments) if keras_alone else _model_of(case)
    facts = {"parameters": model.count_params(), "arguments": arguments}
    if case.work == "step" and not keras_alone:
        momentum = case.ema_momentum
        how = {
            "jit_compile": case.jit_compile,
            "microbatch_size": case.microbatch,
            "averaged": AveragedWeights(model, momentum) if momentum else None,
        }
        batches = batches_of(model.schema, case.batch)
        training = Training(model, OPTIMIZERS[case.optimizer](), batches, **how)
        _calls[number] = training.train
        if not case.microbatch:
            # Operation by operation; a step of which XLA makes one counts as before it did.
            specs = training.batches, tf.constant(1)
            facts |= cost(training.steps, *specs, fields=len(model.schema.fields))
    else:
        makers = {"step": _keras_step, "update": _update}
        _calls[number] = _repeated(makers.get(case.work, _answer)(model, case))
    return facts


def time_case(number: int, times: int) -> float:
    """Returns the seconds that a case of this process takes, done a number of times."""
    return seconds_of(_calls[number], times)


def seconds_of(function: Callable[..., Any], *arguments: Any) -> float:
    """Returns the seconds that a function takes."""
    start = time.perf_counter()
    function(*arguments)
    return time.perf_counter() - start


class Training:
    """A model, its optimizer and batches without end, to be trained for a few steps at a time."""

    def __init__(self, model: keras.Model, optimizer: Any, batches: tf.data.Dataset, **how: Any):
        if isinstance(optimizer, Adam):
            optimizer.table_l2 = table_penalties(model)
        optimizer.build(model.trainable_variables)
        self.loss_sum = tf.Variable(0.0, dtype=tf.float64, trainable=False)
        self.steps = compile_steps(model, optimizer, self.loss_sum, **how)
        self.batches = iter(batches)

    def train(self, steps: int) -> None:
        """Trains for a number of steps, and waits for the device."""
        self.steps(self.batches, tf.constant(steps))
        self.loss_sum.numpy()

    def time(self, steps: int) -> float:
        """Returns the seconds that a number of steps take."""
        return seconds_of(self.train, steps)


def _schema_of(case):
    size = SIZES[case.size]
    if case.features:
        size = dataclasses.replace(size, features=case.features)
    if case.fields:
        size = dataclasses.replace(size, categories=case.fields, numbers=0)
    return schema_of(size)


def _model_of(case):
    """Returns a model, the same for all cases of this process that it serves."""
    key = repr((case.model, case.size, case.features, case.fields, case.precision, case.changed))
    if key not in _models:
        schema, arguments = _schema_of(case), {"dtype": case.precision, **case.changed}
        _models[key] = build(case.model, schema, case.size, **arguments)
    return _models[key]


def _batch_of(case):
    return next(iter(batches_of(_schema_of(case), case.batch, batches=1)))


def _repeated(function):
    def call(times):
        for _ in range(times):
            function()

    return call


def _keras_step(model, case):
    """Returns the step of Keras' own training function and optimizer."""
    loss = keras.losses.BinaryCrossentropy(from_logits=True)
    model.compile(keras.optimizers.Adam(), loss, jit_compile=case.jit_compile)
    model.make_train_function()
    batches = iter(batches_of(_schema_of(case), case.batch))
    return lambda: float(model.train_function(batches)["loss"])


def _answer(model, case):
    """Returns the prediction or the explanation of a batch, results fetched."""
    function = model.explain if case.work == "explanation" else model
    inputs, _ = _batch_of(case)

    @tf.function(jit_compile=case.jit_compile)
    def compiled(inputs):
        with cpu_kernels():
            return function(inputs)

    return lambda: tf.nest.map_structure(lambda tensor: tensor.numpy(), compiled(inputs))


def _update(model, case):
    """Returns the update of an optimizer alone, by the gradients of a batch."""
    inputs, labels = _batch_of(case)
    variables, optimizer = model.trainable_variables, OPTIMIZERS[case.optimizer]()
    optimizer.build(variables)
    with tf.GradientTape() as tape:
        logits = model(inputs)[:, 0]  # (B,)
        loss = tf.reduce_mean(tf.nn.sigmoid_cross_entropy_with_logits(labels, logits))
    gradients = tape.gradient(loss, variables)

    @tf.function
    def apply():
        optimizer.apply(gradients, variables)
        return optimizer.iterations.value

    return lambda: apply().numpy()
