"""Ratings in time: whether a user liked a movie, and which movies the user had liked before."""

import numpy as np

from interhat_tf.preprocessing.histories import earlier_items, first_equal

from .records import Samples

LIKED = 4
"""From how many of the five stars on a user liked a movie."""
MAX_HISTORY = 50
"""The most movies of a history."""
TRAIN, VALIDATION = 0.8, 0.9
"""Where the first validation and the first test record of a user begin, in the user's ratings."""


def liked_or_not(ratings: np.ndarray) -> Samples:
    """Returns a sample for each rating, with what the user had liked until then.

    A user's first ratings train, the next validate, the last test. Ratings of a user at
    the same time are in one split, and none is in another's history.

    Args:
        ratings: The ratings, as `read_ratings` returns them.

    Returns:
        The samples, by user and time.
    """
    users, movies, stars, times = ratings[np.lexsort((ratings[:, 3], ratings[:, 0]))].T
    liked = stars >= LIKED
    firsts = first_equal(users)
    number_of_ratings = np.bincount(users)[users]
    share = (first_equal(users, times) - firsts) / number_of_ratings
    return Samples(
        np.column_stack([users, movies]).astype(np.int32),
        liked.astype(np.uint8),
        np.searchsorted((TRAIN, VALIDATION), share, side="right").astype(np.int8),
        earlier_items(users, times, movies, MAX_HISTORY, liked),
    )
