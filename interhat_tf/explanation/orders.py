"""The order of the interactions behind a record's prediction."""

import itertools

import keras
import numpy as np

from interhat_tf.errors import SettingError
from interhat_tf.explanation.field_sets import (
    checked,
    differences,
    largest,
    mean_logits,
    members,
    subsets,
)
from interhat_tf.schema import Batch, Schema

ROUNDING = 1e-6
"""What adds less than this, relative to the logits, is taken for an error of float32."""


def order_shares(
    model: keras.Model,
    inputs: Batch,
    background: Batch,
    order: int = 3,
    *,
    donors: int = 16,
    top: int = 12,
    pooled: bool = False,
    seed: int = 0,
) -> np.ndarray:
    """Returns the shares of single fields, pairs, triples, … in what a record's values do, (B, k).

        m_S = mean_b sum_{T in S} (-1)^(|S| - |T|) f(x_T, b_rest)
        share_i = sum_{|S| = i} m_S^2 / sum_{1 <= |S| <= k} m_S^2

    f(x_T, b_rest) is the logit of a donor b into which the values of x in the fields
    T are put, and k the highest order. A donor differs from x in every field: each
    of its values is drawn from those that the background has in the field and x has
    not. Against donors that share values with x, even the true logit of a rule does
    not name the rule's own order.

    The shares are of any model, and of what it computes, whatever its attention says.
    Where an effect depends on which donors are drawn, m_S^2 is too large by its
    variance over the donors, divided by their number: high orders, which have many
    sets, gain by it, and more donors mend it.

    For each record it costs `donors` predictions for each set of up to k of its
    fields: 176 sets of 10 fields, 299 of 12. The size of the background costs nothing.

    Args:
        model: Any model with `schema` that gives logits, (B, 1).
        inputs: Dictionary of `categorical`, (B, C), and `numerical`, (B, N).
        background: Inputs of records that stand for the data; some thousands, so
            that each field has the values that it has in the data.
        order: The highest order k. Defaults to 3.
        donors: Number of donors of each record. Defaults to 16.
        top: Number of fields of a record whose sets count. Of more fields, those
            with the largest |f(x) - mean_b f(x with b_j)| against the same donors.
            Defaults to 12.
        pooled: Whether the numerators are summed over the records before they are
            divided: the shares of all records together, (k,), to which records count
            by how much their values do. Defaults to `False`.
        seed: Seed of the donors. Defaults to 0.

    Returns:
        The shares, which sum to 1; all 0 for a record whose values change nothing.

    Raises:
        ValueError: If the records do not follow the schema, there is none, the
            background has no other value than x's own in a field, or the order is
            not 1 to `top` and the number of fields.

    Example:

    >>> from interhat_tf import Field, Schema
    >>> from interhat_tf.models import LR
    >>> model = LR(Schema([Field("user", "categorical", 9), Field("app", "categorical", 5)]))
    >>> rng = np.random.default_rng(0)
    >>> model.set_weights([rng.normal(size=weight.shape) for weight in model.weights])
    >>> records = {"categorical": np.array([[4, 1], [2, 3], [5, 1]])}
    >>> order_shares(model, records, records, order=2)  # LR adds up what its fields say
    array([[1., 0.],
           [1., 0.],
           [1., 0.]])
    """
    schema = model.schema
    inputs, background = checked(schema, inputs), checked(schema, background)
    num_fields = len(schema.record_fields)
    if not 1 <= order <= min(top, num_fields):
        raise SettingError(f"order must be 1 to {min(top, num_fields)}, got {order}")
    drawn = _donors(schema, inputs, background, donors, np.random.default_rng(seed))
    fields = _fields(model, inputs, drawn, top)  # (B, w) or (1, w)
    chosen = range(fields.shape[1])
    groups = [g for size in range(1, order + 1) for g in itertools.combinations(chosen, size)]
    sets = subsets(groups)
    logits = mean_logits(model, inputs, drawn, ~members(sets, fields, num_fields))
    together = differences(logits, sets, groups)  # (B, groups)
    together[np.abs(together) < ROUNDING * np.abs(logits).max(axis=1, keepdims=True)] = 0
    sizes = np.array([len(group) for group in groups])
    orders = np.arange(1, order + 1)
    strengths = np.square(together) @ (sizes[:, None] == orders)  # (B, k)
    if pooled:
        strengths = strengths.sum(axis=0)  # (k,)
    total = strengths.sum(axis=-1, keepdims=True)
    return np.divide(strengths, total, out=np.zeros_like(strengths), where=total > 0)


def _donors(
    schema: Schema,
    inputs: dict[str, np.ndarray],
    background: dict[str, np.ndarray],
    number: int,
    rng: np.random.Generator,
) -> dict[str, np.ndarray]:
    """Draws for each record donors that differ from it in every field, (B, r, columns) a kind."""
    drawn = {}
    for kind, places in schema.columns.items():
        columns = []
        for place in dict.fromkeys(places):
            field, mine = schema.record_fields[place], np.equal(places, place)
            own, values, distinct = _numbered(inputs[kind][:, mine], background[kind][:, mine])
            # The values that are x's own stand together, from `low` to `high`.
            low, high = (np.searchsorted(values, own, side) for side in ("left", "right"))  # (B,)
            others = len(values) - (high - low)
            if not others.all():
                raise SettingError(
                    f"field {field.name!r}: the background has no other value than that of "
                    f"record {others.argmin()}; give more records, or leave out a constant field"
                )
            draw = rng.integers(others[:, None], size=(len(own), number))  # (B, r)
            draw += np.where(draw < low[:, None], 0, (high - low)[:, None])
            chosen = values[draw]  # (B, r)
            columns.append(chosen[:, :, None] if distinct is None else distinct[chosen])
        drawn[kind] = np.concatenate(columns, axis=2)  # (B, r, columns)
    return drawn


def _numbered(
    own: np.ndarray, others: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray | None]:
    """Returns a field's values in the records, (B,), and in order those of the background, (n,).

    Lists of values, of a multivalued field, are told apart by numbers, of which the lists
    are returned as well.
    """
    if own.shape[1] == 1:
        return own[:, 0], np.sort(others[:, 0].astype(own.dtype)), None
    distinct, numbers = np.unique(np.concatenate([own, others]), axis=0, return_inverse=True)
    return numbers[: len(own)], np.sort(numbers[len(own) :]), distinct


def _fields(
    model: keras.Model, inputs: dict[str, np.ndarray], donors: dict[str, np.ndarray], top: int
) -> np.ndarray:
    """Returns the fields whose sets count: all, (1, fields), or each record's top, (B, top)."""
    num_fields = len(model.schema.record_fields)
    everything = np.arange(num_fields)[None]  # (1, fields)
    if num_fields <= top:
        return everything
    alone = [(), *((place,) for place in range(num_fields))]
    logits = mean_logits(model, inputs, donors, members(alone, everything, num_fields))
    return largest(logits[:, :1] - logits[:, 1:], top)
