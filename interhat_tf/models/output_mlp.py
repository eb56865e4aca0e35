"""The MLP that maps InterHAt's aggregation u_f to the logit (Section 3.4)."""

from collections.abc import Sequence

import keras

from interhat_tf.layers.batch_normalization import BatchNormalization
from interhat_tf.utils.config import Regularizer


def make_hidden_layers(
    units: Sequence[int],
    dropout: keras.layers.Dropout,
    *,
    activate_input: bool = False,
    batch_norm: bool = False,
    use_bias: bool = False,
    regularizer: Regularizer = None,
    dtype: keras.DTypePolicy | str | None = None,
) -> list[keras.layers.Layer]:
    """Returns the layers of the MLP before the last one, the logit, in their order.

        a_0 = u_f, or ReLU(BN(u_f))
        a_l = ReLU(BN(W_l dropout(a_{l-1}) + b_l)),  logit = w . dropout(a_L) + b

    Args:
        units: Widths of the hidden layers, which may be none.
        dropout: What drops units in training.
        activate_input: Whether u_f is activated first, as what a hidden layer
            gives. Defaults to `False`.
        batch_norm: Whether BN is there. Defaults to `False`.
        use_bias: Whether the hidden layers have biases b_l. Defaults to `False`.
        regularizer: Regularizer of their kernels and biases. Defaults to `None`.
        dtype: Type that they compute in. Defaults to Keras' own.
    """

    def activation(i: int) -> list[keras.layers.Layer]:
        norm = BatchNormalization(dtype=dtype, name=f"mlp_normalization_{i}")
        relu = keras.layers.Activation("relu", dtype=dtype, name=f"mlp_activation_{i}")
        return [norm, relu] if batch_norm else [relu]

    layers = activation(0) if activate_input else []
    for i, width in enumerate(units, start=1):
        dense = keras.layers.Dense(
            width,
            use_bias=use_bias,
            kernel_regularizer=regularizer,
            bias_regularizer=regularizer,
            dtype=dtype,
            name=f"mlp_{i}",
        )
        layers += [dropout, dense, *activation(i)]
    return [*layers, dropout]
