"""Field-aware values: what an attentional aggregation sums up, each field by its own matrix."""

import keras
from keras import ops

from interhat_tf.layers.values import Values
from interhat_tf.ops import Shape, Tensor


@keras.saving.register_keras_serializable("interhat_tf")
class FieldAwareValues(Values):
    """Sums up the fields of a record by given weights, each through its own matrix.

        o = sum_j alpha_j V_j x_j

    With equal weights this is the first layer of an MLP on concatenated
    embeddings, which is a sum over fields as well: it tells the fields apart,
    where sum_j alpha_j x_j does not.

    The matrices are one kernel V of m * d rows, those of field 1 first, and are
    initialised as one.

    Args:
        units: Size d' of the values.
        kernel_regularizer: Regularizer of V. Defaults to `None`.
        **kwargs: Arguments of `keras.layers.Layer`.

    Call arguments:
        inputs: The fields x_j, (B, m, d).
        weights: The weights alpha, (B, m) or (1, m). Defaults to `None`: the fields are
            weighted already.

    Returns:
        o, (B, d').

    Raises:
        ValueError: If `units` is not positive.

    Example:

    >>> alpha = keras.ops.full((4, 3), 1 / 3)
    >>> FieldAwareValues(units=16)(keras.ops.ones((4, 3, 8)), alpha).shape
    TensorShape([4, 16])
    """

    def build(self, inputs_shape: Shape, weights_shape: Shape | None = None) -> None:
        """Creates V, (m * d, d'), for inputs of shape (B, m, d)."""
        _, self.count, self.dim = inputs_shape
        self.kernel = self._make_kernel(self.count * self.dim)
        self.built = True

    def call(self, inputs: Tensor, weights: Tensor | None = None) -> Tensor:
        """Returns o, (B, d')."""
        return self.sum(inputs if weights is None else ops.expand_dims(weights, -1) * inputs)

    def sum(self, terms: Tensor) -> Tensor:
        """Returns sum_j V_j t_j, (B, d'), of terms t, (B, m, d)."""
        flat = ops.reshape(terms, (-1, self.count * self.dim))  # (B, m * d)
        return ops.matmul(flat, self.kernel)  # (B, d')

    def transposed(self, values: Tensor) -> Tensor:
        """Returns V_j^T y for each field, (B, m, d), of vectors y, (B, d')."""
        flat = ops.matmul(values, ops.transpose(self.kernel))  # (B, m * d)
        return ops.reshape(flat, (-1, self.count, self.dim))  # (B, m, d)
