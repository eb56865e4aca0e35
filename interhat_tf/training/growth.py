"""A model of a set, made into one of the set that grew from it: old ids keep what they learnt."""

import dataclasses

import keras
import numpy as np
from keras import ops

from interhat_tf.click_counts import FOLDS
from interhat_tf.crosses import CrossedField
from interhat_tf.errors import SettingError
from interhat_tf.growth import NEW, Growth
from interhat_tf.input_pipeline.dataset import PreparedDataset
from interhat_tf.layers import FieldEmbedding
from interhat_tf.schema import OUT_OF_VOCABULARY, Schema
from interhat_tf.training.distribution import scope_of


def grow_model(model: keras.Model, data: PreparedDataset) -> keras.Model:
    """Returns a model of a grown data set that predicts as an earlier set's model does.

    Each table gets a row for each new id, which starts as the row of the field's
    unknown value, id 0: that is what the value was before. Whatever a record's
    values were in the earlier set, its prediction is the same, bit for bit, unless it has
    click counts, which count the new rows as well; a value
    that was dropped has become an unknown one. All else that the model holds is
    copied, but effects and diagnosis, which are of the earlier model.

    Combinations that a cross of the model knows stay; those that `data` has ids for,
    if it was opened with the same cross, join them.

    Args:
        model: The model, of the set that `data` grew from.
        data: The `input_pipeline.PreparedDataset`, prepared with `grow=`.

    Returns:
        The grown model; `model` stays as it is.

    Raises:
        ValueError: If the set did not grow, or not from the model's, or a cross by a
            hash has a field with dropped values.

    Example:

        model = keras.models.load_model("runs/day1/model.keras")
        train(grow_model(model, day2), day2, "runs/day2", start_from="runs/day1")
    """
    schema, growth = grow_schema(model.schema, data), data.growth
    assert growth is not None  # `grow_schema` has made sure
    trained_on = model.trained_on
    if trained_on and trained_on["vocabulary"] != growth.vocabulary:
        raise SettingError(
            f"the model was trained on {trained_on['name']}, whose ids stand for other values than "
            f"those of {growth.origin}, which {data.name} grew from; grow it from set to set"
        )
    with scope_of(model):
        grown = type(model).from_config({**model.get_config(), "schema": schema.to_dict()})
    rows = rows_of_tables(grown, model.schema, growth)
    for weight, earlier in zip(grown.variables, model.variables, strict=True):
        array = ops.convert_to_numpy(earlier)
        table = rows.get(weight.path)
        weight.assign(array if table is None else table.grow_weights(array))
    grown.training_settings, grown.calibration = model.training_settings, model.calibration
    grown.trained_on = {"name": data.name, **data.digests}  # whose ids it knows from now on
    return grown


@dataclasses.dataclass(frozen=True)
class TableRows:
    """Where the rows of a table come from.

    Args:
        sources: The earlier table's row for each row, `NEW` where there was none, (rows,).
        unknown: The earlier row of its field's unknown value, (rows,); `None` of
            frozen vectors, of which new values have none.
    """

    sources: np.ndarray
    unknown: np.ndarray | None

    def grow_weights(self, array: np.ndarray) -> np.ndarray:
        """Returns the rows of a table, new ones as the unknown value's."""
        if self.unknown is None:
            return self.grow_moments(array)
        return array[np.where(self.sources == NEW, self.unknown, self.sources)]

    def grow_moments(self, array: np.ndarray) -> np.ndarray:
        """Returns the rows of an optimizer's moments, zeros for new ones.

        So it is in an unbroken training for a value that no batch has had yet. The
        unknown value's moments are of other records' gradients.
        """
        rows = array[np.maximum(self.sources, 0)]
        rows[self.sources == NEW] = 0
        return rows


def rows_of_tables(
    model: keras.Model, earlier: Schema, growth: Growth | None
) -> dict[str, TableRows]:
    """Returns where the rows of a model's tables come from, by the variable's path.

    Args:
        model: The grown model.
        earlier: The schema of the model that it grew from.
        growth: How the set grew; `None` if it did not.

    Raises:
        ValueError: If a table has rows for other fields than the model says.
    """
    if growth is None:
        return {}
    sources = _sources(earlier, model.schema, growth)
    starts = earlier.vocabulary_sizes
    found = {}
    for layer in model._flatten_layers():
        if not isinstance(layer, FieldEmbedding) or not layer.vocabulary_sizes:
            continue
        columns = list(model.columns_of(layer))
        sizes = tuple(model.schema.vocabulary_sizes[column] for column in columns)
        if sizes != layer.vocabulary_sizes:
            raise SettingError(
                f"{layer.path}: its table is not of the fields that columns_of names; "
                f"{type(model).__name__}.columns_of has to say which they are"
            )
        own = [column for i, column in enumerate(columns) if layer.owners[i] == i]
        offsets = np.cumsum([0, *(starts[column] for column in own)])[:-1]
        rows = [
            np.where(sources[column] == NEW, NEW, sources[column] + offset)
            for column, offset in zip(own, offsets, strict=True)
        ]
        unknown = np.repeat(offsets, [model.schema.vocabulary_sizes[column] for column in own])
        found[layer.table.path] = TableRows(np.concatenate(rows), unknown)
        for column, frozen in layer.frozen_layers.items():
            for variable in (frozen.vectors, frozen.known):
                found[variable.path] = TableRows(sources[columns[column]], None)
    return found


