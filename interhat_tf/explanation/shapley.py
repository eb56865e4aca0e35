"""Shapley interactions of any model, exact over all coalitions of a record's fields."""

import itertools
import math

import keras
import numpy as np

from interhat_tf.errors import SettingError
from interhat_tf.explanation.field_sets import (
    checked,
    differences,
    mean_logits,
    members,
    subsets,
)
from interhat_tf.explanation.interactions import Group
from interhat_tf.schema import Batch

MOST_FIELDS = 12
"""Fields that a record may have: each one more doubles the coalitions."""


def shapley_interactions(
    model: keras.Model, inputs: Batch, background: Batch, order: int = 2
) -> dict[Group, np.ndarray]:
    """Shares each record's logit out among its fields and groups of up to `order` fields.

    These are the values of the Shapley-Taylor index (Sundararajan, Dhamdhere and
    Agarwal, ICML 2020) of the game v(T) = mean_b f(x_T, b_rest): the logit f of the
    record with the values of other records b in place of all fields that are not in
    T. With m_T, what the fields of T add together in it (`differences`),

        I_S = m_S                                    if |S| < order,
        I_S = sum_{T with S in T} m_T / C(|T|, |S|)  if |S| = order.

    A record's values sum to f(x) - mean_b f(b): to what it has over the background.
    With `order=1` they are the Shapley values. With 2, a field has what it says
    alone, and a pair its share of all that its fields say together with any others.

    For each record it costs 2^m predictions for each record of the background, m
    being the number of fields that a record holds. Crosses change with their fields.

    Args:
        model: Any model with `schema` that gives logits, (B, 1).
        inputs: Dictionary of `categorical`, (B, C), and `numerical`, (B, N).
        background: Inputs of records that stand for the data; some tens are enough.
        order: Size of the largest groups, 1 to m. Defaults to 2: fields and pairs.

    Returns:
        A dictionary from each group, a tuple of names, to its values, (B,).

    Raises:
        ValueError: If a record has more than 12 fields, the order is not 1 to their
            number, the records do not follow the schema, or there is none.

    Example:

    >>> from interhat_tf import Field, Schema
    >>> from interhat_tf.models import FM
    >>> model = FM(Schema([Field(name, "categorical", 9) for name in ("user", "app")]))
    >>> records = {"categorical": np.array([[4, 1], [2, 3], [5, 1]])}
    >>> values = shapley_interactions(model, records, records)
    >>> list(values), values["user", "app"].shape
    ([('user',), ('app',), ('user', 'app')], (3,))
    """
    schema = model.schema
    inputs, background = checked(schema, inputs), checked(schema, background)
    names = [field.name for field in schema.record_fields]
    if len(names) > MOST_FIELDS:
        raise SettingError(
            f"a record has {len(names)} fields, whose coalitions are too many; give records of at "
            f"most {MOST_FIELDS} fields, or use pair_effects"
        )
    if not 1 <= order <= len(names):
        raise SettingError(f"order must be 1 to {len(names)}, the number of fields, got {order}")
    everything = np.arange(len(names))
    coalitions = subsets([tuple(everything.tolist())])  # by size
    replaced = ~members(coalitions, everything[None], len(names))
    logits = mean_logits(model, inputs, background, replaced)  # (B, 2^m)
    together = differences(logits, coalitions, coalitions).T  # (2^m, B)
    shares = {group: np.zeros(len(logits)) for group in coalitions if 1 <= len(group) <= order}
    for coalition, added in zip(coalitions, together, strict=True):
        if 1 <= len(coalition) < order:
            shares[coalition] += added
        elif len(coalition) >= order:
            for group in itertools.combinations(coalition, order):
                shares[group] += added / math.comb(len(coalition), order)
    return {tuple(names[place] for place in group): share for group, share in shares.items()}
