"""Click counts: what the training records of a combination came to, as ids of a crossed field.

A count that holds a training record's own click would tell a model the label. So training
records are in folds, and one sees the counts of the other folds alone, as target encoding is
fitted with cross fitting (Micci-Barreca, SIGKDD Explorations 2001; scikit-learn's
`TargetEncoder`). A record that is not of the training split sees all.
"""

import numpy as np
from numpy.typing import ArrayLike

FOLDS = 5
"""Number of folds of training records."""

LEVELS = 8
"""Numbers of clicks that are told apart: 0, 1, 2 to 3, 4 to 7, …, 64 and more."""

NUM_IDS = LEVELS**2
"""Ids of a field of click counts: a level of the clicks, and one of the others."""


def folds_of(rows: int) -> np.ndarray:
    """Returns the fold of each row of a block, (rows,): rows were put there in random order."""
    return np.arange(rows, dtype="int32") % FOLDS


def count_ids(clicks: ArrayLike, others: ArrayLike) -> np.ndarray:
    """Returns the ids of numbers of records: `LEVELS` times the clicks' level, and the others'.

    Args:
        clicks: Records with a click, of any shape.
        others: Records without one.

    Example:

    >>> count_ids([0, 1, 3], [0, 0, 100])
    array([ 0,  8, 23], dtype=int32)
    """
    return LEVELS * _levels(clicks) + _levels(others)


def count_text(number: int) -> str:
    """Returns what an id stands for.

    Example:

    >>> count_text(0), count_text(8), count_text(23)
    ('no record', '1 click, 0 others', '2-3 clicks, 64+ others')
    """
    clicks, others = divmod(number, LEVELS)
    if not number:
        return "no record"
    return (
        f"{_range(clicks)} click{'s' * (clicks != 1)}, {_range(others)} other{'s' * (others != 1)}"
    )


def _levels(counts: ArrayLike) -> np.ndarray:
    doubled = 2 * np.asarray(counts, "int64") + 1  # 1, 3, 5: the logarithm of 1 is level 0
    return np.minimum(np.log2(doubled), LEVELS - 1).astype("int32")


def _range(level: int) -> str:
    low, high = 2**level // 2, 2**level - 1
    if level == LEVELS - 1:
        return f"{low}+"
    return f"{low}" if level < 2 else f"{low}-{high}"
