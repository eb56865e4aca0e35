"""Values of pairs: what the second order sums up beside its field-aware values."""

import keras
import numpy as np
from keras import ops

from interhat_tf.errors import SettingError
from interhat_tf.layers.values import Values
from interhat_tf.ops import Shape, Tensor, inner_products, of_pairs


@keras.saving.register_keras_serializable("interhat_tf")
class PairValues(Values):
    """Sums up the pairs of a record's fields by the weights of both, each through its own vector.

        o = sum_{j < l} (alpha_j + alpha_l) <x_j, x_l> w_jl

    A product of vectors, as the cross of orders has it, tells an MLP of d numbers that two
    values go together; an inner product (Qu et al., ICDM 2016, give an MLP those of all
    pairs) tells it in one number, and w_jl tells the pairs apart. A pair counts as much as
    attention gives its fields; the part alpha_j is field j's.

    The kernel W has a row a pair, (1, 2), (1, 3), ..., (2, 3), ...

    Args:
        units: Size d' of the values.
        kernel_regularizer: Regularizer of W. Defaults to `None`.
        **kwargs: Arguments of `keras.layers.Layer`.

    Call arguments:
        inputs: The fields x_j, (B, m, d), at least two.
        weights: The weights alpha, (B, m) or (1, m).
        training: Whether the model is being trained. Defaults to `False`.

    Returns:
        o, (B, d').

    Raises:
        ValueError: If `units` is not positive, or there is one field alone.

    Example:

    >>> alpha = keras.ops.full((4, 3), 1 / 3)
    >>> PairValues(units=16)(keras.ops.ones((4, 3, 8)), alpha).shape
    TensorShape([4, 16])
    """

    def build(self, inputs_shape: Shape, weights_shape: Shape | None = None) -> None:
        """Creates W, (m (m - 1) / 2, d'), for inputs of shape (B, m, d)."""
        count = inputs_shape[1]
        if count < 2:
            raise SettingError("values of pairs need two fields at least")
        pairs = count * (count - 1) // 2
        # Each pair's row of W, in both directions; a field has none with itself.
        self.rows = np.full((count, count), pairs, "int32")  # (m, m)
        self.rows[np.triu_indices(count, k=1)] = np.arange(pairs)
        self.rows = np.minimum(self.rows, self.rows.T)
        self.kernel = self._make_kernel(pairs)
        self.built = True

    def call(self, inputs: Tensor, weights: Tensor, training: bool = False) -> Tensor:
        """Returns o, (B, d')."""
        return ops.matmul(inner_products(inputs, weights, training), self.kernel)

    def terms(self, inputs: Tensor, weights: Tensor) -> Tensor:
        """Returns alpha_j <x_j, x_l>, (B, m, m); its diagonal counts for nothing."""
        products = ops.matmul(inputs, ops.transpose(inputs, (0, 2, 1)))  # (B, m, m)
        return ops.expand_dims(weights, -1) * products

    def sum(self, terms: Tensor) -> Tensor:
        """Returns sum_{j < l} (t_jl + t_lj) w_jl, (B, d'), of terms t, (B, m, m)."""
        return ops.matmul(of_pairs(terms + ops.transpose(terms, (0, 2, 1))), self.kernel)

    def transposed(self, values: Tensor) -> Tensor:
        """Returns w_jl^T y for each pair, (B, m, m) with a diagonal of 0, of vectors y, (B, d')."""
        products = ops.matmul(values, ops.transpose(self.kernel))  # (B, m (m - 1) / 2)
        padded = ops.pad(products, ((0, 0), (0, 1)))
        return ops.take(padded, self.rows, axis=1)
