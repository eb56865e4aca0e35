"""The paper's samples of MovieLens: the pairs with a rating, and as many without one."""

import numpy as np

from interhat_tf.errors import DataError
from interhat_tf.preprocessing.rows import random_splits

from .records import Samples

SEED = 0


def rated_or_not(ratings: np.ndarray, path: str) -> Samples:
    """Returns the rated pairs and as many others, split at random.

    Args:
        ratings: The ratings, as `read_ratings` returns them.
        path: Their file, for messages.

    Raises:
        ValueError: If more than half of all pairs have a rating.
    """
    pairs, labels = with_negatives(ratings[:, :2].astype(np.int32), path)
    return Samples(pairs, labels, random_splits(0, len(pairs)))


def with_negatives(ratings: np.ndarray, path: str) -> tuple[np.ndarray, np.ndarray]:
    """Returns the rated pairs and as many others, in a random order, and their labels.

    The others are different pairs of a user and a movie that occur in the
    ratings, drawn uniformly from those without a rating.

    Args:
        ratings: The rated pairs, (ratings, 2).
        path: The ratings' file, for messages.

    Raises:
        ValueError: If more than half of all pairs have a rating.
    """
    random = np.random.Generator(np.random.PCG64(SEED))
    users, movies = (np.unique(column) for column in ratings.T)
    if 2 * len(ratings) > len(users) * len(movies):
        raise DataError(
            f"{path}: more than half of all pairs are rated; too few are left as negatives"
        )
    base = ratings.max() + 1
    taken = np.unique(ratings[:, 0].astype(np.int64) * base + ratings[:, 1])
    negatives = np.empty(0, np.int64)
    while len(negatives) < len(ratings):
        size = 2 * (len(ratings) - len(negatives)) + 100
        drawn = random.choice(users, size).astype(np.int64) * base + random.choice(movies, size)
        drawn = drawn[~np.isin(drawn, taken)]
        # Kept in the order in which they were drawn, so that none is likelier than another.
        both = np.concatenate([negatives, drawn])
        negatives = both[np.sort(np.unique(both, return_index=True)[1])][: len(ratings)]
    negatives = np.column_stack(np.divmod(negatives, base)).astype(np.int32)
    pairs = np.concatenate([ratings, negatives])
    labels = np.repeat(np.array([1, 0], np.uint8), len(ratings))
    order = random.permutation(len(pairs))
    return pairs[order], labels[order]
