"""Records that a model is given are checked: of what compiled code cannot report, before it."""

import contextlib
import re
import warnings
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import keras
import numpy as np

from interhat_tf.errors import DataError
from interhat_tf.ops import cpu_kernels
from interhat_tf.schema import (
    KINDS,
    MULTIVALUED,
    NUMERICAL,
    PADDING,
    Batch,
    Field,
    Schema,
    id_behind_padding,
    wrong_id,
    wrong_number,
)

_MARK = "interhat_tf found a wrong record"

_OF_PROBABILITIES = {"binarycrossentropy", "bce", "binaryfocalcrossentropy", "auc"}
"""Keras' losses and metrics that take predictions for probabilities unless they are told."""


def _of_probabilities(losses_and_metrics: Iterable[Any]) -> list[str]:
    """Returns the names of those that take predictions for probabilities, as Keras does by default.

    >>> _of_probabilities(["binary_crossentropy", "accuracy", keras.metrics.AUC(from_logits=True)])
    ['binary_crossentropy']
    """
    names = []
    for one in losses_and_metrics:
        name = one if isinstance(one, str) else getattr(one, "__name__", type(one).__name__)
        of_logits = getattr(one, "from_logits", getattr(one, "_from_logits", False))
        if name.lower().replace("_", "") in _OF_PROBABILITIES and not of_logits:
            names.append(name)
    return names


class CheckedInputs(keras.Model):
    """A model that refuses records that do not follow its schema.

    An id that is out of range would read another field's row. Calls and explanations
    check arrays themselves. Keras' `fit`, `evaluate` and `predict` check each batch
    within their compiled step. Where XLA compiles it, or another backend, they check arrays
    before, and of a `tf.data.Dataset` the first batch. A model that is traced by other
    code, as by `training.train`, which checks a prepared set before, or by an export,
    checks shapes and types alone.

    Labels are numbers from 0 to 1: those between are soft labels.
    """

    schema: Schema

    def check_inputs(self, inputs: Batch) -> None:
        """Raises an error if records do not follow the schema, as far as they have values yet.

        Raises:
            ValueError: As `Schema.check` does.
        """
        self.schema.check_kinds(inputs)
        present = {kind: inputs[kind] for kind in KINDS if kind in inputs}
        if all(map(_has_values, present.values())):
            self.schema.check(inputs)
        else:
            self.schema.check_form(inputs)

    def __call__(self, inputs: Batch, *args: Any, **kwargs: Any) -> Any:
        """Calls the model on records that follow the schema."""
        self.check_inputs(inputs)
        return super().__call__(inputs, *args, **kwargs)

    def fit(self, x: Any = None, y: Any = None, *args: Any, **kwargs: Any) -> Any:
        """Trains as `keras.Model.fit`; a wrong record is a ValueError.

        Warns of a loss or a metric that would take the model's logits for probabilities.
        """
        self._warn_of_probabilities()
        with self._saying_what_is_wrong(x, y):
            return super().fit(x, y, *args, **kwargs)

    def _warn_of_probabilities(self) -> None:
        # A `compile` of our own would be left out when Keras loads the model.
        metrics = getattr(getattr(self, "_compile_metrics", None), "_user_metrics", None)
        if taken := _of_probabilities([getattr(self, "loss", None), *keras.tree.flatten(metrics)]):
            warnings.warn(
                f"the model gives logits, which {', '.join(taken)} would take for probabilities: "
                f"use keras.losses.BinaryCrossentropy(from_logits=True), and "
                f"keras.metrics.AUC(from_logits=True)",
                stacklevel=3,
            )

    def evaluate(self, x: Any = None, y: Any = None, *args: Any, **kwargs: Any) -> Any:
        """Evaluates as `keras.Model.evaluate`; a wrong record is a ValueError."""
        with self._saying_what_is_wrong(x, y):
            return super().evaluate(x, y, *args, **kwargs)

    def predict(self, x: Any, *args: Any, **kwargs: Any) -> Any:
        """Predicts as `keras.Model.predict`; a wrong record is a ValueError."""
        with self._saying_what_is_wrong(x):
            return super().predict(x, *args, **kwargs)

    def train_on_batch(self, x: Any, y: Any = None, *args: Any, **kwargs: Any) -> Any:
        """Trains as `keras.Model.train_on_batch`; a wrong record is a ValueError."""
        with self._saying_what_is_wrong(x, y):
            return super().train_on_batch(x, y, *args, **kwargs)

    def test_on_batch(self, x: Any, y: Any = None, *args: Any, **kwargs: Any) -> Any:
        """Evaluates as `keras.Model.test_on_batch`; a wrong record is a ValueError."""
        with self._saying_what_is_wrong(x, y):
            return super().test_on_batch(x, y, *args, **kwargs)

    def predict_on_batch(self, x: Any) -> Any:
        """Predicts as `keras.Model.predict_on_batch`; a wrong record is a ValueError."""
        with self._saying_what_is_wrong(x):
            return super().predict_on_batch(x)

    def train_step(self, *args: Any) -> Any:
        """Trains on a batch, for Keras' `fit`."""
        return super().train_step(*args[:-1], self._checked(args[-1]))

    def predict_step(self, *args: Any) -> Any:
        """Predicts for a batch, for Keras' `predict`."""
        with cpu_kernels():
            return super().predict_step(*args[:-1], self._checked(args[-1]))

    def test_step(self, *args: Any) -> Any:
        """Evaluates a batch, for Keras' `evaluate`."""
        with cpu_kernels():
            return super().test_step(*args[:-1], self._checked(args[-1]))

    def _checked(self, batch: Any) -> Any:
        """Returns a step's batch, which waits in the graph for its records' and labels' check."""
        if not self._steps_check:
            return batch
        import tensorflow as tf

        if tf.executing_eagerly():
            _check_values(self.schema, batch)
            return batch
        with tf.control_dependencies(_checks(self.schema, batch)):
            return tf.nest.map_structure(lambda x: x if x is None else tf.identity(x), batch)

    @property
    def _steps_check(self) -> bool:
        """Whether compiled steps can fail where records are wrong."""
        return keras.backend.backend() == "tensorflow" and not self.jit_compile

    @contextlib.contextmanager
    def _saying_what_is_wrong(self, x: Any, y: Any = None) -> Iterator[None]:
        """Makes one line of a step's error; what steps cannot check is checked before them."""
        if not self._steps_check:
            if hasattr(x, "as_numpy_iterator"):  # a data set of TensorFlow
                _check_values(self.schema, next(x.take(1).as_numpy_iterator()))
            elif isinstance(x, Mapping):
                _check_values(self.schema, (x, y))
        try:
            yield
        except Exception as error:
            if problem := _problem(str(error)):
                raise DataError(problem) from error
            raise


