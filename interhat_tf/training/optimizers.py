"""Adam that treats repeated ids correctly: exact, and lazy for large vocabularies."""

import contextlib
import dataclasses
import re
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

import keras

from interhat_tf.errors import SettingError
from interhat_tf.training.table_sharding import TABLES

if TYPE_CHECKING:
    from interhat_tf.training.averaged_weights import AveragedWeights


def table_penalties(model: keras.Model) -> dict[str, float]:
    """Returns the strengths of the L2 penalties of a model's tables, for `Adam(table_l2=...)`.

    Args:
        model: The model.

    Example:

    >>> from interhat_tf import Field, InterHAt, Schema
    >>> schema = Schema([Field("app", "categorical", 9)])
    >>> table_penalties(InterHAt(schema, embedding_l2=1e-4, name="model"))
    {'model/embedding/table': 0.0001}
    """
    return {
        variable.path: float(variable.regularizer.l2)
        for variable in model.trainable_variables
        if re.fullmatch(TABLES, variable.path)
        and isinstance(variable.regularizer, keras.regularizers.L2)
    }


@keras.saving.register_keras_serializable("interhat_tf")
class Adam(keras.optimizers.Adam):
    """Adam whose embedding gradients are summed over repeated ids first.

    On TensorFlow, an embedding's gradient is a list of rows that holds an id as
    often as the batch does. Keras' own Adam squares each of these
    rows for the second moment, so that it gets the sum of the squares instead
    of the square of the sum, and takes far too large steps on frequent ids.
    Here the rows of an id are summed before anything else, and all rows of the
    table decay at every step: the algorithm of Kingma and Ba, as a dense
    gradient would give it.

    Args:
        learning_rate: Step size. Defaults to 0.001.
        beta_1: Decay of the first moment. Defaults to 0.9.
        beta_2: Decay of the second moment. Defaults to 0.999; the authors'
            released code has 0.98.
        epsilon: Term added to the root of the second moment. Defaults to 1e-8.
        table_l2: Strength l of a penalty `l * sum(w**2)` by variable path, as
            `table_penalties` returns it, that is in no gradient. It costs less
            here, where every row of a table is at hand; a gradient would have
            to hold all rows. Defaults to none.
        **kwargs: Other arguments of `keras.optimizers.Adam`.

    Attributes:
        penalty_scale: What those strengths are multiplied by in steps that are traced from
            now on. 1 at first.

    Raises:
        ValueError: If `table_l2` names a variable that is not among those of
            `build`.

    Example:

    >>> Adam(learning_rate=1e-2, beta_2=0.98).get_config()["epsilon"]
    1e-08
    """

    def __init__(
        self,
        learning_rate: Any = 1e-3,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        epsilon: float = 1e-8,
        table_l2: Mapping[str, float] | None = None,
        **kwargs: Any,
    ):
        super().__init__(learning_rate, beta_1=beta_1, beta_2=beta_2, epsilon=epsilon, **kwargs)
        self.table_l2 = dict(table_l2 or {})
        self.penalty_scale = 1.0
        self._along: _Along | None = None

    def build(self, variables: list[keras.Variable]) -> None:
        """Creates the moments, and finds the variables of `table_l2`."""
        super().build(variables)
        strengths = dict(self.table_l2)
        self._l2 = {self._var_key(v): strengths.pop(v.path, 0.0) for v in variables}
        if strengths:
            raise SettingError(f"table_l2 names no variable of the model: {', '.join(strengths)}")

    def get_config(self) -> dict[str, Any]:
        """Returns the optimizer's arguments."""
        return {**super().get_config(), "table_l2": dict(self.table_l2)}

    def apply(self, grads: list[Any], trainable_variables: list | None = None) -> None:
        """Updates the variables; a gradient given as rows is summed by id first.

        Args:
            grads: Gradients of the variables.
            trainable_variables: The variables. Defaults to those of `build`.
        """
        # Otherwise the rows are summed in `update_step`, after those of all devices are there.
        if self._needs_whole_gradients:
            variables = trainable_variables or self._trainable_variables
            if not self.built:
                self.build(variables)
            grads = [self._whole(g, v) for g, v in zip(grads, variables, strict=True)]
        super().apply(grads, trainable_variables)

    def update_step(self, gradient: Any, variable: Any, learning_rate: Any) -> None:
        """Updates a variable and its moments, on TensorFlow in one pass over them."""
        if keras.backend.backend() != "tensorflow" or self.amsgrad:
            super().update_step(self._once_whole(gradient, variable), variable, learning_rate)
            return
        import tensorflow as tf

        from interhat_tf import kernels

        index = self._get_variable_index(variable)
        moments = self._momentums[index].value, self._velocities[index].value
        step = tf.cast(self.iterations + 1, variable.dtype)
        powers = self.beta_1**step, self.beta_2**step
        rows = isinstance(gradient, tf.IndexedSlices)
        if rows and variable.dtype == "float32" and kernels.are_usable():
            kernels.table_adam(
                variable,
                *moments,
                tf.cast(learning_rate, variable.dtype) * tf.sqrt(1 - powers[1]) / (1 - powers[0]),
                gradient,
                beta_1=self.beta_1,
                beta_2=self.beta_2,
                epsilon=self.epsilon,
                l2=self._strength(variable),
                **self._taken_along(variable),
            )
            return
        numbers = {
            "beta1_power": powers[0],
            "beta2_power": powers[1],
            "lr": learning_rate,
            "beta1": self.beta_1,
            "beta2": self.beta_2,
            "epsilon": self.epsilon,
            "grad": self._once_whole(gradient, variable),
        }
        tf.raw_ops.ResourceApplyAdam(
            var=variable.handle,
            m=moments[0].handle,
            v=moments[1].handle,
            **{name: tf.cast(number, variable.dtype) for name, number in numbers.items()},
        )

    @contextlib.contextmanager
    def taking_along(self, averaged: "AveragedWeights", moved: set[str]) -> Iterator[None]:
        """Has steps that are traced inside move averages of tables in the same pass as the tables.

        Args:
            averaged: The averages.
            moved: To it the paths of those tables are added.
        """
        self._along = _Along(averaged, moved)
        try:
            yield
        finally:
            self._along = None

    def _taken_along(self, variable):
        """Returns a table's average and its share in it, as `kernels.table_adam` takes them."""
        if self._along is None:
            return {}
        averaged = self._along.averaged
        paths = {self._var_key(weight): weight.path for weight in averaged.weights}
        path = paths[self._var_key(variable)]
        if path not in averaged.averages:  # it is a lazy one
            return {}
        self._along.moved.add(path)
        share = averaged.share(self.iterations + 1)
        return {"average": averaged.averages[path], "share": share}

    @property
    def _needs_whole_gradients(self):
        return any(getattr(self, name) for name in _OF_WHOLE_GRADIENTS)

    def _once_whole(self, gradient, variable):
        """Returns the whole gradient of a variable, unless `apply` made it so already."""
        return gradient if self._needs_whole_gradients else self._whole(gradient, variable)

    def _whole(self, gradient, variable):
        """Returns the gradient of all of a variable, with that of its penalty."""
        if keras.backend.backend() == "tensorflow":
            import tensorflow as tf

            if isinstance(gradient, tf.IndexedSlices):
                gradient = tf.convert_to_tensor(gradient)
        strength = self._strength(variable) * (self.loss_scale_factor or 1.0)
        return gradient + 2 * strength * variable if strength else gradient

    def _strength(self, variable):
        return self._l2[self._var_key(variable)] * self.penalty_scale


