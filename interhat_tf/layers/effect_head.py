"""A small network that says in one pass what a model's fields add to its logit."""

from typing import Any

import keras
from keras import ops

from interhat_tf.errors import SettingError
from interhat_tf.layers.batch_normalization import BatchNormalization
from interhat_tf.ops import Shape, Tensor
from interhat_tf.utils.config import ConfigFromSignature

SMALLEST_VARIANCE = 1e-12
"""Far below that of embeddings under a strong penalty, which differ by thousandths."""
LEAST_SHARE = 1e-3
"""Share of the fields' mean variance below which an input is scaled down.

If it counted as much as the others, another value of a field that nearly always has the same one
would be hundreds of standard deviations away."""


@keras.saving.register_keras_serializable("interhat_tf")
class EffectHead(ConfigFromSignature):
    """Estimates the effect of each field of a record on a model's logit, and those of pairs.

        h = ReLU(W (r BN([vec(X); s])) + b)
        phi = W_1 h + b_1,  psi = W_2 h

    X is a vector of each field by itself, such as its embedding, and s what the
    model has computed of the whole record, the logit included. BN, with neither
    scale nor shift, gives all of these numbers the same weight: a penalty may
    have made some of them small. Of those of fields whose variance v is below a
    thousandth of the fields' mean variance v', r is sqrt(1000 v / v'); of others it is 1.
    W_1, b_1 and W_2 start at zero, so that no field has an effect until the head
    has learnt of one.

    What it learns, by the mean squared error, are differences of the model's
    logits when fields take other records' values; their mean is the effect. This
    is amortised explanation, as FastSHAP's (Jethani et al., ICLR 2022), by a head
    on the model's own numbers in place of a second model.

    Args:
        num_pairs: Number of pairs of fields. Defaults to 0.
        units: Width of h. Defaults to 64.
        **kwargs: Arguments of `keras.layers.Layer`.

    Call arguments:
        fields: X, (B, m, d).
        summary: s, (B, c).
        training: Whether batch statistics are used.

    Returns:
        Dictionary of `effects`, phi, (B, m), and, if there are pairs,
        `pair_effects`, psi, (B, pairs), both in the unit of the logit.

    Raises:
        ValueError: If `units` is not positive.

    Example:

    >>> head = EffectHead(num_pairs=3)
    >>> effects = head(ops.ones((4, 3, 8)), ops.ones((4, 5)))
    >>> effects["effects"].shape, effects["pair_effects"].shape
    (TensorShape([4, 3]), TensorShape([4, 3]))
    """

    def __init__(self, num_pairs: int = 0, *, units: int = 64, **kwargs: Any):
        super().__init__(**kwargs)
        self.num_pairs = int(num_pairs)
        self.units = int(units)
        if self.units < 1:
            raise SettingError(
                f"units, the width of an effect head, must be at least 1, got {units}"
            )

    def build(self, fields_shape: Shape, summary_shape: Shape) -> None:
        """Creates the weights for fields, (B, m, d), and a summary, (B, c)."""
        _, self.count, self.dim = fields_shape
        width = self.count * self.dim + summary_shape[-1]
        self.normalization = BatchNormalization(
            epsilon=SMALLEST_VARIANCE,
            center=False,
            scale=False,
            dtype=self.dtype_policy,
            name="normalization",
        )
        self.normalization.build((None, width))
        self.hidden = self._dense(width, self.units, "hidden", activation="relu")
        zeros: dict[str, Any] = {"kernel_initializer": "zeros"}
        self.effects = self._dense(self.units, self.count, "effects", **zeros)
        if self.num_pairs:
            self.pair_effects = self._dense(
                self.units, self.num_pairs, "pair_effects", use_bias=False, **zeros
            )
        self.built = True

    def _dense(self, width: int, units: int, name: str, **arguments: Any) -> keras.layers.Dense:
        dense = keras.layers.Dense(units, dtype=self.dtype_policy, name=name, **arguments)
        dense.build((None, width))
        return dense

    def call(self, fields: Tensor, summary: Tensor, training: bool = False) -> dict[str, Tensor]:
        """Returns the effects, (B, m), and the pairs' effects, (B, pairs)."""
        flat = ops.reshape(fields, (-1, self.count * self.dim))  # (B, m * d)
        if training:
            inputs = ops.concatenate([flat, summary], axis=-1)  # (B, m * d + c)
            normalized = self.normalization(inputs, training=True) * self._shares()
            hidden = self.hidden(normalized)  # (B, units)
        else:
            hidden = self._hidden_in_inference(flat, summary)
        effects = {"effects": self.effects(hidden)}
        if self.num_pairs:
            effects["pair_effects"] = self.pair_effects(hidden)
        return effects

    def _shares(self) -> Tensor:
        """Returns r, how much each normalised input counts, 1 but for what hardly varies, (n,)."""
        variance = ops.convert_to_tensor(self.normalization.moving_variance)  # (m * d + c,)
        width = self.count * self.dim
        least = ops.maximum(LEAST_SHARE * ops.mean(variance[:width]), SMALLEST_VARIANCE)
        of_fields = ops.sqrt(ops.minimum(variance[:width] / least, 1.0))  # (m * d,)
        return ops.concatenate([of_fields, ops.ones_like(variance[width:])])

    def _hidden_in_inference(self, flat: Tensor, summary: Tensor) -> Tensor:
        """Returns h, (B, units), of a product whose weights normalise: no input is written again.

        W (r BN(x)) = (W r / sigma) x - (W r / sigma) mu, with the moving statistics.
        """
        moving = self.normalization  # (m * d + c,) each of its statistics
        sigma = ops.sqrt(moving.moving_variance + moving.epsilon)
        kernel = self.hidden.kernel * (self._shares() / sigma)[:, None]  # (m * d + c, units)
        bias = self.hidden.bias - ops.matmul(moving.moving_mean, kernel)  # (units,)
        # In single precision at least, as normalisation is: what is small here has large weights.
        flat, summary = (ops.cast(inputs, kernel.dtype) for inputs in (flat, summary))
        width = self.count * self.dim
        of_fields = ops.matmul(flat, kernel[:width])  # (B, units)
        of_summary = ops.matmul(summary, kernel[width:])  # (B, units)
        return ops.cast(ops.relu(of_fields + of_summary + bias), self.compute_dtype)

    def compute_output_shape(self, fields_shape: Shape, summary_shape: Shape) -> dict[str, Shape]:
        """Returns the shapes of the effects."""
        batch, count, _ = fields_shape
        pairs = {"pair_effects": (batch, self.num_pairs)} if self.num_pairs else {}
        return {"effects": (batch, count), **pairs}
