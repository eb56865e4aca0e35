"""Lists of values as the columns of a model's fields of several values, in an exported graph."""

import tensorflow as tf

from interhat_tf.schema import PADDING


def packed(ids: tf.Tensor, length: int, missing: int, latest: bool = False) -> tf.Tensor:
    """Returns the first ids of each record, or the last, before padding, (B, length) int32.

    Args:
        ids: Ids of lists, (B, n) int32, in which `PADDING` is no value, wherever it stands.
        length: The most values that the field has.
        missing: The id of a record without a value; `PADDING` if it has none.
        latest: Whether the last ids are kept where there are more. Defaults to `False`.

    Example:

    >>> packed(tf.constant([[-1, 7, 5], [1, 2, 3], [-1, -1, -1]]), 2, 4).numpy().tolist()
    [[7, 5], [1, 2], [4, -1]]
    >>> packed(tf.constant([[1, 2, 3], [-1, 7, -1]]), 2, -1, latest=True).numpy().tolist()
    [[2, 3], [7, -1]]
    """
    present = ids != PADDING  # (B, n)
    places = tf.cumsum(tf.cast(present, tf.int32), axis=1) - 1  # (B, n)
    if latest:
        places -= tf.maximum(places[:, -1:] + 1 - length, 0)  # (B, n)
    is_at = (places[:, :, None] == tf.range(length)) & present[:, :, None]  # (B, n, length)
    # With 1 added, ids that are not there add nothing to those that are.
    filled = tf.where(is_at, ids[:, :, None] - PADDING, 0)
    found = tf.reduce_sum(filled, axis=1) + PADDING  # (B, length)
    first = tf.where(found[:, :1] == PADDING, missing, found[:, :1])  # (B, 1)
    return tf.concat([first, found[:, 1:]], axis=1)
