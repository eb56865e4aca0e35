"""Records that a model is given are checked: of what compiled code cannot report, before it."""

import contextlib
import re
from collections.abc import Iterator, Mapping
from typing import Any

import keras
import numpy as np

from interhat_tf.errors import DataError
from interhat_tf.ops import cpu_kernels
from interhat_tf.schema import KINDS, MULTIVALUED, NUMERICAL, PADDING, Batch, Schema

_MARK = "interhat_tf found a wrong record"


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
        """Trains as `keras.Model.fit`; a wrong record is a ValueError."""
        with self._saying_what_is_wrong(x, y):
            return super().fit(x, y, *args, **kwargs)

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
        """Returns a step's batch, which waits in the graph for a check of its ids and labels."""
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
    if isinstance(array, (np.ndarray, list)):
        return True
    if keras.backend.backend() != "tensorflow":
        return False
    import tensorflow as tf

    return tf.is_tensor(array) and hasattr(array, "numpy")


def _checks(schema: Schema, batch: Any) -> list[Any]:
    """Returns operations of TensorFlow that fail where ids or labels are wrong."""
    import tensorflow as tf

    inputs, labels, _ = keras.utils.unpack_x_y_sample_weight(batch)
    schema.check_form(inputs)
    checks = []
    for kind, places in schema.columns.items():
        if kind == NUMERICAL:
            continue
        fields = [schema.record_fields[place] for place in places]  # of each column
        ids = tf.cast(inputs[kind], tf.int64)  # (B, C) or (B, L)
        sizes = [field.vocabulary_size for field in fields]
        lowest = PADDING if kind == MULTIVALUED else 0
        wrong = (ids < lowest) | (ids >= tf.constant(sizes, tf.int64))  # (B, C) or (B, L)
        column = tf.argmax(tf.reduce_any(wrong, axis=0))
        name = tf.constant([field.name for field in fields])[column]
        found = tf.where(wrong, ids, 0)[:, column]  # (B,)
        least, most = tf.reduce_min(found), tf.reduce_max(found)
        told = [name, "ids", least, most, tf.constant(sizes)[column]]
        checks.append(tf.debugging.Assert(tf.logical_not(tf.reduce_any(wrong)), [_MARK, *told]))
    if labels is not None:
        labels = tf.cast(labels, tf.float32)
        right = tf.reduce_all((labels >= 0) & (labels <= 1))
        told = ["", "labels", tf.reduce_min(labels), tf.reduce_max(labels), 1]
        checks.append(tf.debugging.Assert(right, [_MARK, *told]))
    return checks


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
    told = rf"\[{_MARK}\] \[(.*)\] \[(ids|labels)\] \[(.*)\] \[(.*)\] \[(.*)\]"
    found = re.search(told, message)
    if found is None:
        return ""
    name, what, least, most, size = found.groups()
    value = least if least.startswith("-") else most
    if what == "labels":
        return _wrong_label(value)
    return f"field {name!r}: id {value} is outside the vocabulary [0, {size})"


def _wrong_label(value: str) -> str:
    return f"a label is {value}; labels are 0 or 1, or between"
