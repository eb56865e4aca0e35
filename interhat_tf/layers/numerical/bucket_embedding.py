"""A vector for each bucket of a number."""

import keras
import numpy as np
from keras import ops

from interhat_tf.layers.numerical.number_embedding import BinnedEmbedding
from interhat_tf.ops import Shape, Tensor


@keras.saving.register_keras_serializable("interhat_tf")
class BucketEmbedding(BinnedEmbedding):
    """Embeds a number by the bucket that it is in.

        y_j = V_j[t],  b_jt <= x_j < b_j(t+1)

    Numbers beyond the first and the last edge are in the first and the last bucket. An edge
    lies between a quantile and the number below it: where many records have a number, as they
    have of counts, another program's rounding puts it in no other bucket. What a
    set prepared with `scaling="buckets"` has as a categorical field is the same; here the
    model makes the buckets.

    Args:
        num_fields: Number n of fields.
        embedding_dim: Embedding size d.
        bins: Number T of buckets. Defaults to 32.
        **kwargs: Arguments of `NumberEmbedding`.

    Example:

    >>> embed = BucketEmbedding(num_fields=1, embedding_dim=1, bins=2)
    >>> embed.build()
    >>> embed.adapt([[0.0], [1.0], [8.0]])
    >>> _ = embed.vectors.assign([[[5.0], [7.0]]])
    >>> embed(ops.array([[0.4], [1.0], [99.0]])).numpy().ravel()
    array([5., 7., 7.], dtype=float32)
    """

    def build(self, numbers_shape: Shape | None = None) -> None:
        """Creates the edges, (n, T + 1), and V, (n, T, d)."""
        super().build(numbers_shape)
        self.vectors = self._add_vectors("vectors", self.bins)

    def _edges_of(self, numbers: np.ndarray) -> np.ndarray:
        quantiles, values = super()._edges_of(numbers), np.unique(numbers)
        above = np.searchsorted(values, quantiles).clip(max=len(values) - 1)
        return (values[(above - 1).clip(0)] + values[above]) / 2

    def call(self, numbers: Tensor) -> Tensor:
        """Returns y, (B, n, d)."""
        edges, numbers = self._edges_and_numbers(numbers)  # (1, n, T + 1), (B, n, 1)
        above = ops.cast(numbers >= edges[..., 1:-1], "int32")  # (B, n, T - 1)
        of_bucket = ops.one_hot(ops.sum(above, axis=-1), self.bins, dtype=self.compute_dtype)
        first = ops.cast(edges[..., :1], self.compute_dtype)  # (1, n, 1)
        of_bucket = ops.where(ops.isnan(first), first, of_bucket)  # as long as there are no edges
        return ops.einsum("bnt,ntd->bnd", of_bucket, self.vectors)
