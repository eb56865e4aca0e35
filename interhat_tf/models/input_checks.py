"""Records that a model is given are checked: of what compiled code cannot report, before it."""

import contextlib
import re
from collections.abc import Iterator
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
    within their compiled step, but not where XLA compiles it. A model that is traced by
    other code, as by `training.train`, which checks a prepared set before, or by an
    export, checks shapes and types alone.

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

    def fit(self, *args: Any, **kwargs: Any) -> Any:
        """Trains as `keras.Model.fit`; a wrong record is a ValueError."""
        with _saying_what_is_wrong():
            return super().fit(*args, **kwargs)

    def evaluate(self, *args: Any, **kwargs: Any) -> Any:
        """Evaluates as `keras.Model.evaluate`; a wrong record is a ValueError."""
        with _saying_what_is_wrong():
            return super().evaluate(*args, **kwargs)

    def predict(self, *args: Any, **kwargs: Any) -> Any:
        """Predicts as `keras.Model.predict`; a wrong record is a ValueError."""
        with _saying_what_is_wrong():
            return super().predict(*args, **kwargs)

    def predict_on_batch(self, *args: Any, **kwargs: Any) -> Any:
        """Predicts as `keras.Model.predict_on_batch`; a wrong record is a ValueError."""
        with _saying_what_is_wrong():
            return super().predict_on_batch(*args, **kwargs)

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
        if keras.backend.backend() != "tensorflow" or self.jit_compile:
            return batch
        import tensorflow as tf

        with tf.control_dependencies(_checks(self.schema, batch)):
            return tf.nest.map_structure(lambda x: x if x is None else tf.identity(x), batch)


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


@contextlib.contextmanager
def _saying_what_is_wrong() -> Iterator[None]:
    """Makes one line of TensorFlow's error about a failed check."""
    try:
        yield
    except Exception as error:
        told = rf"\[{_MARK}\] \[(.*)\] \[(ids|labels)\] \[(.*)\] \[(.*)\] \[(.*)\]"
        found = re.search(told, str(error))
        if found is None:
            raise
        name, what, least, most, size = found.groups()
        value = least if least.startswith("-") else most
        raise DataError(
            f"field {name!r}: id {value} is outside the vocabulary [0, {size})"
            if what == "ids"
            else f"a label is {value}; labels are 0 or 1, or between"
        ) from error
