"""The block of FinalNet that stands where others have an MLP."""

from collections.abc import Sequence
from typing import Any

import keras
from keras import ops

from interhat_tf.errors import SettingError
from interhat_tf.layers.baselines.mlp import MLP
from interhat_tf.ops import Tensor


@keras.saving.register_keras_serializable("interhat_tf")
class FactorizedInteractionBlock(MLP):
    """Stacks layers that multiply half of their units by the other half (Zhu et al. 2023).

        [h_1; h_2] = W_l a_l + b_l
        a_{l+1} = dropout(act([h_1; h_1 * h_2]))

    So a layer doubles the degree of the interactions, and has the weights of an
    `MLP`'s layer. Batch normalisation stands before the activation, as there.

    Args:
        units: Widths of the layers, even numbers.
        **kwargs: Arguments of `MLP`.

    Call arguments:
        inputs: a_0, (B, n).
        training: Whether units are dropped and batch statistics used.

    Returns:
        (B, last of units).

    Raises:
        ValueError: If a width is odd.

    Example:

    >>> FactorizedInteractionBlock((16, 6))(ops.ones((4, 3))).shape
    TensorShape([4, 6])
    """

    def __init__(self, units: Sequence[int], **kwargs: Any):
        super().__init__(units, **kwargs)
        if any(width % 2 for width in self.units):
            raise SettingError(f"units must be even, half of them are products; got {self.units}")

    def _transform(self, i: int, inputs: Tensor) -> Tensor:
        first, second = ops.split(self.dense[i](inputs), 2, axis=-1)  # (B, units[i] / 2) each
        return ops.concatenate([first, first * second], axis=-1)  # (B, units[i])
