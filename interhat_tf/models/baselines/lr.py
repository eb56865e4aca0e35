"""Logistic regression."""

import keras

from interhat_tf.models.click_model import ClickModel


@keras.saving.register_keras_serializable("interhat_tf")
class LR(ClickModel):
    """Logistic regression on the values of all fields.

        logit = w_0 + sum_i w_i x_i

    There are as many weights as values and numerical fields, and w_0.

    Args:
        schema: The record's `Schema`, or what its `to_dict` returned.
        embedding_l2: L2 penalty l of the weights but w_0, `l * sum(w**2)`.
            Defaults to 0.
        **kwargs: Arguments of `keras.Model`.

    Call arguments:
        inputs: Dictionary of `categorical`, (B, C) ids, and `numerical`, (B, N)
            floats, as the schema has them.

    Returns:
        Logits, (B, 1).

    Example:

    >>> from interhat_tf import Field, Schema
    >>> model = LR(Schema([Field("user", "categorical", 9), Field("price", "numerical")]))
    >>> model({"categorical": keras.ops.array([[4]]), "numerical": keras.ops.array([[0.3]])}).shape
    TensorShape([1, 1])
    """

    def __init__(
        self,
        schema,
        *,
        embedding_l2=0.0,
        **kwargs,
    ):
        arguments = {
            "embedding_l2": embedding_l2,
        }
        super().__init__(schema, arguments, **kwargs)
        self.linear = self._make_linear(embedding_l2, use_bias=True)
        self.build()

    def build(self, input_shape=None):
        """Creates all weights; their shapes follow from the schema alone."""
        self.linear.build()
        self.built = True

    def call(self, inputs):
        """Returns logits, (B, 1)."""
        return self.linear(inputs)  # (B, 1)
