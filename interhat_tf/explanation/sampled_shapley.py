"""Shapley values of a record's fields, estimated from random orders of them."""

import keras
import numpy as np

from interhat_tf.explanation.field_sets import checked, mean_logits
from interhat_tf.schema import Batch


def sampled_shapley_values(
    model: keras.Model, inputs: Batch, background: Batch, seed: int = 0
) -> np.ndarray:
    """Returns estimates of the fields' Shapley values on the logit, (B, m).

    The game is v(S) = mean_b f(x_S, b_rest): f is the logit, of the fields of S as
    the record x has them and the rest as another record b has them. The Shapley
    value of a field is what it adds to v when it joins those before it, on average
    over all orders of the fields. Here each record goes through one random order
    for each record of the background, all of whose fields join (Castro, Gomez and
    Tejada, Computers & Operations Research 2009). The values of a record sum to
    f(x) - mean_b f(b) whatever the orders.

    The game is of the fields that a record holds. A cross changes with its fields,
    among which its share is: its own value is 0.

    It costs as many predictions for each field as the background has records, for
    each record that is explained.

    Args:
        model: Any model with `schema` that gives logits, (B, 1).
        inputs: Dictionary of `categorical`, (B, C), and `numerical`, (B, N).
        background: Inputs of records that stand for the data, a hundred or more: they
            are the number of orders as well.
        seed: Seed of the orders. Defaults to 0.

    Raises:
        ValueError: If the records do not follow the schema, or there is none.

    Example:

    >>> from interhat_tf import Field, Schema
    >>> from interhat_tf.models import FM
    >>> model = FM(Schema([Field("user", "categorical", 9), Field("app", "categorical", 5)]))
    >>> records = {"categorical": np.array([[4, 1], [2, 3], [5, 1]])}
    >>> sampled_shapley_values(model, records, records).shape
    (3, 2)
    """
    schema = model.schema
    inputs, background = checked(schema, inputs), checked(schema, background)
    rows, draws = (len(next(iter(records.values()))) for records in (inputs, background))
    names = [field.name for field in schema.record_fields]
    every = np.tile(np.arange(len(names)), (rows * draws, 1))
    order = np.random.default_rng(seed).permuted(every, axis=1)  # (B r, fields)
    position = np.argsort(order, axis=1)  # of each field in its order, (B r, fields)
    joined = np.arange(len(names) + 1)[:, None]  # how many fields have joined
    logits = mean_logits(  # one order's
        model,
        {kind: np.repeat(values, draws, axis=0) for kind, values in inputs.items()},
        {kind: np.tile(values, (rows, 1))[:, None] for kind, values in background.items()},
        position[:, None] >= joined,
    )  # (B r, fields + 1)
    added = np.take_along_axis(np.diff(logits, axis=1), position, axis=1)  # (B r, fields)
    values = np.zeros((rows, len(schema.field_names)))
    places = [schema.field_names.index(name) for name in names]
    values[:, places] = added.reshape(rows, draws, -1).mean(axis=1)  # (B, fields)
    return values
