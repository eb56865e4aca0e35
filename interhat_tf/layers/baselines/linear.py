"""The first-order term of logistic regression and of the models built on it."""

from collections.abc import Mapping, Sequence
from typing import Any

import keras
from keras import ops

from interhat_tf.layers.crossed_fields import CrossedFields
from interhat_tf.layers.field_embedding import FieldEmbedding
from interhat_tf.layers.numerical.exact_numbers import ExactNumbers
from interhat_tf.ops import Shape, Tensor
from interhat_tf.schema import Batch
from interhat_tf.utils.config import ConfigFromSignature, Initializer, Regularizer


@keras.saving.register_keras_serializable("interhat_tf")
class Linear(ConfigFromSignature, ExactNumbers):
    """Adds up one weight for each value of a record (Rendle 2010, Equation 1, first two terms).

        y = w_0 + sum_i w_i x_i

    x_i is 1 for the value that a categorical field has and 0 for its others, and
    the number itself for a numerical field; a missing number has a weight of its own. The
    n values of a multivalued field have x_i = 1/n, or 1 where the field is a sum.
    The weights are a `FieldEmbedding` of size 1; a numerical field with another embedding than
    the product has that one's term in place of w_i x_i.

    Args:
        vocabulary_sizes: As for `FieldEmbedding`.
        num_numerical: Number of numerical fields. Defaults to 0.
        missing_numbers: As for `FieldEmbedding`.
        use_bias: Whether w_0 is there. Defaults to `True`.
        weights_initializer: Initializer of w. Defaults to `"zeros"`, as in libFM.
        weights_regularizer: Regularizer of w, not of w_0. Defaults to `None`.
        crossing: As for `FieldEmbedding`.
        number_embeddings: As for `FieldEmbedding`.
        multivalued: As for `FieldEmbedding`.
        shared: As for `FieldEmbedding`.
        **kwargs: Arguments of `keras.layers.Layer`.

    Call arguments:
        inputs: Dictionary of `categorical`, (B, C), and `numerical`, (B, N), as
            `FieldEmbedding` takes it.

    Returns:
        y, (B, 1).

    Example:

    >>> linear = Linear(vocabulary_sizes=[3, 5], num_numerical=1)
    >>> linear({"categorical": ops.array([[2, 4], [1, 0]]), "numerical": ops.ones((2, 1))}).shape
    TensorShape([2, 1])
    """

    def __init__(
        self,
        vocabulary_sizes: Sequence[int],
        num_numerical: int = 0,
        *,
        missing_numbers: bool = False,
        use_bias: bool = True,
        weights_initializer: Initializer = "zeros",
        weights_regularizer: Regularizer = None,
        crossing: CrossedFields | Mapping[str, Any] | None = None,
        number_embeddings: Sequence[str] = (),
        multivalued: Sequence[tuple[int, str]] = (),
        shared: Sequence[tuple[int, int]] = (),
        **kwargs: Any,
    ):
        super().__init__(**kwargs)
        self.use_bias = use_bias
        self.weights_initializer = keras.initializers.get(weights_initializer)
        self.weights_regularizer = keras.regularizers.get(weights_regularizer)
        self.embedding = FieldEmbedding(
            vocabulary_sizes,
            num_numerical,
            missing_numbers=missing_numbers,
            embedding_dim=1,
            embeddings_initializer=self.weights_initializer,
            embeddings_regularizer=self.weights_regularizer,
            crossing=crossing,
            number_embeddings=number_embeddings,
            multivalued=multivalued,
            shared=shared,
            dtype=self.dtype_policy,
            name="weights",
        )

    def build(self, input_shape: Mapping[str, Shape] | None = None) -> None:
        """Creates w, one number for each id and each numerical field, and w_0."""
        self.embedding.build()
        if self.use_bias:
            self.bias = self.add_weight(name="bias", shape=(1,), initializer="zeros")
        self.built = True

    def call(self, inputs: Batch) -> Tensor:
        """Returns y, (B, 1)."""
        total = ops.sum(self.embedding(inputs), axis=1)  # (B, 1)
        return total + self.bias if self.use_bias else total

    def get_config(self) -> dict[str, Any]:
        """Returns the arguments of the layer."""
        return {**super().get_config(), "crossing": self.embedding.get_config()["crossing"]}

    def compute_output_shape(self, input_shape: Mapping[str, Shape]) -> Shape:
        """Returns (B, 1) for a dictionary of input shapes."""
        return (next(iter(input_shape.values()))[0], 1)
