"""Gorishniy et al.'s piecewise linear embeddings of numbers."""

import keras
from keras import ops

from interhat_tf.layers.numerical.number_embedding import BinnedEmbedding
from interhat_tf.ops import Shape, Tensor


@keras.saving.register_keras_serializable("interhat_tf")
class PiecewiseLinearEmbedding(BinnedEmbedding):
    """Embeds a number as a point of a line that bends at quantiles (Gorishniy et al. 2022).

        e_jt = clip((x_j - b_j(t-1)) / (b_jt - b_j(t-1)), 0, 1)
        y_j = sum_t e_jt V_jt + v_j

    This is Equation 1 of "On Embeddings for Numerical Features in Tabular Deep Learning" and
    a linear layer of each field's own, but that the first and the last bin end at their
    edges: numbers of prepared sets do as well. A bin without a width, between equal
    quantiles, has e_jt = 0.

    Args:
        num_fields: Number n of fields.
        embedding_dim: Embedding size d.
        bins: Number T of bins. Defaults to 32.
        **kwargs: Arguments of `NumberEmbedding`.

    Example:

    >>> embed = PiecewiseLinearEmbedding(num_fields=1, embedding_dim=1, bins=2)
    >>> embed.build()
    >>> embed.adapt([[0.0], [1.0], [8.0]])
    >>> _ = embed.vectors.assign([[[1.0], [-2.0]]])
    >>> _ = embed.constant.assign([[[5.0]]])
    >>> embed(ops.array([[0.5], [1.0], [4.5], [99.0]])).numpy().ravel()
    array([5.5, 6. , 5. , 4. ], dtype=float32)
    """

    def build(self, numbers_shape: Shape | None = None) -> None:
        """Creates the edges, (n, T + 1), V, (n, T, d), and v, (n, 1, d)."""
        super().build(numbers_shape)
        self.vectors = self._add_vectors("vectors", self.bins)
        self.constant = self._add_vectors("constant", 1)

    def call(self, numbers: Tensor) -> Tensor:
        """Returns y, (B, n, d)."""
        edges, numbers = self._edges_and_numbers(numbers)  # (1, n, T + 1), (B, n, 1)
        starts, widths = edges[..., :-1], edges[..., 1:] - edges[..., :-1]  # (1, n, T)
        has_width = widths != 0
        safe = ops.where(has_width, widths, ops.ones_like(widths))
        shares = ops.clip((numbers - starts) / safe, 0, 1)  # (B, n, T)
        shares = ops.where(has_width, shares, ops.zeros_like(shares))
        shares = ops.cast(shares, self.compute_dtype)
        return ops.einsum("bnt,ntd->bnd", shares, self.vectors) + ops.squeeze(self.constant, 1)
