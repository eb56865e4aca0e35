"""The quadratic layer of QNN-alpha."""

from typing import Any

import keras
from keras import ops

from interhat_tf.layers.baselines.mlp import MLP
from interhat_tf.ops import Shape, Tensor
from interhat_tf.utils.config import ConfigFromSignature, Regularizer


@keras.saving.register_keras_serializable("interhat_tf")
class QuadraticLayer(ConfigFromSignature):
    """Multiplies a record by several linear maps of it, behind a ReLU each (Li et al. 2025).

        output = x * sum_r dropout(ReLU(W_r x + b_r)) + x

    This is the paper's Khatri-Rao product with activations inside the product. With
    `batch_norm`, a batch normalisation stands before the ReLU. The paper also
    splits x and the maps into heads. Each head has rows of W of its own, so its
    products are those of the whole, and there is no such argument here. (In the
    public code the heads' products are added to x in another order than x
    itself has.) For x of width n the layer has R (n^2 + n) weights.

    Args:
        num_maps: Number R of maps.
        dropout: Rate at which the maps' units are dropped in training. Defaults
            to 0.
        batch_norm: Whether there is batch normalisation. Defaults to `False`.
        kernel_regularizer: Regularizer of W and b. Defaults to `None`.
        **kwargs: Arguments of `keras.layers.Layer`.

    Call arguments:
        inputs: x, (B, n).
        training: Whether units are dropped and batch statistics used.

    Returns:
        (B, n).

    Example:

    >>> QuadraticLayer(num_maps=3)(ops.ones((4, 8))).shape
    TensorShape([4, 8])
    """

    def __init__(
        self,
        num_maps: int,
        *,
        dropout: float = 0.0,
        batch_norm: bool = False,
        kernel_regularizer: Regularizer = None,
        **kwargs: Any,
    ):
        super().__init__(**kwargs)
        self.num_maps = int(num_maps)
        self.dropout = dropout
        self.batch_norm = batch_norm
        self.kernel_regularizer = keras.regularizers.get(kernel_regularizer)

    def build(self, input_shape: Shape) -> None:
        """Creates the maps for inputs of shape (B, n): an MLP of one layer, R n wide."""
        self.maps = MLP(
            (self.num_maps * input_shape[-1],),
            dropout=self.dropout,
            batch_norm=self.batch_norm,
            kernel_regularizer=self.kernel_regularizer,
            dtype=self.dtype_policy,
            name="maps",
        )
        self.maps.build(input_shape)
        self.built = True

    def call(self, inputs: Tensor, training: bool = False) -> Tensor:
        """Returns the quadratic units, (B, n)."""
        maps = self.maps(inputs, training=training)  # (B, R * n)
        maps = ops.reshape(maps, (-1, self.num_maps, inputs.shape[-1]))  # (B, R, n)
        return inputs * ops.sum(maps, axis=1) + inputs  # (B, n)

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        """Returns (B, n)."""
        return input_shape
