"""AUGRU, the recurrence of DIEN whose update gate attends."""

from typing import Any

import keras
from keras import ops

from interhat_tf.ops import Shape, Tensor, augru
from interhat_tf.utils.config import ConfigFromSignature, Regularizer


@keras.saving.register_keras_serializable("interhat_tf")
class AUGRU(ConfigFromSignature):
    """A GRU with an attentional update gate (DIEN, Zhou et al. 2019).

        u_t = sigmoid(W_u i_t + U_u h_{t-1} + b_u)
        r_t = sigmoid(W_r i_t + U_r h_{t-1} + b_r)
        c_t = tanh(W_h i_t + r_t * (U_h h_{t-1}) + b_h)
        u'_t = a_t u_t
        h_t = (1 - u'_t) * h_{t-1} + u'_t * c_t

    What has little to do with the candidate, a_t near 0, moves the state little. An a_t of
    0 leaves it exactly as it is, so that padding is masked by a weight of 0, and with a
    weight of 1 for all values the layer is DIEN's plain GRU. That of Keras computes the
    same, slower on a CPU if it has a mask. The state is 0 before the first value.

    Args:
        units: Width n of the state.
        kernel_regularizer: Regularizer of W, U and b. Defaults to `None`.
        **kwargs: Arguments of `keras.layers.Layer`.

    Call arguments:
        inputs: The sequence i_t, oldest first, (B, L, d).
        weights: The attention a_t, 0 where there is no value, (B, L).
        training: Whether the model is being trained.

    Returns:
        The states h_t, (B, L, n); the last one is the state after all values.

    Example:

    >>> states = AUGRU(5)(ops.ones((2, 3, 8)), ops.array([[1.0, 0.5, 0.0], [0.0, 0.0, 0.0]]))
    >>> states.shape, bool(ops.all(states[0, 1] == states[0, 2])), states[1, 2].numpy().tolist()
    (TensorShape([2, 3, 5]), True, [0.0, 0.0, 0.0, 0.0, 0.0])
    """

    def __init__(self, units: int, *, kernel_regularizer: Regularizer = None, **kwargs: Any):
        super().__init__(**kwargs)
        self.units = int(units)
        self.kernel_regularizer = keras.regularizers.get(kernel_regularizer)

    def build(self, inputs_shape: Shape, weights_shape: Shape | None = None) -> None:
        """Creates [W_u, W_r, W_h], (d, 3 n), [U_u, U_r, U_h], (n, 3 n), and b, (3 n,)."""
        self.kernel, self.recurrent_kernel, self.bias = (
            self.add_weight(
                name=name, shape=shape, initializer=initializer, regularizer=self.kernel_regularizer
            )
            for name, shape, initializer in (
                ("kernel", (inputs_shape[-1], 3 * self.units), "glorot_uniform"),
                ("recurrent_kernel", (self.units, 3 * self.units), "orthogonal"),
                ("bias", (3 * self.units,), "zeros"),
            )
        )
        self.built = True

    def call(self, inputs: Tensor, weights: Tensor, training: bool = False) -> Tensor:
        """Returns the states, (B, L, n)."""
        weights = ops.cast(weights, inputs.dtype)  # (B, L)
        kernel, recurrent_kernel, bias = map(
            ops.convert_to_tensor, (self.kernel, self.recurrent_kernel, self.bias)
        )
        return augru(inputs, weights, kernel, recurrent_kernel, bias, training)

    def compute_output_shape(
        self, inputs_shape: Shape, weights_shape: Shape | None = None
    ) -> Shape:
        """Returns (B, L, n)."""
        return (*inputs_shape[:2], self.units)
