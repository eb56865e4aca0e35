"""Which fields interact in a record, read from its attention weights (Section 3.5 of the paper)."""

import numpy as np


def interaction_sets(
    field_names: tuple[str, ...], field_weights: np.ndarray
) -> list[list[tuple[str, ...]]]:
    """Returns the fields that outweigh the rest, order by order.

    A field of order i does so if its weight in alpha_i is at least half of the
    row's highest and at least twice the 1/m of a uniform row; where fields are
    few, half-way from 1/m to the 1/i of i fields that share the row is enough.
    The i highest of them are kept, since an interaction of order i has i
    fields. The paper gives no rule, and reads its pictures by eye.

    Args:
        field_names: Names of the m fields.
        field_weights: alpha_1 ... alpha_k, (B, k, m).

    Returns:
        For each record a list of k tuples of field names, the heaviest first;
        an order in which no field stands out has an empty one.

    Example:

    >>> weights = np.array([[[0.6, 0.1, 0.1, 0.1, 0.1], [0.04, 0.44, 0.46, 0.03, 0.03]]])
    >>> interaction_sets(("a", "b", "c", "d", "e"), weights)
    [[('a',), ('c', 'b')]]
    """
    k, m = field_weights.shape[1:]
    orders = np.arange(1, k + 1)  # (k,)
    columns = np.argsort(-field_weights, axis=-1, kind="stable")  # (B, k, m)
    weights = np.take_along_axis(field_weights, columns, axis=-1)  # (B, k, m)
    sharing = np.minimum(orders, max(m - 1, 1))  # (k,)
    least = np.minimum(2 / m, (1 / m + 1 / sharing) / 2)[:, np.newaxis]  # (k, 1)
    # Weights fall along a row, so that those that stand out come first.
    stands_out = (weights >= least) & (weights >= weights[..., :1] / 2)  # (B, k, m)
    sizes = np.minimum(stands_out.sum(axis=-1), orders).tolist()  # (B, k)
    heaviest = np.array(field_names, object)[columns[..., :k]].tolist()  # (B, k, at most k)
    return [
        [tuple(names[:size]) for names, size in zip(*record, strict=True)]
        for record in zip(heaviest, sizes, strict=True)
    ]
