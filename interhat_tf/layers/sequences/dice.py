"""Dice, the activation of DIN that adapts to the data."""

from collections.abc import Callable
from typing import Any

import keras
from keras import ops

from interhat_tf.layers.batch_normalization import BatchNormalization
from interhat_tf.ops import Shape, Tensor, dice
from interhat_tf.utils.config import Activation, ConfigFromSignature, Regularizer

DICE = "dice"
"""Name of `Dice` where an activation is asked for."""


@keras.saving.register_keras_serializable("interhat_tf")
class Dice(ConfigFromSignature):
    """Passes a unit on, or alpha times it, by where it stands in its batch (Zhou et al. 2018).

        f(s) = p(s) s + (1 - p(s)) alpha s
        p(s) = 1 / (1 + exp(-(s - E[s]) / sqrt(Var[s] + 1e-8)))   (DIN, Section 5.2)

    It is a PReLU whose step is smooth, and stands at the units' mean instead of at 0.
    Mean and variance are a batch's in training, and moving averages of them otherwise.
    Each unit has a trained alpha, 0 at first.

    Args:
        alpha_regularizer: Regularizer of alpha. Defaults to `None`.
        **kwargs: Arguments of `keras.layers.Layer`.

    Call arguments:
        inputs: The units s, (..., n).
        present: Which of them count in the statistics, booleans of shape (...). Defaults
            to `None`: all.
        training: Whether batch statistics are used.

    Returns:
        f(s), (..., n).

    Example:

    >>> Dice()(ops.array([[0.0, 2.0]])).numpy().round(2)  # p(0) 0 and p(2) 2, the mean being 0
    array([[0.  , 1.76]], dtype=float32)
    """

    def __init__(self, *, alpha_regularizer: Regularizer = None, **kwargs: Any):
        super().__init__(**kwargs)
        self.alpha_regularizer = keras.regularizers.get(alpha_regularizer)

    def build(self, inputs_shape: Shape, present_shape: Shape | None = None) -> None:
        """Creates alpha, (n,), and the moving statistics."""
        self.alpha = self.add_weight(
            name="alpha",
            shape=inputs_shape[-1:],
            initializer="zeros",
            regularizer=self.alpha_regularizer,
        )
        self.normalization = BatchNormalization(
            center=False, scale=False, epsilon=1e-8, dtype=self.dtype_policy, name="normalization"
        )
        self.normalization.build(inputs_shape)
        self.built = True

    def call(self, inputs: Tensor, present: Tensor | None = None, training: bool = False) -> Tensor:
        """Returns f(s), (..., n)."""
        if not (training and self.trainable):
            p = ops.sigmoid(self.normalization(inputs))  # (..., n)
            return inputs * (self.alpha + (1 - self.alpha) * p)  # (..., n)
        units = ops.cast(inputs, "float32")  # as batch normalisation does
        if present is None:
            present = ops.ones(ops.shape(units)[:-1], "bool")  # (...)
        normalization = self.normalization
        outputs, mean, variance = dice(
            ops.reshape(units, (-1, units.shape[-1])),  # (N, n)
            ops.cast(self.alpha, "float32"),
            ops.reshape(present, (-1,)),  # (N,)
            (normalization.moving_mean, normalization.moving_variance),
            normalization.epsilon,
        )
        normalization.move_towards(mean, variance)
        return ops.cast(ops.reshape(outputs, ops.shape(inputs)), self.compute_dtype)  # (..., n)

    def compute_output_shape(
        self, inputs_shape: Shape, present_shape: Shape | None = None
    ) -> Shape:
        """Returns the inputs' shape."""
        return inputs_shape


def activation_of(
    activation: Activation, regularizer: Regularizer, dtype: Any, name: str
) -> Dice | Callable:
    """Returns a new `Dice` for `"dice"`, and of another activation its function."""
    if activation == DICE:
        return Dice(alpha_regularizer=regularizer, dtype=dtype, name=name)
    return keras.activations.get(activation)


def activate(
    activation: Dice | Callable, inputs: Tensor, present: Tensor | None, training: bool
) -> Tensor:
    """Returns an activation of units, those that are not present aside; see `Dice`."""
    if isinstance(activation, Dice):
        return activation(inputs, present=present, training=training)
    return activation(inputs)
