"""The activation unit of DIN: what of a history counts for a candidate."""

from collections.abc import Sequence
from typing import Any

import keras
from keras import ops

from interhat_tf.errors import SettingError
from interhat_tf.layers.attentional_aggregation import softmax_of_present
from interhat_tf.layers.dense import built_dense
from interhat_tf.layers.sequences.dice import DICE, Dice, activate, activation_of
from interhat_tf.ops import Shape, Tensor
from interhat_tf.utils.config import Activation, ConfigFromSignature, Regularizer


@keras.saving.register_keras_serializable("interhat_tf")
class ActivationUnit(ConfigFromSignature):
    """Sums a history's vectors, each weighted by the candidate (Zhou et al. 2018, Section 4.3).

        v(t) = sum_j a(e_j, t) e_j
        a(e, t) = w^T act(W_2 act(W_1 [e; t; e - t; e * t] + b_1) + b_2) + b

    This is DIN's. The weights a are not normalised, as in the paper: their sum says how strong
    an interest is. With `softmax`, as in the authors' code, they sum to 1. Figure 2 has an
    "out product" of e and t beside the two; as in the authors' code, that is their
    difference and their product, number by number.

    With W_1 = [W_e, W_t, W_d, W_p] for the four parts, what W_1 gives is

        (W_e + W_d + W_p diag(t)) e + (W_t - W_d) t

    so that a record has one matrix and one vector for all values of its history, and the
    four parts are never put side by side.

    Args:
        units: Widths of the hidden layers. Defaults to `(36,)`, Figure 2's; the authors'
            code has `(80, 40)`.
        activation: Activation act; `"dice"` is `Dice`. Defaults to `"dice"`, Figure 2's; the
            authors' code has `"sigmoid"`.
        softmax: Whether the weights sum to 1. Defaults to `False`.
        kernel_regularizer: Regularizer of all weights. Defaults to `None`.
        **kwargs: Arguments of `keras.layers.Layer`.

    Call arguments:
        inputs: The history's vectors e_j, (B, L, d).
        target: The candidate's vector t, (B, d).
        present: Which of the L are values; the others change nothing, also no statistics,
            (B, L) booleans.
        training: Whether `Dice` uses batch statistics.

    Returns:
        v, (B, d), which is 0 where there is no value, and the weights a, (B, L), 0 where
        there is no value.

    Example:

    >>> history, target = ops.ones((2, 3, 8)), ops.ones((2, 8))
    >>> present = ops.array([[True, True, False], [False, False, False]])
    >>> interest, weights = ActivationUnit(softmax=True)(history, target, present)
    >>> interest.shape, weights.numpy().tolist()
    (TensorShape([2, 8]), [[0.5, 0.5, 0.0], [0.0, 0.0, 0.0]])
    """

    def __init__(
        self,
        units: Sequence[int] = (36,),
        *,
        activation: Activation = DICE,
        softmax: bool = False,
        kernel_regularizer: Regularizer = None,
        **kwargs: Any,
    ):
        super().__init__(**kwargs)
        self.units = tuple(int(width) for width in units)
        if not self.units:
            raise SettingError("an ActivationUnit needs at least one hidden layer, got no units")
        self.softmax = softmax
        self.kernel_regularizer = keras.regularizers.get(kernel_regularizer)
        self.activations = [
            activation_of(activation, kernel_regularizer, self.dtype_policy, f"activation_{i}")
            for i in range(1, len(self.units) + 1)
        ]

    def build(
        self, inputs_shape: Shape, target_shape: Shape | None = None, present_shape: Any = None
    ) -> None:
        """Creates the weights for histories of shape (B, L, d); W_1 is (4 d, units[0])."""
        _, length, dim = inputs_shape
        width = 4 * dim
        names = [f"hidden_{i}" for i in range(1, len(self.units) + 1)]
        self.layers = []
        for name, units in zip([*names, "score"], [*self.units, 1], strict=True):
            self.layers.append(built_dense(self, name, units, (None, length, width)))
            width = units
        for activation, units in zip(self.activations, self.units, strict=True):
            if isinstance(activation, Dice):
                activation.build((None, length, units))
        self.built = True

    def call(
        self, inputs: Tensor, target: Tensor, present: Tensor, training: bool = False
    ) -> tuple[Tensor, Tensor]:
        """Returns v, (B, d), and the weights a, (B, L)."""
        hidden = self._first(inputs, target)  # (B, L, units[0])
        hidden = activate(self.activations[0], hidden, present, training)
        for dense, activation in zip(self.layers[1:-1], self.activations[1:], strict=True):
            hidden = activate(activation, dense(hidden), present, training)  # (B, L, units[i])
        scores = ops.squeeze(self.layers[-1](hidden), -1)  # (B, L)
        if self.softmax:
            weights = softmax_of_present(scores, present)  # (B, L)
        else:
            weights = ops.where(present, scores, ops.zeros_like(scores))  # (B, L)
        pooled = ops.matmul(ops.expand_dims(weights, 1), inputs)  # (B, 1, d)
        return ops.squeeze(pooled, 1), weights

    def _first(self, inputs: Tensor, target: Tensor) -> Tensor:
        """Returns W_1 [e; t; e - t; e * t] + b_1, (B, L, units[0])."""
        kernel = ops.convert_to_tensor(self.layers[0].kernel)  # (4 d, units[0])
        of_value, of_target, of_difference, of_product = ops.split(kernel, 4)  # (d, units[0])
        matrix = (
            of_value + of_difference + ops.expand_dims(target, -1) * of_product
        )  # (B, d, units)
        vector = ops.matmul(target, of_target - of_difference) + self.layers[0].bias  # (B, units)
        return ops.matmul(inputs, matrix) + ops.expand_dims(vector, 1)  # (B, L, units[0])

    def compute_output_shape(
        self, inputs_shape: Shape, target_shape: Shape | None = None, present_shape: Any = None
    ) -> tuple[Shape, Shape]:
        """Returns the shapes of v and of the weights."""
        batch, length, dim = inputs_shape
        return (batch, dim), (batch, length)
