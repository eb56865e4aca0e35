"""How much two or three fields of a record do together that fewer of them do not."""

import itertools
from collections.abc import Sequence
from typing import NamedTuple

import keras
import numpy as np

from interhat_tf.crosses import name_of
from interhat_tf.errors import SettingError
from interhat_tf.explanation.field_sets import (
    FieldSet,
    checked,
    differences,
    largest,
    mean_logits,
    members,
    subsets,
)
from interhat_tf.schema import Batch, Schema

Group = tuple[str, ...]
"""The names of some fields of a record."""


class Interaction(NamedTuple):
    """What some fields of a record do together.

    Args:
        fields: Names of the fields.
        effect: What their values add to the logit together, with its sign.
    """

    fields: Group
    effect: float


def pair_effects(
    model: keras.Model, inputs: Batch, background: Batch, pairs: Sequence[Group] | None = None
) -> np.ndarray:
    """Returns what the values of each pair of fields add to the logit together, (B, pairs).

        mean_b [ f(x) - f(x with b_i) - f(x with b_j) + f(x with b_i and b_j) ]

    over all records b of the background, f being the logit and "with b_i" that
    field i has b's value in place of x's. This is the difference of ArchDetect in
    the record's own context (Tsang et al., NeurIPS 2020), against real records in
    place of one baseline. It is 0 for fields that the model adds up, such as any
    two of `LR`. A model's crosses change with their fields.

    For each record it costs as many predictions as the background has records,
    once for each pair and once for each field of a pair, and one more.

    Args:
        model: Any model with `schema` that gives logits, (B, 1).
        inputs: Dictionary of `categorical`, (B, C), and `numerical`, (B, N).
        background: Inputs of records that stand for the data; some tens are enough.
        pairs: Pairs of the names of two fields. Defaults to `None`: all of
            `field_groups(model.schema, 2)`, in that order.

    Raises:
        ValueError: If the records do not follow the schema, there is none, or a
            pair is not of two different fields of a record.

    Example:

    >>> from interhat_tf import Field, Schema
    >>> from interhat_tf.models import FM
    >>> model = FM(Schema([Field(name, "categorical", 9) for name in ("user", "app", "day")]))
    >>> records = {"categorical": np.array([[4, 1, 2], [2, 3, 2], [5, 1, 7]])}
    >>> pair_effects(model, records, records, [("user", "app"), ("app", "day")]).shape
    (3, 2)
    """
    return _effects_of_groups(model, inputs, background, pairs, 2)


def triple_effects(
    model: keras.Model, inputs: Batch, background: Batch, triples: Sequence[Group] | None = None
) -> np.ndarray:
    """Returns what the values of each triple of fields add together, (B, triples).

        mean_b [ f(x) - sum_i f(x with b_i) + sum_ij f(x with b_i, b_j) - f(x with b_i, b_j, b_k) ]

    the sums over the fields and the pairs of the triple: the third difference, as
    `pair_effects` is the second. It is 0 where a model adds up what fields and pairs
    say, as `FM` does.

    For each record it costs as many predictions as the background has records,
    once for each triple and once for each pair and each field of a triple, and one
    more.

    Args:
        model: As for `pair_effects`.
        inputs: As for `pair_effects`.
        background: As for `pair_effects`.
        triples: Triples of the names of three fields. Defaults to `None`: all of
            `field_groups(model.schema, 3)`, in that order.

    Raises:
        ValueError: If the records do not follow the schema, there is none, or a
            triple is not of three different fields of a record.

    Example:

    >>> from interhat_tf import Field, Schema
    >>> from interhat_tf.models import FM
    >>> model = FM(Schema([Field(name, "categorical", 9) for name in ("user", "app", "day")]))
    >>> records = {"categorical": np.array([[4, 1, 2], [2, 3, 2], [5, 1, 7]])}
    >>> bool(np.abs(triple_effects(model, records, records)).max() < 1e-6)
    True
    """
    return _effects_of_groups(model, inputs, background, triples, 3)


def field_groups(schema: Schema, size: int) -> list[Group]:
    """Returns all groups of so many fields of a record, in the order of the schema.

    Args:
        schema: The records' `Schema`.
        size: Number of fields of a group: 2 for pairs, 3 for triples.

    Example:

    >>> from interhat_tf import Field, Schema
    >>> schema = Schema([Field(name, "categorical", 9) for name in ("user", "app", "day")])
    >>> field_groups(schema, 2)
    [('user', 'app'), ('user', 'day'), ('app', 'day')]
    """
    return list(itertools.combinations(_names(schema), size))


