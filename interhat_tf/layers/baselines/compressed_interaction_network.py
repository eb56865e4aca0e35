"""The compressed interaction network (CIN) of xDeepFM."""

from collections.abc import Sequence
from typing import Any

import keras
from keras import ops

from interhat_tf.ops import Shape, Tensor
from interhat_tf.utils.config import Activation, ConfigFromSignature, Regularizer


@keras.saving.register_keras_serializable("interhat_tf")
class CompressedInteractionNetwork(ConfigFromSignature):
    """Crosses vectors with the fields, one order higher a layer (Lian et al. 2018, Section 3.1).

        X^k_h = act(sum_i sum_j W^{k,h}_ij (X^{k-1}_i * X^0_j))   (Equation 6)
        p^k_h = sum_d X^k_hd                                      (Equation 7)

    X^0 is the m fields and X^k the H_k feature maps of layer k, each a vector of
    size d. The paper's best activation is none. The pooled maps of all layers
    are the output; no map is held back from it (the "split half" of the
    authors' code, which is not in the paper, is not here either). The layer has
    sum_k H_k H_{k-1} m weights, with H_0 = m.

    Without an activation the last layer's maps, which are needed summed over d alone, are
    computed from sums: sum_i sum_j W_ij (sum_d X_id X^0_jd), at 1 / d of the operations.

    Args:
        feature_maps: Number of feature maps H_k of each layer.
        activation: Activation act. Defaults to `None`.
        kernel_regularizer: Regularizer of W. Defaults to `None`.
        **kwargs: Arguments of `keras.layers.Layer`.

    Call arguments:
        inputs: X^0, (B, m, d).

    Returns:
        p+ = [p^1, p^2, ...], (B, sum of feature_maps).

    Example:

    >>> CompressedInteractionNetwork((6, 5))(keras.ops.ones((4, 3, 8))).shape
    TensorShape([4, 11])
    """

    def __init__(
        self,
        feature_maps: Sequence[int],
        *,
        activation: Activation = None,
        kernel_regularizer: Regularizer = None,
        **kwargs: Any,
    ):
        super().__init__(**kwargs)
        self.feature_maps = tuple(int(maps) for maps in feature_maps)
        self.activation = keras.activations.get(activation)
        self.kernel_regularizer = keras.regularizers.get(kernel_regularizer)

    def build(self, input_shape: Shape) -> None:
        """Creates W of each layer, (H_{k-1} * m, H_k), for inputs of shape (B, m, d)."""
        fields = input_shape[1]
        widths = (fields, *self.feature_maps)
        self.kernels = [
            self.add_weight(
                name=f"kernel_{i}",
                shape=(widths[i - 1] * fields, widths[i]),
                initializer="glorot_uniform",
                regularizer=self.kernel_regularizer,
            )
            for i in range(1, len(widths))
        ]
        self.built = True

    def call(self, inputs: Tensor) -> Tensor:
        """Returns p+, (B, sum of feature_maps)."""
        first = current = ops.transpose(inputs, (0, 2, 1))  # (B, d, m)
        *kernels, last = self.kernels
        pooled = []
        for kernel in kernels:
            current = self._maps(current, first, kernel)  # (B, d, H_k)
            pooled.append(ops.sum(current, axis=1))  # (B, H_k)
        if self.activation is keras.activations.linear:
            sums = ops.matmul(ops.transpose(current, (0, 2, 1)), first)  # (B, H_{k-1}, m)
            pooled.append(ops.matmul(ops.reshape(sums, (-1, last.shape[0])), last))  # (B, H_k)
        else:
            pooled.append(ops.sum(self._maps(current, first, last), axis=1))  # (B, H_k)
        return ops.concatenate(pooled, axis=-1)  # (B, H_1 + H_2 + ...)

    def _maps(self, current: Tensor, first: Tensor, kernel: Tensor) -> Tensor:
        """Returns a layer's maps, (B, d, H_k), of the last (B, d, H_{k-1}) and X^0, (B, d, m)."""
        pairs = ops.expand_dims(current, 3) * ops.expand_dims(first, 2)  # (B, d, H_{k-1}, m)
        pairs = ops.reshape(pairs, (-1, first.shape[1], kernel.shape[0]))  # (B, d, H_{k-1} * m)
        return self.activation(ops.matmul(pairs, kernel))

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        """Returns (B, sum of feature_maps)."""
        return (input_shape[0], sum(self.feature_maps))