def _has_values(array: Any) -> bool:
    if isinstance(array, np.ndarray):
        return True
    if keras.backend.backend() != "tensorflow":
        return False
    import tensorflow as tf

    return tf.is_tensor(array) and hasattr(array, "numpy")


def _checks(schema: Schema, batch: Any) -> list[Any]:
    """Returns operations of TensorFlow that fail where records or labels are wrong."""
    import tensorflow as tf

    inputs, labels, _ = keras.utils.unpack_x_y_sample_weight(batch)
    schema.check_form(inputs)
    checks = []
    for kind, places in schema.columns.items():
        values = inputs[kind]  # (B, C), (B, N) or (B, L)
        fields = [schema.record_fields[place] for place in places]  # of each column
        if kind == NUMERICAL:
            values = tf.cast(values, tf.float32)
            may_be_missing = tf.constant([field.may_be_missing for field in fields])
            right = tf.math.is_finite(values) | (tf.math.is_nan(values) & may_be_missing)
            checks.append(_check(right, fields, "numbers", values))
            continue
        values = tf.cast(values, tf.int64)
        sizes = tf.constant([field.vocabulary_size for field in fields], tf.int64)
        lowest = PADDING if kind == MULTIVALUED else 0
        checks.append(_check((values >= lowest) & (values < sizes), fields, "ids", values))
        if kind == MULTIVALUED:
            same = tf.constant(np.equal(places[1:], places[:-1]))  # as the column before
            behind = same & (values[:, 1:] != PADDING) & (values[:, :-1] == PADDING)
            checks.append(_check(~behind, fields[1:], "padded", values[:, 1:]))
    if labels is not None:
        labels = tf.reshape(tf.cast(labels, tf.float32), (-1, 1))  # (B, 1)
        checks.append(_check((labels >= 0) & (labels <= 1), None, "labels", labels))
    return checks


def _check(right: Any, fields: Sequence[Field] | None, what: str, values: Any) -> Any:
    """Returns an operation that fails with the first value that is not right, and its field."""
    import tensorflow as tf

    first = tf.where(~right)[:1]  # (1, 2), (0, 2) where all are right
    names = tf.constant([field.name for field in fields] if fields else [""])
    sizes = tf.constant([field.vocabulary_size for field in fields] if fields else [0])
    column = first[:, 1]
    told = [tf.gather(names, column), what, tf.gather_nd(values, first), tf.gather(sizes, column)]
    return tf.debugging.Assert(tf.reduce_all(right), [_MARK, *told])


def _check_values(schema: Schema, batch: Any) -> None:
    """Raises an error if a batch with values has a wrong record or label."""
    inputs, labels, _ = keras.utils.unpack_x_y_sample_weight(batch)
    schema.check(inputs)
    if labels is not None:
        labels = np.asarray(labels, "float32")
        wrong = ~((labels >= 0) & (labels <= 1))
        if wrong.any():
            raise DataError(_wrong_label(f"{labels[wrong][0]:g}"))


def _problem(message: str) -> str:
    """Returns what TensorFlow's error about a failed check says, or `""` if it is another."""
    told = rf"\[{_MARK}\] \[(.*)\] \[(ids|padded|numbers|labels)\] \[(.*)\] \[(.*)\]"
    found = re.search(told, message)
    if found is None:
        return ""
    name, what, value, size = found.groups()
    return {
        "ids": f"field {name!r}: {wrong_id(value, size)}",
        "padded": f"field {name!r}: {id_behind_padding(value)}",
        "numbers": f"field {name!r}: {wrong_number(value)}",
        "labels": _wrong_label(value),
    }[what]


def _wrong_label(value: str) -> str:
    return f"a label is {value}; labels are 0 or 1, or between"
