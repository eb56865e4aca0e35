"""The embedding layer of Section 3.1: one vector per field of a record."""

import itertools
from collections.abc import Mapping, Sequence
from typing import Any

import keras
import numpy as np
from keras import ops

from interhat_tf.errors import SettingError
from interhat_tf.layers.crossed_fields import CrossedFields
from interhat_tf.layers.frozen_vectors import FrozenVectors
from interhat_tf.layers.numerical import NUMBER_EMBEDDINGS, PRODUCT
from interhat_tf.layers.numerical.exact_numbers import ExactNumbers
from interhat_tf.layers.numerical.number_embedding import BinnedEmbedding
from interhat_tf.layers.sequences.activation_unit import ActivationUnit
from interhat_tf.layers.value_pooling import TARGET, ValuePooling
from interhat_tf.ops import Shape, Tensor, take_rows
from interhat_tf.schema import CATEGORICAL, FOLD, MULTIVALUED, NUMERICAL, PADDING, Batch
from interhat_tf.utils.config import ConfigFromSignature, Initializer, Regularizer

TARGET_UNITS = 16
"""Width of the `ActivationUnit` of the pooling `"target"`, that of the attention's scores."""


@keras.saving.register_keras_serializable("interhat_tf")
class FieldEmbedding(ConfigFromSignature, ExactNumbers):
    """Embeds every field of a record as a d-dimensional vector (Section 3.1).

    A categorical field's value v has its own trained vector; all fields
    share one table, in which each field's rows start at its offset. A
    numerical field f with value v_f is `x_num = v_f * x_num_0`, with one
    trained vector `x_num_0` for the field; where numbers may be missing, a missing
    one, NaN, has another trained vector of the field. A field may have another embedding
    of its numbers, one of `NUMBER_EMBEDDINGS`. The values of a multivalued field or a
    sequence have a vector each, like a category, which `ValuePooling` makes one of; they
    may be another field's vectors.

    Id 0 of each categorical field is its out-of-vocabulary id: values that are
    unseen or rarer than the data set's threshold share its row, which is
    trained like any other.

    Args:
        vocabulary_sizes: Number of ids of each categorical field, id 0 included, then of
            each cross, then of each field of several values.
        num_numerical: Number of numerical fields. Defaults to 0.
        missing_numbers: Whether numbers may be missing. Defaults to `False`.
        embedding_dim: Embedding size d.
        embeddings_initializer: Initializer of all tables. Defaults to
            `"glorot_uniform"`.
        embeddings_regularizer: Regularizer of all tables. Defaults to `None`.
        crossing: The `CrossedFields` that makes the ids of the last categorical
            fields, which the inputs do not hold. Defaults to `None`: there are none.
        frozen: Positions of categorical fields that have `FrozenVectors`, and the
            numbers of their dimensions. Defaults to none.
        number_embeddings: The name of each numerical field's embedding, `"product"` or one
            of `NUMBER_EMBEDDINGS`. Defaults to none given: all are products.
        multivalued: Of each field of several values the most values that it has, and its
            pooling: one of `ValuePooling`'s, `"target"`, or a layer that is called as
            `ActivationUnit`. These pool by the vector of the field that is shared, which has
            one value. Defaults to none: there is no such field.
        shared: Positions in `vocabulary_sizes` of fields without rows of their own, and
            of those whose rows they use; see `Schema.shared`. Defaults to none.
        **kwargs: Arguments of `keras.layers.Layer`.

    Call arguments:
        inputs: Dictionary of `categorical`, (B, C) integers, each within
            [0, vocabulary size) of its field, `numerical`, (B, N) floats, and
            `multivalued`, (B, L) integers, as the `Schema` has them.
            A kind without fields may be absent. Training records may have `fold`, (B,),
            for crosses with click counts. Ranges are not checked here,
            where compiled code could not report them: see `Schema.check`.

    Returns:
        X_0, (B, m, d): the categorical fields, the numerical, those of several values.

    Raises:
        ValueError: If there is no field or a vocabulary is empty.

    Example:

    >>> embed = FieldEmbedding(vocabulary_sizes=[3, 5], num_numerical=1, embedding_dim=4)
    >>> embed({"categorical": np.array([[2, 4], [1, 0]]), "numerical": np.ones((2, 1))}).shape
    TensorShape([2, 3, 4])
    """

    def __init__(
        self,
        vocabulary_sizes: Sequence[int],
        num_numerical: int = 0,
        *,
        missing_numbers: bool = False,
        embedding_dim: int,
        embeddings_initializer: Initializer = "glorot_uniform",
        embeddings_regularizer: Regularizer = None,
        crossing: CrossedFields | Mapping[str, Any] | None = None,
        frozen: Sequence[tuple[int, int]] = (),
        number_embeddings: Sequence[str] = (),
        multivalued: Sequence[tuple[int, str | Mapping[str, Any] | keras.layers.Layer]] = (),
        shared: Sequence[tuple[int, int]] = (),
        **kwargs: Any,
    ):
        super().__init__(**kwargs)
        self.vocabulary_sizes = tuple(int(size) for size in vocabulary_sizes)
        self.num_numerical = int(num_numerical)
        self.missing_numbers = missing_numbers
        if not self.vocabulary_sizes and not self.num_numerical:
            raise SettingError("FieldEmbedding needs at least one categorical or numerical field")
        if any(size < 1 for size in self.vocabulary_sizes):
            raise SettingError(f"vocabulary sizes must be at least 1, got {self.vocabulary_sizes}")
        self.embedding_dim = int(embedding_dim)
        self.embeddings_initializer = keras.initializers.get(embeddings_initializer)
        self.embeddings_regularizer = keras.regularizers.get(embeddings_regularizer)
        if isinstance(crossing, Mapping):
            crossing = CrossedFields.from_config(crossing)
        self.crossing: Any = crossing
        self.frozen_layers = {
            column: FrozenVectors(
                self.vocabulary_sizes[column],
                dim,
                self.embedding_dim,
                dtype=self.dtype_policy,
                name=f"frozen_{column}",
            )
            for column, dim in frozen
        }
        names = tuple(number_embeddings) or (PRODUCT,) * self.num_numerical
        self.columns_by_name = {
            name: [column for column, of_column in enumerate(names) if of_column == name]
            for name in dict.fromkeys(names)
        }
        self.number_layers = {
            name: NUMBER_EMBEDDINGS[name](
                len(columns),
                self.embedding_dim,
                embeddings_initializer=self.embeddings_initializer,
                embeddings_regularizer=self.embeddings_regularizer,
                dtype=self.dtype_policy,
                name=name,
            )
            for name, columns in self.columns_by_name.items()
            if name != PRODUCT
        }
        self.owners, self.table_rows, self.offsets = _rows_of(self.vocabulary_sizes, dict(shared))
        self.max_lengths = [length for length, _ in multivalued]
        self.poolings = [
            self._pooling(pooling, f"pooling_{i}") for i, (_, pooling) in enumerate(multivalued)
        ]
        self.starts = tuple(itertools.accumulate(self.max_lengths, initial=0))  # their columns
        self.single = len(self.vocabulary_sizes) - len(self.poolings)  # fields of one id

    def build(self, input_shape: Mapping[str, Shape] | None = None) -> None:
        """Creates the tables.

        They are (sum of vocabulary sizes that are not shared, d), (fields with products, d)
        and, of missing numbers, (N, d).
        """
        if self.vocabulary_sizes:
            # Cast row by row: a table may be larger than all that a step computes.
            self.table = self._add_table("table", self.table_rows, autocast=False)
        for layer in self.frozen_layers.values():
            layer.build()
        for length, pooling in zip(self.max_lengths, self.poolings, strict=True):
            pooling.build((None, length, self.embedding_dim))
        if PRODUCT in self.columns_by_name:
            products = len(self.columns_by_name[PRODUCT])
            self.numerical_table = self._add_table("numerical_table", products)
        for layer in self.number_layers.values():
            layer.build()
        if self.num_numerical and self.missing_numbers:
            self.missing_table = self._add_table("missing_table", self.num_numerical)
        self.built = True

    @property
    def needs_numbers(self) -> bool:
        """Whether `adapt` has to be called before the layer can embed."""
        return any(isinstance(layer, BinnedEmbedding) for layer in self.number_layers.values())

    def adapt(self, numbers: np.ndarray) -> None:
        """Takes in the distribution of training records' numbers, where they are put in bins.

        Args:
            numbers: Numbers, (rows, N), NaN where missing.
        """
        for name, layer in self.number_layers.items():
            if isinstance(layer, BinnedEmbedding):
                layer.adapt(numbers[:, self.columns_by_name[name]])

    def _pooling(self, pooling: Any, name: str) -> keras.layers.Layer:
        """Returns the layer of a pooling, which may be one already."""
        if isinstance(pooling, Mapping):
            return keras.saving.deserialize_keras_object(pooling)
        if pooling == TARGET:
            return ActivationUnit(
                (TARGET_UNITS,), activation="relu", softmax=True, dtype=self.dtype_policy, name=name
            )
        if isinstance(pooling, str):
            return ValuePooling(pooling, dtype=self.dtype_policy, name=name)
        return pooling

    def _add_table(self, name: str, rows: int, autocast: bool = True) -> keras.Variable:
        return self.add_weight(
            name=name,
            autocast=autocast,
            shape=(rows, self.embedding_dim),
            initializer=keras.initializers.get(self.embeddings_initializer),
            regularizer=self.embeddings_regularizer,
        )

    def call(self, inputs: Batch, training: bool = False) -> Tensor:
        """Returns X_0, (B, m, d)."""
        parts = []
        if self.single:
            parts.append(self._embed_ids(inputs[CATEGORICAL], inputs.get(FOLD)))  # (B, C, d)
        if self.num_numerical:
            parts.append(self._embed_numbers(inputs[NUMERICAL]))  # (B, N, d)
        if self.poolings:
            vectors, _ = self._pool_values(inputs, parts[0] if self.single else None, training)
            parts.append(vectors)  # (B, V, d)
        return ops.concatenate(parts, axis=1) if len(parts) > 1 else parts[0]  # (B, m, d)

    def value_weights(self, inputs: Batch) -> Tensor:
        """Returns how much each value has in its field's vector, (B, L); see `ValuePooling`.

        Args:
            inputs: As for the call.
        """
        categories: Any = None
        if self.single:
            categories = self._embed_ids(inputs[CATEGORICAL], inputs.get(FOLD))  # (B, C, d)
        _, shares = self._pool_values(inputs, categories, training=False)
        return shares

    def value_vectors(self, inputs: Batch) -> tuple[Tensor, Tensor]:
        """Returns the values' own vectors, (B, L, d), and which of the L there are, (B, L).

        Behind the values of a field are vectors that mean nothing.

        Args:
            inputs: As for the call.
        """
        ids = ops.cast(inputs[MULTIVALUED], "int32")  # (B, L)
        present = ops.not_equal(ids, PADDING)  # (B, L)
        # Padding reads the row of the record's first value, which is read in any case: an
        # optimizer that moves the rows of a batch moves no other one for it.
        first = ops.take(ids, np.repeat(self.starts[:-1], self.max_lengths), axis=1)  # (B, L)
        ids = ops.maximum(ops.where(present, ids, first), 0)  # (B, L)
        rows = ids + np.repeat(self.offsets[self.single :], self.max_lengths)  # (B, L)
        vectors = ops.cast(take_rows(self.table, rows), self.compute_dtype)  # (B, L, d)
        for field, column in enumerate(self.owners[self.single :]):
            if column in self.frozen_layers:
                columns = slice(*self.starts[field : field + 2])
                layer = self.frozen_layers[column]
                given = layer(ids[:, columns], vectors[:, columns])  # (B, its columns, d)
                parts_of = (vectors[:, : columns.start], given, vectors[:, columns.stop :])
                vectors = ops.concatenate(parts_of, axis=1)  # (B, L, d)
        return vectors, present

    def _embed_ids(self, ids: Tensor, folds: Tensor | None) -> Tensor:
        ids = ops.cast(ids, "int32")
        if self.crossing:
            ids = self.crossing(ids, folds)  # (B, C)
        rows = ids + self.offsets[: self.single]  # (B, C)
        values = ops.cast(take_rows(self.table, rows), self.compute_dtype)  # (B, C, d)
        for column, layer in self.frozen_layers.items():
            given = ops.expand_dims(layer(ids[:, column], values[:, column]), 1)  # (B, 1, d)
            parts_of = (values[:, :column], given, values[:, column + 1 :])
            values = ops.concatenate(parts_of, axis=1)  # (B, C, d)
        return values

    def _embed_numbers(self, numbers: Tensor) -> Tensor:
        numbers = ops.cast(numbers, self.variable_dtype)  # (B, N)
        if not self.missing_numbers:
            return self._embed_known(numbers)  # (B, N, d)
        missing = ops.isnan(numbers)
        # A product with NaN would have gradients of NaN, also where it is not taken.
        numbers = ops.where(missing, ops.zeros_like(numbers), numbers)
        vectors = ops.convert_to_tensor(self.missing_table)  # (N, d); JAX's where takes no variable
        return ops.where(ops.expand_dims(missing, -1), vectors, self._embed_known(numbers))

    def _embed_known(self, numbers: Tensor) -> Tensor:
        parts = []
        for name, columns in self.columns_by_name.items():
            of_name = numbers if len(self.columns_by_name) == 1 else ops.take(numbers, columns, 1)
            if name == PRODUCT:
                factors = ops.expand_dims(ops.cast(of_name, self.compute_dtype), -1)
                parts.append(factors * self.numerical_table)  # (B, fields, d)
            else:
                parts.append(self.number_layers[name](of_name))  # (B, fields, d)
        if len(parts) == 1:
            return parts[0]
        places = np.argsort(np.concatenate(list(self.columns_by_name.values())))
        return ops.take(ops.concatenate(parts, axis=1), places, axis=1)  # (B, N, d)

    def _pool_values(
        self, inputs: Batch, categories: Tensor, training: bool
    ) -> tuple[Tensor, Tensor]:
        values, present = map(self._by_field, self.value_vectors(inputs))
        of_fields, shares = [], []
        for i, pooling in enumerate(self.poolings):
            if isinstance(pooling, ValuePooling):
                pooled, share = pooling(values[i], present[i])
            else:
                target = categories[:, self.owners[self.single + i]]  # (B, d)
                pooled, share = pooling(values[i], target, present[i], training=training)
            of_fields.append(pooled)  # (B, d)
            shares.append(share)  # (B, its columns)
        return ops.stack(of_fields, axis=1), ops.concatenate(shares, axis=1)  # (B, V, d), (B, L)

    def _by_field(self, of_values: Tensor) -> list[Tensor]:
        """Returns what (B, L, ...) has of each field, (B, its columns, ...)."""
        if len(self.poolings) == 1:  # TensorFlow splits nothing into one part
            return [of_values]
        # Its gradient copies once; that of slices fills a tensor of zeros for each field.
        return ops.split(of_values, self.starts[1:-1], axis=1)

    def get_config(self) -> dict[str, Any]:
        """Returns the arguments of the layer."""
        config = super().get_config()
        given = zip(config["multivalued"], self.poolings, strict=True)
        multivalued = [
            (length, pooling if isinstance(pooling, str) else _serialized(layer))
            for (length, pooling), layer in given
        ]
        crossing = self.crossing and self.crossing.get_config()
        return {**config, "crossing": crossing, "multivalued": multivalued}

    def compute_output_shape(self, input_shape: Mapping[str, Shape]) -> Shape:
        """Returns (B, m, d) for a dictionary of input shapes."""
        batch = next(iter(input_shape.values()))[0]
        return (batch, len(self.vocabulary_sizes) + self.num_numerical, self.embedding_dim)


def _serialized(layer: keras.layers.Layer) -> dict[str, Any]:
    """Returns a layer's class and arguments alone: it is built again with the embedding."""
    return keras.saving.serialize_keras_object(type(layer).from_config(layer.get_config()))


def _rows_of(
    sizes: Sequence[int], shared: Mapping[int, int]
) -> tuple[tuple[int, ...], int, np.ndarray]:
    """Returns whose rows each field has, the table's number of rows, and where a field's begin."""
    owners = tuple(shared.get(column, column) for column in range(len(sizes)))
    rows = [0 if column in shared else size for column, size in enumerate(sizes)]
    return owners, sum(rows), np.cumsum([0, *rows]).astype("int32")[list(owners)]
