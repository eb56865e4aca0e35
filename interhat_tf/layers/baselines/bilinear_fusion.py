"""The multi-head bilinear fusion of FinalMLP."""

from typing import Any

import keras
from keras import ops

from interhat_tf.errors import SettingError
from interhat_tf.ops import Shape, Tensor
from interhat_tf.utils.config import ConfigFromSignature, Regularizer


@keras.saving.register_keras_serializable("interhat_tf")
class BilinearFusion(ConfigFromSignature):
    """Multiplies two streams, chunk by chunk (Mao et al. 2023, Equations 7 and 8).

        output = sum_h x_h^T W_h y_h

    x_h and y_h are the h-th of H equal parts of x and y. The linear terms of the
    paper's Equation 7, w_1^T x + w_2^T y + b, are a model's own. The layer has
    p q / H weights for inputs of widths p and q.

    Args:
        num_heads: Number of heads H; it divides both widths.
        kernel_regularizer: Regularizer of W. Defaults to `None`.
        **kwargs: Arguments of `keras.layers.Layer`.

    Call arguments:
        first: x, (B, p).
        second: y, (B, q).

    Returns:
        (B, 1).

    Raises:
        ValueError: If H does not divide both widths.

    Example:

    >>> BilinearFusion(num_heads=2)(ops.ones((4, 8)), ops.ones((4, 6))).shape
    TensorShape([4, 1])
    """

    def __init__(self, num_heads: int, *, kernel_regularizer: Regularizer = None, **kwargs: Any):
        super().__init__(**kwargs)
        self.num_heads = int(num_heads)
        self.kernel_regularizer = keras.regularizers.get(kernel_regularizer)

    def build(self, first_shape: Shape, second_shape: Shape) -> None:
        """Creates W, (H, p / H, q / H), for inputs (B, p) and (B, q)."""
        widths = (first_shape[-1], second_shape[-1])
        if any(width % self.num_heads for width in widths):
            raise SettingError(
                f"num_heads, {self.num_heads}, must divide the widths of both streams, {widths}"
            )
        self.kernel = self.add_weight(
            name="kernel",
            shape=(self.num_heads, *(width // self.num_heads for width in widths)),
            initializer="glorot_uniform",
            regularizer=self.kernel_regularizer,
        )
        self.built = True

    def call(self, first: Tensor, second: Tensor) -> Tensor:
        """Returns the sum of the products, (B, 1)."""
        x, y = self._heads(first), self._heads(second)  # (H, B, p / H), (H, B, q / H)
        products = ops.matmul(x, self.kernel) * y  # (H, B, q / H)
        return ops.expand_dims(ops.sum(products, axis=(0, 2)), -1)  # (B, 1)

    def _heads(self, stream: Tensor) -> Tensor:
        width = stream.shape[-1] // self.num_heads
        heads = ops.reshape(stream, (-1, self.num_heads, width))  # (B, H, width)
        return ops.transpose(heads, (1, 0, 2))  # (H, B, width)

    def compute_output_shape(self, first_shape: Shape, second_shape: Shape) -> Shape:
        """Returns (B, 1)."""
        return (first_shape[0], 1)
