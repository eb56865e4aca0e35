"""Adam that treats ids which repeat in a batch correctly."""

import keras


@keras.saving.register_keras_serializable("interhat_tf")
class Adam(keras.optimizers.Adam):
    """Adam whose embedding gradients are summed over repeated ids first.

    On TensorFlow, an embedding's gradient is a list of rows in which an id
    stands as often as the batch holds it. Keras' own Adam squares each of these
    rows for the second moment, so that it gets the sum of the squares instead
    of the square of the sum, and takes far too large steps on frequent ids.
    Here the rows of an id are summed before anything else, and all rows of the
    table decay at every step: the algorithm of Kingma and Ba, as a dense
    gradient would give it.

    Args:
        learning_rate: Step size. Defaults to 0.001.
        beta_1: Decay of the first moment. Defaults to 0.9.
        beta_2: Decay of the second moment. Defaults to 0.999; the authors'
            released code has 0.98.
        epsilon: Term added to the root of the second moment. Defaults to 1e-8.
        **kwargs: Other arguments of `keras.optimizers.Adam`.

    Example:

    >>> Adam(learning_rate=1e-2, beta_2=0.98).get_config()["epsilon"]
    1e-08
    """

    def __init__(self, learning_rate=1e-3, beta_1=0.9, beta_2=0.999, epsilon=1e-8, **kwargs):
        super().__init__(learning_rate, beta_1=beta_1, beta_2=beta_2, epsilon=epsilon, **kwargs)

    def apply(self, grads, trainable_variables=None):
        """Updates the variables; a gradient given as rows is summed by id first."""
        return super().apply([_dense(gradient) for gradient in grads], trainable_variables)


def _dense(gradient):
    if keras.backend.backend() != "tensorflow":
        return gradient
    import tensorflow as tf

    if isinstance(gradient, tf.IndexedSlices):
        return tf.convert_to_tensor(gradient)
    return gradient