def grow_schema(schema: Schema, data: PreparedDataset) -> Schema:
    """Returns the schema of a grown data set with the crosses of an earlier schema.

    Raises:
        ValueError: As `grow_model` does.
    """
    growth = data.growth
    if growth is None:
        raise SettingError(f"{data.name} did not grow from another set: prepare it with grow=")
    earlier = Schema(
        dataclasses.replace(field, vocabulary_size=growth.sizes.get(field.shares or field.name, 0))
        for field in data.schema.record_fields
    )
    if difference := schema.difference(earlier):
        raise SettingError(
            f"the model is not of {growth.origin}, which {data.name} grew from, the other: "
            f"{difference}; grow it from set to set"
        )
    more = {cross.name: cross for cross in data.schema.crosses}
    if new := {cross.name for cross in data.schema.crosses} - {c.name for c in schema.crosses}:
        raise SettingError(
            f"the model has no cross {min(new)}: open {data.name} without it, or train a new model"
        )
    sizes = _sizes(data.schema)
    crosses = [_grow_cross(c, more.get(c.name), growth, sizes)[0] for c in schema.crosses]
    return data.schema.with_crosses(crosses)


def _sources(earlier: Schema, schema: Schema, growth: Growth) -> list[np.ndarray]:
    """Returns the earlier id of each id that a table has a row for, field after field."""
    of_fields, of_lists = (
        [growth.sources(field.shares or field.name, field.vocabulary_size) for field in fields]
        for fields in (schema.categorical, schema.multivalued)
    )
    pairs = zip(earlier.crosses, schema.crosses, strict=True)
    sizes = _sizes(schema)
    of_crosses = [_grow_cross(old, new, growth, sizes)[1] for old, new in pairs]
    return [*of_fields, *of_crosses, *of_lists]


def _sizes(schema: Schema) -> dict[str, int]:
    return {field.name: field.vocabulary_size for field in schema.categorical}


def _grow_cross(
    cross: CrossedField, more: CrossedField | None, growth: Growth, sizes: dict[str, int]
) -> tuple[CrossedField, np.ndarray]:
    """Returns a cross with the combinations of another one, and the earlier id of each id."""
    ids = [_ids_now(name, growth, sizes[name]) for name in cross.fields]
    if cross.combinations is None:
        if dropped := [name for name in cross.fields if growth.dropped.get(name)]:
            raise SettingError(
                f"cross {cross.name!r}: the ids of {dropped[0]!r} closed up when values were "
                f"dropped, so that its hash gives others; drop none, or train a new model"
            )
        return cross, np.arange(cross.vocabulary_size)
    known = np.stack([now[c] for now, c in zip(ids, cross.combinations.T, strict=True)], axis=1)
    kept = np.flatnonzero((known != OUT_OF_VOCABULARY).all(axis=1))
    every = np.concatenate([known[kept], *([] if more is None else [more.combinations])])
    combinations, first, places = np.unique(every, axis=0, return_index=True, return_inverse=True)
    if cross.counts is not None:
        counts = np.zeros((len(combinations), FOLDS + 1, 2), "int32")
        # No record of the earlier sets is in training now, so that all may see them.
        counts[places[: len(kept)], FOLDS] = cross.counts[kept].sum(axis=1)
        if more is not None:
            counts[places[len(kept) :]] += more.counts
        field = CrossedField(cross.fields, combinations, counts=counts)
        return field, np.arange(field.vocabulary_size)
    sources = np.append(kept + 1, NEW)[np.minimum(first, len(kept))]
    return CrossedField(cross.fields, combinations), np.append(0, sources)


def _ids_now(field: str, growth: Growth, size: int) -> np.ndarray:
    """Returns what each id of an earlier set is now, 0 if its value was dropped."""
    sources = growth.sources(field, size)
    now = np.zeros(growth.sizes[field], "int64")
    now[sources[sources != NEW]] = np.flatnonzero(sources != NEW)
    return now
