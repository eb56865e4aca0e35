"""AutoDis: numbers in soft buckets that are trained."""

from typing import Any

import keras
from keras import ops

from interhat_tf.layers.numerical.number_embedding import NumberEmbedding
from interhat_tf.ops import Shape, Tensor


@keras.saving.register_keras_serializable("interhat_tf")
class AutoDis(NumberEmbedding):
    """Embeds a number as a mean of its field's meta-embeddings (Guo et al., KDD 2021).

        h_j = LeakyReLU(w_j x_j)
        s_j = softmax((W_j h_j + a h_j) / tau)
        y_j = sum_h s_jh M_jh

    This is Section 3 of "An Embedding Learning Framework for Numerical Features in CTR
    Prediction", with the weighted average as the aggregation. As printed, there are no
    biases: all meta-embeddings weigh the same at x = 0, and which weighs more than which is
    the same for all numbers of a sign.

    Args:
        num_fields: Number n of fields.
        embedding_dim: Embedding size d.
        meta_embeddings: Number H of meta-embeddings of a field. Defaults to 20, the
            paper's on Criteo.
        skip: The factor a of the connection past W. Defaults to 0.1.
        temperature: The temperature tau: the lower, the harder the buckets. Defaults to
            0.1.
        **kwargs: Arguments of `NumberEmbedding`.

    Example:

    >>> embed = AutoDis(num_fields=1, embedding_dim=1, meta_embeddings=2, temperature=1.0)
    >>> embed.build()
    >>> _ = embed.first.assign([[1.0, 0.0]])
    >>> _ = embed.second.assign([[[0.9, 0.0], [0.0, 0.0]]])
    >>> _ = embed.vectors.assign([[[1.0], [0.0]]])
    >>> embed(ops.array([[0.0], [1.0], [9.0]])).numpy().round(2).ravel()
    array([0.5 , 0.73, 1.  ], dtype=float32)
    """

    def __init__(
        self,
        num_fields: int,
        embedding_dim: int,
        *,
        meta_embeddings: int = 20,
        skip: float = 0.1,
        temperature: float = 0.1,
        **kwargs: Any,
    ):
        super().__init__(num_fields, embedding_dim, **kwargs)
        self.meta_embeddings = int(meta_embeddings)
        self.skip, self.temperature = float(skip), float(temperature)

    def build(self, numbers_shape: Shape | None = None) -> None:
        """Creates w, (n, H), W, (n, H, H), its columns the outputs, and M, (n, H, d)."""
        n, count = self.num_fields, self.meta_embeddings
        self.first = self.add_weight(name="first", shape=(n, count))
        self.second = self.add_weight(name="second", shape=(n, count, count))
        self.vectors = self._add_vectors("vectors", count)
        self.built = True

    def call(self, numbers: Tensor) -> Tensor:
        """Returns y, (B, n, d)."""
        numbers = ops.cast(numbers, self.compute_dtype)
        hidden = ops.leaky_relu(ops.expand_dims(numbers, -1) * self.first)  # (B, n, H)
        scores = ops.einsum("bnh,nhk->bnk", hidden, self.second) + self.skip * hidden
        weights = ops.softmax(scores / self.temperature, axis=-1)  # (B, n, H)
        return ops.einsum("bnh,nhd->bnd", weights, self.vectors)
