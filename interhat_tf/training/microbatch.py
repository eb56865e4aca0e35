"""Batches cut into microbatches whose numbers stay in a core's cache, for CPUs.

Several microbatches are computed side by side. Gradients are the sums over a
batch's microbatches, so that a step is the same but for the order of the sums.
"""

from collections.abc import Callable, Mapping
from typing import Any

import keras
import tensorflow as tf

from interhat_tf.errors import SettingError
from interhat_tf.layers import FrozenVectors
from interhat_tf.schema import Batch
from interhat_tf.utils.threads import number_of_threads


def check_microbatches(model: keras.Model, jit_compile: bool = False) -> None:
    """Checks that a model can be trained in microbatches.

    Args:
        model: The model.
        jit_compile: Whether XLA is to compile the step.

    Raises:
        ValueError: If the model has dropout or batch normalisation, whose
            results depend on what else is in the batch or was before, or XLA is
            to compile it.
    """
    if jit_compile:
        raise SettingError("microbatch_size and jit_compile do not go together; choose one")
    if needs_whole_batches(model):
        raise SettingError(
            "microbatch_size needs a model without dropout and batch normalisation (Dice has it), "
            "and without draws from the batch (DIEN's auxiliary loss makes them)"
        )


def needs_whole_batches(model: keras.Model) -> bool:
    """Returns whether a model has dropout or batch normalisation, or draws from the batch."""
    every = list(model._flatten_layers())
    frozen = {id(v) for layer in every if isinstance(layer, FrozenVectors) for v in layer.variables}
    # The variables of layers alone: what a model itself keeps, training does not change.
    variables = (v for layer in model.layers for v in layer.non_trainable_variables)
    return any(id(variable) not in frozen for variable in variables)


class Microbatches:
    """The microbatches of a batch, and the rows left over.

    A microbatch has a shape that is known, which saves the operations that would
    ask for it. The rest may have no rows.

    Args:
        batch: Arrays of B rows each, by name.
        size: Rows of a microbatch.

    Attributes:
        number: The number of microbatches, a scalar.
        rest: The rows left over, as `batch` has them.
    """

    def __init__(self, batch: Mapping[str, tf.Tensor], size: int):
        number = tf.shape(next(iter(batch.values())))[0] // size
        # Of a batch whose size is known, the rest would have another shape.
        self.number = tf.raw_ops.PlaceholderWithDefault(input=number, shape=[])
        rows = self.number * size
        self._whole = {
            name: tf.reshape(array[:rows], [-1, size, *array.shape[1:]])  # (number, size, ...)
            for name, array in batch.items()
        }
        self.rest = {name: array[rows:] for name, array in batch.items()}

    def __getitem__(self, i: int | tf.Tensor) -> dict[str, tf.Tensor]:
        return {name: array[i] for name, array in self._whole.items()}

    def loop(self, body: Callable, start: tuple) -> tuple:
        """Returns what `body(i, *state)` makes of a state, microbatch after microbatch."""
        _, *state = tf.while_loop(
            lambda i, *_: i < self.number,
            lambda i, *state: (i + 1, *body(i, *state)),
            (0, *start),
            parallel_iterations=number_of_threads() + 1,  # so that no thread waits for the sums
        )
        return tuple(state)


def predict_microbatches(model: keras.Model, inputs: Batch, size: int) -> tf.Tensor:
    """Returns the logits of a batch, (B, 1), computed in microbatches.

    Args:
        model: A model that gives logits, (B, 1).
        inputs: The batch.
        size: Rows of a microbatch.
    """
    microbatches = Microbatches(inputs, size)
    rest = model(microbatches.rest)  # (rows left over, 1)
    logits = tf.TensorArray(rest.dtype, microbatches.number + 1, element_shape=[None, 1])
    logits = logits.write(microbatches.number, rest)
    (logits,) = microbatches.loop(
        lambda i, logits: (logits.write(i, model(microbatches[i])),), (logits,)
    )
    return logits.concat()  # (B, 1)


def sum_over_microbatches(
    gradients_of: Callable[[dict[str, tf.Tensor]], tuple[tf.Tensor, list]],
    batch: Mapping[str, tf.Tensor],
    size: int,
) -> tuple[tf.Tensor, list[Any]]:
    """Returns the sums over a batch's microbatches of a loss and of its gradients.

    Gradients that are rows of a table stay rows, those of all microbatches.

    Args:
        gradients_of: A function from a microbatch to its loss and the gradients.
        batch: The batch, its labels included.
        size: Rows of a microbatch.
    """
    microbatches = Microbatches(batch, size)
    # The rest comes first: it says which gradients are rows of a table.
    loss, of_rest = gradients_of(microbatches.rest)
    present = [g for g in of_rest if g is not None]

    def add(i: tf.Tensor, loss: tf.Tensor, sums: list[Any]) -> tuple[tf.Tensor, list[Any]]:
        more, gradients = gradients_of(microbatches[i])
        parts = [g for g in gradients if g is not None]
        return loss + more, [_add(*pair, i) for pair in zip(sums, parts, strict=True)]

    sums = [_start(g, microbatches.number) for g in present]
    loss, sums = microbatches.loop(add, (loss, sums))
    finished = (_finish(*pair) for pair in zip(sums, present, strict=True))
    return loss, [None if g is None else next(finished) for g in of_rest]


def _start(gradient, number):
    """Returns what gathers a gradient: the sum so far, or arrays of a table's rows and ids."""
    if not isinstance(gradient, tf.IndexedSlices):
        return gradient
    return tuple(
        tf.TensorArray(rows.dtype, number + 1, element_shape=[None, *rows.shape[1:]]).write(
            number, rows
        )
        for rows in (gradient.values, gradient.indices)
    )


def _add(total, gradient, i):
    if not isinstance(gradient, tf.IndexedSlices):
        return total + gradient
    values, ids = total
    return values.write(i, gradient.values), ids.write(i, gradient.indices)


def _finish(total, gradient):
    if not isinstance(gradient, tf.IndexedSlices):
        return total
    values, ids = total
    return tf.IndexedSlices(values.concat(), ids.concat(), gradient.dense_shape)
