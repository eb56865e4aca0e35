"""Vectors that a field's values were given, and that training leaves as they are."""

from typing import Any

import keras
from keras import ops

from interhat_tf.ops import Shape, Tensor, take_rows
from interhat_tf.utils.config import ConfigFromSignature


@keras.saving.register_keras_serializable("interhat_tf")
class FrozenVectors(ConfigFromSignature):
    """Puts given vectors in the place of a field's trained ones, where a value has one.

        y = P v_id  if the value has a vector v_id,  x  otherwise

    The vectors are no trained weights, so that no optimizer, penalty or average
    changes a bit of them. The projection P is trained; it is there only if the
    vectors have another number of dimensions than x.

    `training.load_vectors` fills `vectors` and `known`.

    Args:
        vocabulary_size: Number of ids of the field.
        vector_dim: Number e of dimensions of the given vectors.
        embedding_dim: Number d of dimensions of x.
        **kwargs: Arguments of `keras.layers.Layer`.

    Call arguments:
        ids: The field's ids, (B,), or (B, L) of several values.
        rows: x, (B, d) or (B, L, d).

    Returns:
        y, of the shape of x.

    Example:

    >>> frozen = FrozenVectors(vocabulary_size=3, vector_dim=2, embedding_dim=2)
    >>> frozen.build()
    >>> _ = frozen.vectors.assign([[0.0, 0.0], [5.0, 6.0], [0.0, 0.0]])
    >>> _ = frozen.known.assign([False, True, False])
    >>> frozen(ops.array([1, 2]), ops.ones((2, 2))).numpy()
    array([[5., 6.],
           [1., 1.]], dtype=float32)
    """

    def __init__(self, vocabulary_size: int, vector_dim: int, embedding_dim: int, **kwargs: Any):
        super().__init__(**kwargs)
        self.vocabulary_size = int(vocabulary_size)
        self.vector_dim, self.embedding_dim = int(vector_dim), int(embedding_dim)

    def build(self, *shapes: Shape) -> None:
        """Creates the vectors, (rows, e), which values have one, (rows,), and P, (e, d)."""
        frozen: dict[str, Any] = {"initializer": "zeros", "trainable": False, "autocast": False}
        size = self.vocabulary_size
        self.vectors = self.add_weight(name="vectors", shape=(size, self.vector_dim), **frozen)
        self.known = self.add_weight(name="known", shape=(size,), dtype="bool", **frozen)
        if self.vector_dim != self.embedding_dim:
            shape = (self.vector_dim, self.embedding_dim)
            self.projection = self.add_weight(name="projection", shape=shape)
        self.built = True

    def call(self, ids: Tensor, rows: Tensor) -> Tensor:
        """Returns y, (B, d) or (B, L, d)."""
        vectors = ops.cast(take_rows(self.vectors, ids), self.compute_dtype)  # (B, …, e)
        if self.vector_dim != self.embedding_dim:
            vectors = ops.matmul(vectors, self.projection)  # (B, …, d)
        known = ops.expand_dims(take_rows(self.known, ids), -1)  # (B, …, 1)
        return ops.where(known, vectors, rows)

    def compute_output_shape(self, ids_shape: Shape, rows_shape: Shape) -> Shape:
        """Returns (B, d) or (B, L, d)."""
        return rows_shape
