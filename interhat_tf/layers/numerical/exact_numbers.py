"""Numbers reach the embeddings of numerical fields as they are."""

import keras


class ExactNumbers(keras.layers.Layer):
    """A layer that a record's numbers pass through, or end in.

    Keras rounds what a layer is given to the type that it computes in. In `bfloat16` 1000 and
    1003 are one number, which is in one bucket and has one angle; so a layer whose weights are
    float32 takes numbers as float32, and rounds the vectors that it makes of them.

    Example:

    >>> class Half(ExactNumbers):
    ...     def call(self, numbers):
    ...         return numbers / 2
    >>> Half(dtype="mixed_bfloat16")(keras.ops.array([1003.0])).numpy()
    array([501.5], dtype=float32)
    """

    @property
    def input_dtype(self) -> str:
        """The type that Keras makes of what the layer is given."""
        return self.variable_dtype
