"""What all models have in common."""

import keras
from keras import ops

from interhat_tf.layers import MLP, FieldEmbedding, Linear
from interhat_tf.ops import own_operations
from interhat_tf.schema import Schema


class ClickModel(keras.Model):
    """A model that maps the fields of a record to a logit; all models derive from it.

    It holds the schema and the arguments, for saving, and makes the parts that
    most models are built of. Logits are float32 even if the model computes in a
    narrower type: the loss needs them so.

    Args:
        schema: The record's `Schema`, or what its `to_dict` returned.
        arguments: All other arguments of the model by name.
        **kwargs: Arguments of `keras.Model`.
    """

    def __init__(self, schema, arguments, **kwargs):
        super().__init__(**kwargs)
        self.schema = schema if isinstance(schema, Schema) else Schema.from_dict(schema)
        self._arguments = {
            name: tuple(value) if isinstance(value, (list, tuple)) else value
            for name, value in arguments.items()
        }

    @property
    def num_fields(self):
        """The number m of fields."""
        return len(self.schema.fields)

    @property
    def logit_dtype(self):
        """The type of the logits: float32, or float64 if the model computes in that."""
        return "float64" if self.compute_dtype == "float64" else "float32"

    def _make_linear(self, l2_strength, use_bias):
        return Linear(
            self.schema.vocabulary_sizes,
            len(self.schema.numerical),
            use_bias=use_bias,
            weights_regularizer=l2(l2_strength),
            dtype=self.logit_dtype,
            name="linear",
        )

    def _make_embedding(self, embedding_dim, initializer, l2_strength):
        return FieldEmbedding(
            self.schema.vocabulary_sizes,
            len(self.schema.numerical),
            embedding_dim=embedding_dim,
            embeddings_initializer=initializer,
            embeddings_regularizer=l2(l2_strength),
            dtype=self.dtype_policy,
            name="embedding",
        )

    def _make_mlp(self, units, dropout, batch_norm, l2_strength):
        return MLP(
            units,
            dropout=dropout,
            batch_norm=batch_norm,
            kernel_regularizer=l2(l2_strength),
            dtype=self.dtype_policy,
            name="mlp",
        )

    def _make_logit(self, l2_strength, use_bias=True, name="logit"):
        return keras.layers.Dense(
            1,
            use_bias=use_bias,
            kernel_regularizer=l2(l2_strength),
            bias_regularizer=l2(l2_strength),
            dtype=self.logit_dtype,
            name=name,
        )

    def _build_mlp(self, width):
        """Creates the weights of the MLP, for inputs of (B, width), and of the logit on it."""
        self.mlp.build((None, width))
        self.logit.build(self.mlp.compute_output_shape((None, width)))

    def _flatten(self, fields):
        return ops.reshape(fields, (-1, self.num_fields * fields.shape[-1]))  # (B, m * d)

    def predict_step(self, *args):
        """Predicts for a batch, for Keras' `predict`."""
        with own_operations():
            return super().predict_step(*args)

    def test_step(self, *args):
        """Evaluates a batch, for Keras' `evaluate`."""
        with own_operations():
            return super().test_step(*args)

    def compute_output_shape(self, input_shape):
        """Returns (B, 1)."""
        return (next(iter(input_shape.values()))[0], 1)

    def get_config(self):
        """Returns the arguments of the model."""
        config = {**super().get_config(), "schema": self.schema.to_dict(), **self._arguments}
        if "embeddings_initializer" in config:
            initializer = keras.initializers.get(config["embeddings_initializer"])
            config["embeddings_initializer"] = keras.initializers.serialize(initializer)
        return config


def l2(strength):
    """Returns the regularizer `strength * sum(w**2)`, or none for 0."""
    return keras.regularizers.L2(strength) if strength else None
