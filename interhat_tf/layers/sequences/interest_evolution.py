"""The interest evolution of DIEN: a history read in time, toward a candidate."""

from typing import Any

import keras
from keras import ops

from interhat_tf.layers.attentional_aggregation import softmax_of_present
from interhat_tf.layers.sequences.augru import AUGRU
from interhat_tf.layers.sequences.auxiliary_loss import AuxiliaryLoss
from interhat_tf.ops import Shape, Tensor
from interhat_tf.utils.config import ConfigFromSignature, Regularizer


@keras.saving.register_keras_serializable("interhat_tf")
class InterestEvolution(ConfigFromSignature):
    """Reads a history by two recurrences, the second of which attends (Zhou et al. 2019).

        h_t = GRU(e_1, ..., e_t)
        a_t = exp(h_t W t) / sum_j exp(h_j W t)
        h'_t = AUGRU(h_1, ..., h_t; a_1, ..., a_t)

    The first is DIEN's interest extractor layer: h_t is what interests after the value e_t,
    which `AuxiliaryLoss` teaches it. The others are its interest evolving layer, which
    follows those interests that have to do with the candidate t; its last state is the
    history's vector. Both recurrences have states as wide as the vectors, whose products
    the auxiliary loss takes.

    Args:
        auxiliary_weight: Factor alpha of the auxiliary loss, 0 for none. Defaults to 1.
        kernel_regularizer: Regularizer of all weights. Defaults to `None`.
        **kwargs: Arguments of `keras.layers.Layer`.

    Call arguments:
        inputs: The history's vectors e_t, oldest first, (B, L, d).
        target: The candidate's vector, (B, d).
        present: Which of the L are values, the first ones of each record; the others
            change nothing, (B, L) booleans.
        training: Whether the model is being trained, and the auxiliary loss added.

    Returns:
        h'_n, (B, d), which is 0 where there is no value, and the attention a, (B, L), which
        sums to 1 unless there is none.

    Example:

    >>> history, target = ops.ones((2, 3, 8)), ops.ones((2, 8))
    >>> present = ops.array([[True, True, False], [False, False, False]])
    >>> interest, attention = InterestEvolution()(history, target, present)
    >>> interest.shape, attention.shape, bool(ops.any(interest[1] != 0))
    (TensorShape([2, 8]), TensorShape([2, 3]), False)
    """

    def __init__(
        self,
        *,
        auxiliary_weight: float = 1.0,
        kernel_regularizer: Regularizer = None,
        **kwargs: Any,
    ):
        super().__init__(**kwargs)
        self.kernel_regularizer = keras.regularizers.get(kernel_regularizer)
        self.auxiliary = AuxiliaryLoss(auxiliary_weight, dtype=self.dtype_policy, name="auxiliary")

    def build(
        self, inputs_shape: Shape, target_shape: Shape | None = None, present_shape: Any = None
    ) -> None:
        """Creates the recurrences and W, (d, d), for histories of shape (B, L, d)."""
        _, length, dim = inputs_shape
        arguments = {"kernel_regularizer": self.kernel_regularizer, "dtype": self.dtype_policy}
        self.extractor = AUGRU(dim, name="extractor", **arguments)
        self.evolution = AUGRU(dim, name="evolution", **arguments)
        self.relevance = keras.layers.Dense(dim, use_bias=False, name="relevance", **arguments)
        for recurrence in (self.extractor, self.evolution):
            recurrence.build((None, length, dim))
        self.relevance.build((None, dim))
        self.built = True

    def call(
        self, inputs: Tensor, target: Tensor, present: Tensor, training: bool = False
    ) -> tuple[Tensor, Tensor]:
        """Returns the history's vector, (B, d), and the attention, (B, L)."""
        always = ops.cast(present, inputs.dtype)  # A GRU updates at every value, (B, L).
        interests = self.extractor(inputs, always, training=training)  # (B, L, d)
        interests = self.auxiliary(interests, inputs, present, training=training)
        of_target = ops.expand_dims(self.relevance(target), -1)  # W t, (B, d, 1)
        scores = ops.squeeze(ops.matmul(interests, of_target), -1)  # (B, L)
        attention = softmax_of_present(scores, present)  # (B, L)
        states = self.evolution(interests, attention, training=training)  # (B, L, d)
        return states[:, -1], attention

    def compute_output_shape(
        self, inputs_shape: Shape, target_shape: Shape | None = None, present_shape: Any = None
    ) -> tuple[Shape, Shape]:
        """Returns the shapes of the history's vector and of the attention."""
        batch, length, dim = inputs_shape
        return (batch, dim), (batch, length)
