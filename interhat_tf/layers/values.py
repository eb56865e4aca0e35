"""What layers of values have in common."""

from typing import Any

import keras

from interhat_tf.errors import SettingError
from interhat_tf.ops import Shape
from interhat_tf.utils.config import ConfigFromSignature, Regularizer


class Values(ConfigFromSignature):
    """A layer that sums up what a record has, each by a weight and through a kernel.

    Args:
        units: Size d' of the values.
        kernel_regularizer: Regularizer of the kernel. Defaults to `None`.
        **kwargs: Arguments of `keras.layers.Layer`.

    Raises:
        ValueError: If `units` is not positive.
    """

    def __init__(self, units: int, *, kernel_regularizer: Regularizer = None, **kwargs: Any):
        super().__init__(**kwargs)
        self.units = int(units)
        if self.units < 1:
            raise SettingError(f"units, the size of the values, must be at least 1, got {units}")
        self.kernel_regularizer = keras.regularizers.get(kernel_regularizer)

    def _make_kernel(self, rows: int) -> keras.Variable:
        return self.add_weight(
            name="kernel",
            shape=(rows, self.units),
            initializer="glorot_uniform",
            regularizer=self.kernel_regularizer,
        )

    def compute_output_shape(
        self, inputs_shape: Shape, weights_shape: Shape | None = None
    ) -> Shape:
        """Returns (B, d')."""
        return (inputs_shape[0], self.units)
