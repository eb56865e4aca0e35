"""How much two fields of a record do together that neither does alone."""

import itertools
from collections.abc import Sequence

import keras
import numpy as np

from interhat_tf.crosses import name_of
from interhat_tf.explanation.attributions import mean_without, predict
from interhat_tf.schema import Batch, Schema

Pair = tuple[str, str]
"""The names of two fields of a record."""


def pair_effects(
    model: keras.Model, inputs: Batch, background: Batch, pairs: Sequence[Pair] | None = None
) -> np.ndarray:
    """Returns what the values of each pair of fields add to the logit together, (B, pairs).

        mean_b [ f(x) - f(x with b_i) - f(x with b_j) + f(x with b_i and b_j) ]

    over all records b of the background, f being the logit and "with b_i" that
    field i has b's value in place of x's. This is the difference of ArchDetect in
    the record's own context (Tsang et al., NeurIPS 2020), against real records in
    place of one baseline. It is 0 for fields that the model adds up, such as any
    two of `LR`. A model's crosses change with their fields.

    For each record it costs as many predictions as the background has records,
    once for each pair and once for each field of a pair.

    Args:
        model: Any model with `schema` that gives logits, (B, 1).
        inputs: Dictionary of `categorical`, (B, C), and `numerical`, (B, N).
        background: Inputs of records that stand for the data; some tens are enough.
        pairs: Pairs of the names of two fields. Defaults to `None`: all of
            `all_pairs(model.schema)`, in that order.

    Raises:
        ValueError: If the records do not follow the schema, or a pair is not of
            two different fields of a record.

    Example:

    >>> from interhat_tf import Field, Schema
    >>> from interhat_tf.models import FM
    >>> model = FM(Schema([Field(name, "categorical", 9) for name in ("user", "app", "day")]))
    >>> records = {"categorical": np.array([[4, 1, 2], [2, 3, 2], [5, 1, 7]])}
    >>> pair_effects(model, records, records, [("user", "app"), ("app", "day")]).shape
    (3, 2)
    """
    schema = model.schema
    inputs = {kind: np.asarray(array) for kind, array in inputs.items()}
    background = {kind: np.asarray(array) for kind, array in background.items()}
    for records in (inputs, background):
        schema.check(records)
    pairs = all_pairs(schema) if pairs is None else [_checked(pair, schema) for pair in pairs]
    logits = predict(model, inputs).astype("float64")  # (B,)
    without = {
        field: mean_without(model, inputs, background, [field])  # (B,)
        for field in dict.fromkeys(itertools.chain.from_iterable(pairs))
    }
    effects = np.empty((len(logits), len(pairs)))
    for column, (one, other) in enumerate(pairs):
        both = mean_without(model, inputs, background, [one, other])  # (B,)
        effects[:, column] = logits - without[one] - without[other] + both
    return effects


def all_pairs(schema: Schema) -> list[Pair]:
    """Returns all pairs of a record's fields, each in the order of the schema."""
    names = [field.name for field in schema.record_fields]
    return list(itertools.combinations(names, 2))


def _checked(pair: Sequence[str], schema: Schema) -> Pair:
    names = {field.name for field in schema.record_fields}
    if len(set(pair)) != 2 or len(pair) != 2 or not set(pair) <= names:
        raise ValueError(
            f"a pair is of two different fields of a record, got {name_of(pair)}; "
            f"there are {', '.join(sorted(names))}"
        )
    return pair[0], pair[1]
