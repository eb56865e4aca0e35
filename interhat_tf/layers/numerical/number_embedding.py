"""What the embeddings of numerical fields have in common."""

from typing import Any

import keras
import numpy as np
from keras import ops

from interhat_tf.layers.numerical.exact_numbers import ExactNumbers
from interhat_tf.ops import Shape, Tensor
from interhat_tf.utils.config import ConfigFromSignature, Initializer, Regularizer


class NumberEmbedding(ConfigFromSignature, ExactNumbers):
    """A layer that embeds each of some numerical fields, whose weights are its own.

    Args:
        num_fields: Number n of fields.
        embedding_dim: Embedding size d.
        embeddings_initializer: Initializer of the vectors. Defaults to
            `"glorot_uniform"`.
        embeddings_regularizer: Regularizer of the vectors. Defaults to `None`.
        **kwargs: Arguments of `keras.layers.Layer`.

    Call arguments:
        numbers: Numbers, (B, n), none of them missing.

    Returns:
        Vectors, (B, n, d).
    """

    def __init__(
        self,
        num_fields: int,
        embedding_dim: int,
        *,
        embeddings_initializer: Initializer = "glorot_uniform",
        embeddings_regularizer: Regularizer = None,
        **kwargs: Any,
    ):
        super().__init__(**kwargs)
        self.num_fields, self.embedding_dim = int(num_fields), int(embedding_dim)
        self.embeddings_initializer = keras.initializers.get(embeddings_initializer)
        self.embeddings_regularizer = keras.regularizers.get(embeddings_regularizer)

    def _add_vectors(self, name: str, count: int) -> keras.Variable:
        """Creates vectors of each field, (n, count, d)."""
        return self.add_weight(
            name=name,
            shape=(self.num_fields, count, self.embedding_dim),
            initializer=keras.initializers.get(self.embeddings_initializer),
            regularizer=self.embeddings_regularizer,
        )

    def compute_output_shape(self, numbers_shape: Shape) -> Shape:
        """Returns (B, n, d)."""
        return (*numbers_shape, self.embedding_dim)


class BinnedEmbedding(NumberEmbedding):
    """A `NumberEmbedding` by bins, each with about as many of the training records' numbers.

    The edges of field j's T bins are quantiles b_j0 <= ... <= b_jT. They are no trained
    weights: `adapt` finds them, and until then the vectors are not a number.

    Args:
        num_fields: Number n of fields.
        embedding_dim: Embedding size d.
        bins: Number T of bins. Defaults to 32.
        **kwargs: Arguments of `NumberEmbedding`.
    """

    def __init__(self, num_fields: int, embedding_dim: int, *, bins: int = 32, **kwargs: Any):
        super().__init__(num_fields, embedding_dim, **kwargs)
        self.bins = int(bins)

    def build(self, numbers_shape: Shape | None = None) -> None:
        """Creates the edges, (n, T + 1)."""
        self.edges = self.add_weight(
            name="edges",
            shape=(self.num_fields, self.bins + 1),
            initializer=keras.initializers.Constant(float("nan")),
            trainable=False,
            autocast=False,
        )
        self.built = True

    def adapt(self, numbers: np.ndarray) -> None:
        """Takes in the distribution of training records' numbers.

        Args:
            numbers: Numbers, (rows, n), NaN where missing. Where a field has none, its
                edges are 0.
        """
        edges = np.zeros((self.num_fields, self.bins + 1))
        for column, of_field in zip(edges, np.asarray(numbers).T, strict=True):
            if len(known := of_field[~np.isnan(of_field)]):
                column[:] = self._edges_of(known)
        self.edges.assign(edges)

    def _edges_of(self, numbers: np.ndarray) -> np.ndarray:
        """Returns a field's edges, (T + 1,), of its numbers, (rows,)."""
        return np.quantile(numbers, np.linspace(0, 1, self.bins + 1))

    def _edges_and_numbers(self, numbers: Tensor) -> tuple[Tensor, Tensor]:
        """Returns the edges, (1, n, T + 1), and the numbers, (B, n, 1), as they can be compared."""
        edges = ops.expand_dims(ops.convert_to_tensor(self.edges), 0)  # (1, n, T + 1)
        return edges, ops.expand_dims(ops.cast(numbers, edges.dtype), -1)
