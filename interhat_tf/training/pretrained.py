"""Vectors of a field's values that come from elsewhere: a text model, images, another task."""

from collections.abc import Mapping
from typing import Any

import keras
import numpy as np
from keras import ops

from interhat_tf.errors import DataError, SettingError
from interhat_tf.input_pipeline.dataset import PreparedDataset
from interhat_tf.layers import FieldEmbedding, FrozenVectors
from interhat_tf.training.distribution import scope_of
from interhat_tf.training.table_sharding import pad_vocabulary


def load_vectors(
    model: keras.Model,
    data: PreparedDataset,
    field: str,
    vectors: Mapping[str, Any],
    *,
    trainable: bool = True,
) -> keras.Model:
    """Returns a model whose embeddings of a field start as given vectors, or stay as these.

    Values without a vector keep what the model has for them, and are trained. How
    many values have one is the returned model's `diagnosis["vectors"]`, which its
    report shows. First-order weights, which some baselines have beside their
    embeddings, are not touched.

    Frozen vectors keep every bit of theirs, whatever the optimizer, penalties and
    averages do. They may have another number of dimensions than the model's
    embeddings: a trained matrix then projects them. They are saved and exported with
    the model, and `grow_model` keeps them; values that are new have none.

    Args:
        model: A model with embeddings; it stays as it is. Its vocabulary may be padded
            if tables are sharded.
        data: The `input_pipeline.PreparedDataset` that it is of.
        field: Name of a categorical field.
        vectors: A vector, a sequence of numbers, for each raw value as the log has
            it. Values that the training rows do not have are left out.
        trainable: Whether training changes them. Defaults to `True`.

    Returns:
        The model with the vectors.

    Raises:
        ValueError: If there is no such field, or it is hashed, no value has a vector, the
            vectors are not of one length or not finite, vectors to train have another
            length than the embeddings, or the model has no embeddings.

    Example:

        model = InterHAt(data.schema)
        model = load_vectors(model, data, "app", {"maps": [0.1, 0.7, …]}, trainable=False)
        model.diagnosis["vectors"]["app"]["with_vector"]
    """
    _check(model, data)
    names = [known.name for known in model.schema.categorical]
    if field not in names:
        raise SettingError(f"there is no categorical field {field!r}; there are {', '.join(names)}")
    if not isinstance(getattr(model, "embedding", None), FieldEmbedding):
        raise SettingError(
            f"{type(model).__name__} has no embeddings that the vectors could replace"
        )
    hash_size = model.schema.categorical[names.index(field)].hash_size
    if hash_size is not None:
        raise SettingError(
            f"field {field!r} is hashed into {hash_size:,}: an id stands for many values and "
            f"cannot have the vector of one; prepare the set without its hash_size"
        )
    column, width = names.index(field), model.embedding.embedding_dim
    ids, found = _vectors_of_ids(data, field, vectors)  # (n,), (n, e)
    if trainable and found.shape[1] != width:
        raise SettingError(
            f"field {field!r}: the vectors have {found.shape[1]} numbers, the embeddings {width}; "
            f"trained ones need as many: reduce them, or freeze them (trainable=False), which "
            f"projects them"
        )
    frozen = dict(model.frozen_vectors) | {field: found.shape[1]}
    if trainable:
        del frozen[field]
    changed = _with_frozen(model, frozen)
    if trainable:
        _assign_rows(changed.embedding.table, ids + changed.embedding.offsets[column], found)
    else:
        layer: FrozenVectors = changed.embedding.frozen_layers[column]
        _assign_rows(layer.vectors, ids, found)
        _assign_rows(layer.known, ids, np.ones(len(ids), bool))
    told = {"values": len(data.vocabularies[field]), "with_vector": len(ids)}
    about = {**told, "dim": found.shape[1], "trainable": trainable}
    of_fields = {**model.diagnosis.get("vectors", {}), field: about}
    changed.diagnosis = {"vectors": of_fields}
    return changed


def _check(model: keras.Model, data: PreparedDataset) -> None:
    """Checks that a model is of a data set; where tables are sharded, it may be padded."""
    if keras.distribution.distribution() is not None:
        size = sum(field.vocabulary_size for field in model.schema.categorical)
        padded = pad_vocabulary(data.schema.with_crosses(()), size)
        if model.schema.record_fields == padded.record_fields:
            return
    data.check_model(model)


def _vectors_of_ids(data, field, vectors):
    """Returns the ids that have a vector, (n,), and the vectors, (n, e)."""
    numbered = [(i, v) for i, v in enumerate(data.vocabularies[field], 1) if v in vectors]
    if not numbered:
        some = ", ".join(map(repr, data.vocabularies[field][:3]))
        raise DataError(
            f"field {field!r}: none of its values has a vector; they are written as {some}, …"
        )
    rows = [np.asarray(vectors[value], "float32") for _, value in numbered]
    for (_, value), row in zip(numbered, rows, strict=True):
        if row.ndim != 1 or row.shape != rows[0].shape or not np.isfinite(row).all():
            raise DataError(
                f"field {field!r}: the vector of {value!r} is not {len(rows[0])} finite numbers"
                if rows[0].ndim == 1
                else f"field {field!r}: the vector of {value!r} is not a list of numbers"
            )
    return np.array([i for i, _ in numbered]), np.stack(rows)


def _with_frozen(model, frozen):
    """Returns a copy of a model in which other fields have frozen vectors."""
    with scope_of(model):
        config = {**model.get_config(), "frozen_vectors": frozen or None}
        changed = type(model).from_config(config)
    # By their order: a layer without a name of its own has another one in each model.
    for variable, earlier in zip(_others(changed), _others(model), strict=True):
        variable.assign(ops.convert_to_numpy(earlier))
    kept = model.embedding.frozen_layers
    for column, layer in changed.embedding.frozen_layers.items():
        if column in kept and kept[column].vector_dim == layer.vector_dim:
            for variable, earlier in zip(layer.variables, kept[column].variables, strict=True):
                variable.assign(ops.convert_to_numpy(earlier))
    changed.training_settings, changed.trained_on = model.training_settings, model.trained_on
    return changed


def _others(model):
    """Returns the variables of a model but for those of frozen vectors."""
    layers = model.embedding.frozen_layers.values()
    frozen = {id(variable) for layer in layers for variable in layer.variables}
    return [variable for variable in model.variables if id(variable) not in frozen]


def _assign_rows(variable, rows, values):
    array = np.array(ops.convert_to_numpy(variable))
    array[rows] = values
    variable.assign(array)
