"""The products of all groups of a number of fields, added up."""

from typing import Any

import keras
from keras import ops

from interhat_tf.errors import SettingError
from interhat_tf.ops import Shape, Tensor
from interhat_tf.utils.config import ConfigFromSignature


@keras.saving.register_keras_serializable("interhat_tf")
class SymmetricPolynomial(ConfigFromSignature):
    """Adds up the element-wise products of all groups of i fields.

        e_i = sum_{j_1 < ... < j_i} x_{j_1} * ... * x_{j_i}

    It is the elementary symmetric polynomial, computed by Newton's identities from
    the power sums p_n = sum_j x_j^n, in O(i m d) instead of O(m^i d):

        e_n = 1/n sum_{l=1}^n (-1)^(l-1) e_{n-l} p_l,  e_0 = 1

    These are differences of larger sums: a model that computes in half precision
    should still give this layer `dtype="float32"`. The layer has no weights.

    Args:
        degree: Number i of fields in a group, at least 1.
        **kwargs: Arguments of `keras.layers.Layer`.

    Call arguments:
        inputs: X, (B, m, d).

    Returns:
        e_i, (B, d).

    Raises:
        ValueError: If `degree` is less than 1.

    Example:

    >>> SymmetricPolynomial(2)(ops.array([[[1.0], [2.0], [3.0]]])).numpy().tolist()  # 2 + 3 + 6
    [[11.0]]
    """

    def __init__(self, degree: int, **kwargs: Any):
        super().__init__(**kwargs)
        self.degree = int(degree)
        if self.degree < 1:
            raise SettingError(f"degree, the size of a group of fields, must be >= 1, got {degree}")

    def call(self, inputs: Tensor) -> Tensor:
        """Returns e_i, (B, d)."""
        powers, sums, polynomials = inputs, [], []
        for n in range(1, self.degree + 1):
            sums.append(ops.sum(powers, axis=1))  # p_n, (B, d)
            powers = powers * inputs  # (B, m, d)
            # e_{n-1} p_1 - e_{n-2} p_2 + ... + e_1 p_{n-1} - e_0 p_n, signs taking turns
            total = (-1) ** (n - 1) * sums[-1]  # (B, d)
            for lower, (polynomial, power_sum) in enumerate(
                zip(reversed(polynomials), sums, strict=False)
            ):
                total = total + (-1) ** lower * polynomial * power_sum
            polynomials.append(total / n)  # e_n
        return polynomials[-1]

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        """Returns (B, d)."""
        return (input_shape[0], input_shape[2])
