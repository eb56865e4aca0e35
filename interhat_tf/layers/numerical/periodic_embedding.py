"""Gorishniy et al.'s periodic embeddings of numbers."""

from typing import Any

import keras
import numpy as np
from keras import ops

from interhat_tf.layers.numerical.number_embedding import NumberEmbedding
from interhat_tf.ops import Shape, Tensor


@keras.saving.register_keras_serializable("interhat_tf")
class PeriodicEmbedding(NumberEmbedding):
    """Embeds a number by waves of trained frequencies (Gorishniy et al. 2022).

        p_j = [sin(2 pi c_jk x_j), cos(2 pi c_jk x_j)]_k
        y_j = ReLU(sum_k p_jk V_jk + v_j)

    These are Section 3.3's embeddings in the form PLR, the linear layers of each field's
    own. The frequencies c start as N(0, s^2); s is what results depend on most. With d = 1,
    a term of a sum, there is no ReLU: such a term has both signs.

    Args:
        num_fields: Number n of fields.
        embedding_dim: Embedding size d.
        frequencies: Number K of frequencies. Defaults to 16.
        frequency_scale: The standard deviation s, in waves a unit. Defaults to 0.3.
        **kwargs: Arguments of `NumberEmbedding`.

    Example:

    >>> embed = PeriodicEmbedding(num_fields=1, embedding_dim=1, frequencies=1)
    >>> embed.build()
    >>> _ = embed.rates.assign([[1.0]])
    >>> _ = embed.vectors.assign([[[2.0], [-1.0]]])
    >>> _ = embed.constant.assign([[[5.0]]])
    >>> embed(ops.array([[0.0], [0.25], [0.5]])).numpy().round(4).ravel()
    array([4., 7., 6.], dtype=float32)
    """

    def __init__(
        self,
        num_fields: int,
        embedding_dim: int,
        *,
        frequencies: int = 16,
        frequency_scale: float = 0.3,
        **kwargs: Any,
    ):
        super().__init__(num_fields, embedding_dim, **kwargs)
        self.frequencies, self.frequency_scale = int(frequencies), float(frequency_scale)

    def build(self, numbers_shape: Shape | None = None) -> None:
        """Creates the frequencies, (n, K), V, (n, 2K, d), and v, (n, 1, d)."""
        self.rates = self.add_weight(
            name="rates",
            shape=(self.num_fields, self.frequencies),
            initializer=keras.initializers.RandomNormal(stddev=self.frequency_scale),
            autocast=False,
        )
        self.vectors = self._add_vectors("vectors", 2 * self.frequencies)
        self.constant = self._add_vectors("constant", 1)
        self.built = True

    def call(self, numbers: Tensor) -> Tensor:
        """Returns y, (B, n, d)."""
        angles = 2 * np.pi * ops.expand_dims(numbers, -1) * self.rates  # (B, n, K)
        waves = ops.concatenate([ops.sin(angles), ops.cos(angles)], axis=-1)  # (B, n, 2K)
        waves = ops.cast(waves, self.compute_dtype)
        found = ops.einsum("bnk,nkd->bnd", waves, self.vectors) + ops.squeeze(self.constant, 1)
        return ops.relu(found) if self.embedding_dim > 1 else found
