"""Names for the values of a hashed field: many texts share one, the same on any machine."""

import tensorflow as tf


def hash_names(texts: tf.Tensor, hash_size: int) -> tf.Tensor:
    """Returns what texts of a field without bound are called: `hash 0` to `hash {size - 1}`.

    The number is FarmHash's Fingerprint64 of the UTF-8 bytes, modulo `hash_size`. It is
    defined once and for all and computes in a graph as well, so that an exported model
    takes the raw text. The empty text, a missing value, stays as it is.

    Args:
        texts: Texts, of any shape.
        hash_size: Number of names.

    Example:

    >>> hash_names(tf.constant(["u17", "u18", ""]), 1000).numpy().tolist()
    [b'hash 908', b'hash 590', b'']
    """
    numbers = tf.strings.to_hash_bucket_fast(texts, hash_size)
    names = tf.strings.join(["hash ", tf.strings.as_string(numbers)])
    return tf.where(texts == "", texts, names)