@dataclasses.dataclass
class _Along:
    """Averages that tables take along, and the paths of those that did: Keras would copy a set."""

    averaged: "AveragedWeights"
    moved: set[str]


_OF_WHOLE_GRADIENTS = (
    "clipnorm",
    "clipvalue",
    "global_clipnorm",
    "gradient_accumulation_steps",
    "loss_scale_factor",
)


@keras.saving.register_keras_serializable("interhat_tf")
class LazyAdam(keras.optimizers.Adam):
    """Adam that touches only those rows of an embedding table that the batch holds.

    A step then costs the same however large the vocabularies are. It is another
    algorithm than `Adam`: a row that the batch does not hold keeps its moments
    and its value, where `Adam` lets the moments decay and moves the row by what
    is left of them. The gradients of an id that a batch holds several
    times are summed first, and the step's number in the corrections of the
    moments' bias counts all steps, as for `Adam`. Where every row is in every
    batch, the two are the same.

    A penalty on the whole table, such as `embedding_l2`, gives every row a
    gradient; the table is then updated as by `Adam`.

    Args:
        learning_rate: Step size. Defaults to 0.001.
        beta_1: Decay of the first moment. Defaults to 0.9.
        beta_2: Decay of the second moment. Defaults to 0.999.
        epsilon: Term added to the root of the second moment. Defaults to 1e-8.
        **kwargs: `name`, and other arguments of `keras.optimizers.Adam` that do
            not concern all rows.

    Raises:
        ValueError: If the backend is not TensorFlow, whose gradients alone tell
            which rows a batch holds, or an argument concerns all rows.

    Example:

    >>> LazyAdam(learning_rate=1e-2, beta_2=0.98).get_config()["beta_2"]
    0.98
    """

    def __init__(
        self,
        learning_rate: Any = 1e-3,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        epsilon: float = 1e-8,
        **kwargs: Any,
    ):
        if keras.backend.backend() != "tensorflow":
            raise SettingError("LazyAdam needs Keras' TensorFlow backend; use Adam")
        if refused := sorted(name for name in _OF_ALL_ROWS if kwargs.get(name)):
            raise SettingError(
                f"LazyAdam cannot take {', '.join(refused)}, which concern all rows; use Adam"
            )
        super().__init__(learning_rate, beta_1=beta_1, beta_2=beta_2, epsilon=epsilon, **kwargs)

    def build(self, variables: list[keras.Variable]) -> None:
        """Creates the moments, and room to find the repeated ids of a batch."""
        import tensorflow as tf

        super().build(variables)
        self._last_positions = [
            tf.Variable(tf.zeros(variable.shape[:1], "int32"), trainable=False)
            for variable in variables
        ]

    def update_step(self, gradient: Any, variable: Any, learning_rate: Any) -> None:
        """Updates a variable, or the rows of it that the gradient holds."""
        import tensorflow as tf

        if not isinstance(gradient, tf.IndexedSlices):
            super().update_step(gradient, variable, learning_rate)
            return
        index = self._get_variable_index(variable)
        first, second = self._momentums[index].value, self._velocities[index].value
        ids = gradient.indices  # (n,)
        positions = tf.range(tf.size(ids))  # (n,)
        # All positions of an id agree on one of them, whichever was written last. Unlike a list
        # of the different ids this has a shape that is known, so that XLA compiles it.
        last_position = self._last_positions[index]
        last_position.scatter_update(tf.IndexedSlices(positions, ids))
        shared = tf.gather(last_position, ids)  # (n,)
        sums = tf.math.unsorted_segment_sum(gradient.values, shared, tf.size(ids))  # (n, ...)
        sums = tf.gather(sums, shared)  # (n, ...)
        # Positions of one id write the same row, each of them.
        moment = tf.gather(first, ids)
        moment += (1 - self.beta_1) * (sums - moment)
        square = tf.gather(second, ids)
        square += (1 - self.beta_2) * (tf.square(sums) - square)
        step = tf.cast(self.iterations + 1, variable.dtype)
        rate = tf.cast(learning_rate, variable.dtype)
        rate *= tf.sqrt(1 - tf.pow(self.beta_2, step)) / (1 - tf.pow(self.beta_1, step))
        rows = tf.gather(variable, ids) - rate * moment / (tf.sqrt(square) + self.epsilon)
        for table, values in ((first, moment), (second, square), (variable, rows)):
            table.scatter_update(tf.IndexedSlices(values, ids))


_OF_ALL_ROWS = (*_OF_WHOLE_GRADIENTS, "weight_decay", "use_ema", "amsgrad")
