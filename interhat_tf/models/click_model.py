"""What all models have in common."""

import inspect
import pathlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, ClassVar

import keras
import numpy as np
from keras import ops

from interhat_tf.calibration import Calibration
from interhat_tf.errors import SettingError
from interhat_tf.layers import MLP, CrossedFields, FieldEmbedding, Linear
from interhat_tf.layers.numerical.exact_numbers import ExactNumbers
from interhat_tf.layers.value_pooling import MEAN, SUM
from interhat_tf.models.effects_model import EffectsModel
from interhat_tf.models.input_checks import CheckedInputs
from interhat_tf.models.number_embeddings import number_embeddings
from interhat_tf.models.poolings import poolings
from interhat_tf.ops import Tensor
from interhat_tf.schema import KINDS, NUMERICAL, Schema
from interhat_tf.utils.config import Activation, Initializer
from interhat_tf.utils.files import read_json, write_json
from interhat_tf.utils.formats import FORMAT, FORMAT_ASSET
from interhat_tf.utils.limits import check_limits

_ASSETS = ("training_settings", "diagnosis", "trained_on")
"""What is saved with a model beside its configuration and its weights."""

_CALIBRATION = "calibration.json"


class ClickModel(CheckedInputs, EffectsModel, ExactNumbers):
    """A model that maps the fields of a record to a logit; all models derive from it.

    It holds the schema and makes the parts that most models are built of. A
    model's `__init__` makes its layers and ends with `self.build()`; its `call`
    is its equation. Its configuration is the arguments of its `__init__`.

    Logits are float32 even if the model computes in a narrower type: the loss
    needs them so.

    Args:
        schema: The record's `Schema`, or what its `to_dict` returned.
        frozen_vectors: Categorical fields whose embeddings are given vectors that are
            not trained, and the numbers of their dimensions; `training.load_vectors`
            sets it. Defaults to none.
        numerical_embedding: The embedding of numerical fields, `"product"` or a name in
            `layers.NUMBER_EMBEDDINGS`; or names by field, where the fields left out have
            products. Defaults to `None`, products `v * x`, the paper's. First-order terms
            and LR's are embeddings of size 1 of the same kind.
        pooling: How the values of multivalued fields and sequences become one vector:
            `"mean"`, `"sum"`, `"max"` or `"attention"` for all of them, or one for each by
            its name; see `layers.ValuePooling`. A field that shares another's vocabulary
            may have `"target"`: attention that the other's value decides on, as what of a
            history of movies counts for this movie; see `layers.ActivationUnit`. Defaults
            to `None`: `"mean"`, and in models that explain themselves `"attention"`.
        **kwargs: Arguments of `keras.Model`.

    Raises:
        ValueError: If a number among the arguments is not what `utils.limits` allows, or
            there is no such embedding or numerical field.

    Call arguments:
        inputs: Dictionary of `categorical`, (B, C) ids, `numerical`, (B, N)
            floats, and `multivalued`, (B, L) ids, as the schema has them.
        training: Whether dropout is active and batch statistics are used.

    Returns:
        Logits, (B, 1).
    """

    mlp_layer: ClassVar[type[MLP]] = MLP
    default_pooling: ClassVar[str] = MEAN

    def __init__(
        self,
        schema: Schema | Mapping[str, Any],
        *,
        frozen_vectors: Mapping[str, int] | None = None,
        numerical_embedding: str | Mapping[str, str] | None = None,
        pooling: str | Mapping[str, str] | None = None,
        **kwargs: Any,
    ):
        super().__init__(**kwargs)
        parameters = inspect.signature(type(self)).parameters.values()
        check_limits(self._arguments, {p.name: p.annotation for p in parameters})
        self.frozen_vectors = dict(frozen_vectors or {})
        self.schema = schema if isinstance(schema, Schema) else Schema.from_dict(schema)
        self.number_embeddings = number_embeddings(self.schema, numerical_embedding)
        self.pooling = self._choose_poolings(pooling)
        crosses = self.schema.crosses
        self.crossing = CrossedFields(self.schema, name="crossing") if crosses else None
        self.training_settings = {}
        self.diagnosis = {}
        self.trained_on = {}
        self.calibration: Calibration | None = None
        """How logits become probabilities; saved with the model. `None`: by a sigmoid."""

    @property
    def training_settings(self) -> dict[str, Any]:
        """What `training.train` trains the model with if it is given no settings.

        Arguments of `TrainingSettings`, as plain data. They are saved with the
        model, but are no part of its configuration: two models that differ in
        them alone are the same model.
        """
        return self._training_settings

    @training_settings.setter
    def training_settings(self, settings: Mapping[str, Any]) -> None:
        # Keras' own `__setattr__` would make a dictionary that it tracks.
        object.__setattr__(self, "_training_settings", dict(settings))

    @property
    def diagnosis(self) -> dict[str, Any]:
        """What `diagnose` and `fit_effects` have found, as plain data; saved with the model."""
        return self._diagnosis

    @diagnosis.setter
    def diagnosis(self, diagnosis: Mapping[str, Any]) -> None:
        object.__setattr__(self, "_diagnosis", dict(diagnosis))

    @property
    def trained_on(self) -> dict[str, str]:
        """Name and `PreparedDataset.digests` of the set that the model was trained on.

        `training.train` notes it; it is saved with the model. Empty where it is not known.
        """
        return self._trained_on

    @trained_on.setter
    def trained_on(self, trained_on: Mapping[str, str]) -> None:
        object.__setattr__(self, "_trained_on", dict(trained_on))

    def adapt_numbers(self, batches: Iterable[Any]) -> None:
        """Takes in the distribution of training records' numbers, if an embedding has bins.

        `training.train` calls it before the first step; before Keras' `fit` it is yours to
        call. Until then the logits of such a model are not a number.

        Args:
            batches: Batches of training records, with labels or without; they are not read
                if no embedding has bins.
        """
        layers: Any = self._flatten_layers()
        binned = [x for x in layers if isinstance(x, FieldEmbedding) and x.needs_numbers]
        if not binned:
            return
        inputs = (keras.utils.unpack_x_y_sample_weight(batch)[0] for batch in batches)
        numbers = np.concatenate([np.asarray(values[NUMERICAL]) for values in inputs])
        for layer in binned:
            layer.adapt(numbers)

    def adapt_scores(self, batches: Iterable[Any]) -> None:
        """Takes in how much fields vary, before a training; most models need nothing of it."""

    def adapt(self, batches: Iterable[Any]) -> None:
        """Takes in what explanations need of training records; most models need nothing."""

    def diagnose(self, batches: Iterable[Any], evaluate: Callable[..., Any]) -> dict[str, Any]:
        """Finds out more about the model than its metrics; of most models there is nothing."""
        return {}

    @property
    def num_fields(self) -> int:
        """The number m of fields."""
        return len(self.schema.fields)

    def drop_fits(self) -> None:
        """Drops what was fitted to the weights; called when they change.

        These are what its attention is worth, the effects that it estimates and its calibration.
        """
        self.drop_effects()
        self.diagnosis = {k: found for k, found in self.diagnosis.items() if k != "attention"}
        self.calibration = None

    def fit(self, *args: Any, **kwargs: Any) -> Any:
        """Trains as `keras.Model.fit`; drops what was found of other weights, as `train` does."""
        self.drop_fits()
        return super().fit(*args, **kwargs)

    def train_on_batch(self, *args: Any, **kwargs: Any) -> Any:
        """Trains as `keras.Model.train_on_batch`, and drops what `fit` does."""
        self.drop_fits()
        return super().train_on_batch(*args, **kwargs)

    def set_weights(self, weights: Sequence[Any]) -> None:
        """Takes in weights as `keras.Model.set_weights`, and drops what `fit` does."""
        self.drop_fits()
        super().set_weights(weights)

    def load_weights(self, filepath: Any, *args: Any, **kwargs: Any) -> Any:
        """Loads weights as `keras.Model.load_weights`, and drops what `fit` does."""
        self.drop_fits()
        return super().load_weights(filepath, *args, **kwargs)

    def export(self, filepath: str, *args: Any, **kwargs: Any) -> Any:
        """Exports as `keras.Model.export`; `serving.export_saved_model` takes a log's values."""
        specs = {
            kind: keras.InputSpec(KINDS[kind], (None, len(columns)), name=kind)
            for kind, columns in self.schema.columns.items()
        }
        return super().export(filepath, *args, **{"input_signature": [specs], **kwargs})

    def quantize(self, *args: Any, **kwargs: Any) -> None:
        """Refuses Keras' quantisation, which the layers' kernels do not read.

        Raises:
            ValueError: Always.
        """
        raise SettingError(
            "Keras' quantize does not know these layers; use export_onnx and quantise the file"
        )

    @property
    def losses(self) -> list[Tensor]:
        """The penalties and the layers' own losses, in the type of the loss given to `compile`.

        Keras adds them to that loss as they are, which fails in `float64` and pure `bfloat16`.
        """
        dtype = getattr(getattr(self, "loss", None), "dtype", keras.config.floatx())
        return [ops.cast(loss, dtype) for loss in super().losses]

    @property
    def logit_dtype(self) -> str:
        """The type of the logits: float32, or float64 if the model computes in that."""
        return "float64" if self.compute_dtype == "float64" else "float32"

    def columns_of(self, layer: FieldEmbedding) -> Sequence[int]:
        """Returns which categorical fields and crosses a table has rows for, by their positions.

        Most models' tables are of all. `training.grow_model` asks.
        """
        return range(len(self.schema.vocabulary_sizes))

    def build(self, input_shape: Any = None) -> None:
        """Creates all weights by a call without values; their shapes follow from the schema."""
        self.call(self.symbolic_inputs())
        self.built = True

    def symbolic_inputs(self) -> dict[str, keras.KerasTensor]:
        """Returns inputs without values, of which shapes and types alone are known."""
        return {
            kind: keras.KerasTensor((None, len(columns)), KINDS[kind])
            for kind, columns in self.schema.columns.items()
        }

    def compute_output_shape(self, input_shape: Mapping[str, Sequence]) -> tuple:
        """Returns (B, 1)."""
        return (next(iter(input_shape.values()))[0], 1)

    def get_config(self) -> dict[str, Any]:
        """Returns the arguments of the model."""
        return {**super().get_config(), "schema": self.schema.to_dict()}

    def save_assets(self, dir_path: str) -> None:
        """Writes what a model has beside configuration and weights, for Keras' `save`.

        That is the file's format, training settings, diagnosis, data set and calibration.
        """
        super().save_assets(dir_path)
        write_json(pathlib.Path(dir_path) / FORMAT_ASSET, {"format": FORMAT})
        for name in _ASSETS:
            if content := getattr(self, name):
                write_json(pathlib.Path(dir_path) / f"{name}.json", content)
        if self.calibration:
            write_json(pathlib.Path(dir_path) / _CALIBRATION, self.calibration.to_dict())

    def load_assets(self, dir_path: str | None) -> None:
        """Reads what `save_assets` wrote, for Keras' `load_model`."""
        super().load_assets(dir_path)
        for name in _ASSETS:
            if dir_path and (path := pathlib.Path(dir_path) / f"{name}.json").exists():
                setattr(self, name, read_json(path))
        if dir_path and (path := pathlib.Path(dir_path) / _CALIBRATION).exists():
            self.calibration = Calibration.from_dict(read_json(path))

    def _make_linear(self, l2_strength: float, use_bias: bool) -> Linear:
        return Linear(
            self.schema.vocabulary_sizes,
            len(self.schema.numerical),
            missing_numbers=self.schema.missing_numbers,
            use_bias=use_bias,
            weights_regularizer=l2(l2_strength),
            crossing=self.crossing,
            number_embeddings=self.number_embeddings,
            # Weights add up: which of them is the largest means nothing.
            multivalued=self._multivalued([p if p == SUM else MEAN for p in self.pooling]),
            shared=self.schema.shared,
            dtype=self.logit_dtype,
            name="linear",
        )

    def _choose_poolings(self, chosen: str | Mapping[str, str] | None) -> list[str]:
        """Returns the pooling of each field of several values; see `poolings`."""
        return poolings(self.schema, chosen, self.default_pooling)

    def _multivalued(self, poolings: Sequence[str]) -> list[tuple[int, Any]]:
        lengths = [field.max_length for field in self.schema.multivalued]
        return list(zip(lengths, poolings, strict=True))

    def _make_embedding(
        self, embedding_dim: int, initializer: Initializer, l2_strength: float
    ) -> FieldEmbedding:
        names = [field.name for field in self.schema.categorical]
        return FieldEmbedding(
            self.schema.vocabulary_sizes,
            len(self.schema.numerical),
            missing_numbers=self.schema.missing_numbers,
            embedding_dim=embedding_dim,
            embeddings_initializer=initializer,
            embeddings_regularizer=l2(l2_strength),
            crossing=self.crossing,
            frozen=[(names.index(name), dim) for name, dim in self.frozen_vectors.items()],
            number_embeddings=self.number_embeddings,
            multivalued=self._multivalued(self.pooling),
            shared=self.schema.shared,
            dtype=self.dtype_policy,
            name="embedding",
        )

    def _make_mlp(
        self,
        units: Sequence[int],
        dropout: float,
        batch_norm: bool,
        l2_strength: float,
        name: str = "mlp",
        activation: Activation = "relu",
    ) -> MLP:
        return self.mlp_layer(
            units,
            activation=activation,
            dropout=dropout,
            batch_norm=batch_norm,
            kernel_regularizer=l2(l2_strength),
            dtype=self.dtype_policy,
            name=name,
        )

    def _make_logit(
        self, l2_strength: float, use_bias: bool = True, name: str = "logit"
    ) -> keras.layers.Dense:
        return keras.layers.Dense(
            1,
            use_bias=use_bias,
            kernel_regularizer=l2(l2_strength),
            bias_regularizer=l2(l2_strength),
            dtype=self.logit_dtype,
            name=name,
        )

    def _flatten(self, fields: Tensor) -> Tensor:
        return ops.reshape(fields, (-1, self.num_fields * fields.shape[-1]))  # (B, m * d)


def l2(strength: float) -> keras.Regularizer | None:
    """Returns the regularizer `strength * sum(w**2)`, or none for 0."""
    return keras.regularizers.L2(strength) if strength else None