def pair_positions(schema: Schema) -> np.ndarray:
    """Returns the positions in `schema.field_names` of `field_groups(schema, 2)`, (pairs, 2).

    Args:
        schema: The records' `Schema`.
    """
    places = [schema.field_names.index(name) for name in _names(schema)]
    return np.array(list(itertools.combinations(places, 2)), int).reshape(-1, 2)


def pairs_within(
    model: keras.Model, inputs: Batch, background: Batch, effects: np.ndarray, fields: int
) -> tuple[np.ndarray, np.ndarray]:
    """Returns the pairs of each record's fields of the largest |effect|, and their effects.

    Args:
        model: As for `pair_effects`.
        inputs: As for `pair_effects`.
        background: As for `pair_effects`.
        effects: Effect of each of a model's fields, (B, m), by `occlusion`.
        fields: Number of fields w of each record; all if it has fewer.

    Returns:
        The w(w-1)/2 pairs as positions in `schema.field_names`, (B, pairs, 2), and
        what they add to the logit together, (B, pairs).

    Raises:
        ValueError: If the number of fields is less than 2.
    """
    if fields < 2:
        raise SettingError(
            f"a pair is of two fields: interactions must be at least 2, got {fields}"
        )
    schema = model.schema
    place = np.array([schema.field_names.index(name) for name in _names(schema)])
    chosen = largest(effects[:, place], fields)  # (B, w)
    pairs = list(itertools.combinations(range(chosen.shape[1]), 2))
    return place[chosen][:, pairs], _joint_effects(model, inputs, background, pairs, chosen)


def ranked(
    field_names: Sequence[str], pairs: np.ndarray, effects: np.ndarray
) -> list[list[Interaction]]:
    """Returns each record's pairs, those of the largest |effect| first.

    Args:
        field_names: Names of a model's m fields.
        pairs: Positions of the pairs' fields among them, (B, pairs, 2).
        effects: The pairs' effects, (B, pairs).

    Example:

    >>> ranked(("user", "app", "day"), np.array([[[0, 1], [1, 2]]]), np.array([[0.5, -2.0]]))[0][0]
    Interaction(fields=('app', 'day'), effect=-2.0)
    """
    order = np.argsort(-np.abs(effects), axis=1, kind="stable")  # (B, pairs)
    pairs = np.take_along_axis(pairs, order[..., None], axis=1)  # (B, pairs, 2)
    effects = np.take_along_axis(effects, order, axis=1)  # (B, pairs)
    names = np.array(field_names, object)[pairs]  # (B, pairs, 2)
    return [
        [Interaction(tuple(pair), effect) for pair, effect in zip(*of_record, strict=True)]
        for of_record in zip(names.tolist(), effects.tolist(), strict=True)
    ]


def _effects_of_groups(
    model: keras.Model,
    inputs: Batch,
    background: Batch,
    groups: Sequence[Group] | None,
    size: int,
) -> np.ndarray:
    names = _names(model.schema)
    groups = field_groups(model.schema, size) if groups is None else groups
    for group in groups:
        _check(group, size, names)
    places = [tuple(sorted(map(names.index, group))) for group in groups]
    everything = np.arange(len(names))[None]  # (1, fields)
    return _joint_effects(model, inputs, background, places, everything)


def _joint_effects(
    model: keras.Model,
    inputs: Batch,
    background: Batch,
    groups: Sequence[FieldSet],
    fields: np.ndarray,
) -> np.ndarray:
    """Returns the differences of groups of one size, (B, groups).

    The groups are of positions in `fields`, which are (B, w), or (1, w) for all records.
    """
    schema = model.schema
    inputs, background = checked(schema, inputs), checked(schema, background)
    sets = subsets(groups)
    replaced = members(sets, fields, len(schema.record_fields))
    found = differences(mean_logits(model, inputs, background, replaced), sets, groups)
    # The sets are what is taken away, so that f(x) is the empty set's and has the sign +.
    return -found if groups and len(groups[0]) % 2 else found


def _check(group: Group, size: int, names: list[str]) -> None:
    if len(group) != size or len(set(group)) != size or not set(group) <= set(names):
        what, number = {2: ("pair", "two"), 3: ("triple", "three")}[size]
        raise SettingError(
            f"a {what} is of {number} different fields of a record, got {name_of(group)}; "
            f"there are {', '.join(sorted(names))}"
        )


def _names(schema: Schema) -> list[str]:
    return [field.name for field in schema.record_fields]
