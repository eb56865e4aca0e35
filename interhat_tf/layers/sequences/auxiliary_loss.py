"""The auxiliary loss of DIEN: a state knows what comes next."""

from typing import Any

import keras
from keras import ops

from interhat_tf.ops import Shape, Tensor
from interhat_tf.utils.config import ConfigFromSignature


@keras.saving.register_keras_serializable("interhat_tf")
class AuxiliaryLoss(ConfigFromSignature):
    """Teaches each state of a sequence to tell the next value from another (Zhou et al. 2019).

        L_aux = -mean_t (log sigmoid(h_t . e_{t+1}) + log(1 - sigmoid(h_t . n_{t+1})))

    This is DIEN's, n being negatives: e_{t+1} is the value that follows in the
    record's own sequence, n_{t+1} a value drawn from the sequence of another record of the
    batch, drawn again for each t. (The paper draws from all items, which a batch does
    not hold.) A t whose n is the same vector as its e, or is drawn from an empty
    sequence, does not count. The mean is over the t that do; the paper's equation has the
    sum over a record's t, and the authors' code a mean, with a network in place of the
    products.

    In training the layer adds `weight` L_aux to the model's losses; it hands on the states.
    What is drawn follows from a state that is saved with the model, as dropout's masks do.

    Args:
        weight: The factor alpha of the loss. Defaults to 1.
        seed: Seed of the draws. Defaults to `None`: one of Keras' own.
        **kwargs: Arguments of `keras.layers.Layer`.

    Call arguments:
        states: The states h_t, (B, L, d).
        vectors: The sequence's vectors e_t, (B, L, d).
        present: Which of the L are values, the first ones of each record, (B, L) booleans.
        training: Whether the loss is added.

    Returns:
        The states, (B, L, d).

    Example:

    >>> layer, present = AuxiliaryLoss(), ops.array([[True, True, False], [True, True, True]])
    >>> vectors = ops.reshape(ops.arange(24.0), (2, 3, 4))
    >>> states = layer(ops.zeros((2, 3, 4)), vectors, present, training=True)
    >>> [round(float(loss), 3) for loss in layer.losses]  # of a state of zeros, 2 log 2
    [1.386]
    """

    def __init__(self, weight: float = 1.0, *, seed: int | None = None, **kwargs: Any):
        super().__init__(**kwargs)
        self.weight = weight
        self.draws = keras.random.SeedGenerator(seed)

    def call(
        self, states: Tensor, vectors: Tensor, present: Tensor, training: bool = False
    ) -> Tensor:
        """Returns the states, and adds their loss in training."""
        if training and self.weight and vectors.shape[1] > 1:
            negatives, drawn = self._draw(vectors, present)
            self.add_loss(self.weight * _loss(states, vectors, negatives, drawn))
        return states

    def _draw(self, vectors: Tensor, present: Tensor) -> tuple[Tensor, Tensor]:
        """Returns n_2, ..., n_L, (B, L - 1, d), and which of them count, (B, L - 1)."""
        rows, (length, dim) = ops.shape(vectors)[0], vectors.shape[1:]
        lengths = ops.sum(ops.cast(present, "int32"), axis=1)  # (B,)
        own = ops.expand_dims(ops.arange(rows), 1)  # (B, 1)
        uniform = keras.random.uniform((2, rows, length - 1), seed=self.draws)  # (2, B, L - 1)
        record = (own + 1 + _whole(uniform[0], rows - 1)) % rows  # another one, (B, L - 1)
        length_of = ops.take(lengths, record)  # (B, L - 1)
        place = record * length + _whole(uniform[1], length_of)  # (B, L - 1)
        negatives = ops.take(ops.reshape(vectors, (-1, dim)), place, axis=0)  # (B, L - 1, d)
        differ = ops.any(ops.not_equal(negatives, vectors[:, 1:]), axis=-1)  # (B, L - 1)
        counts = present[:, 1:] & (length_of > 0) & ops.not_equal(record, own) & differ
        return negatives, counts

    def compute_output_shape(
        self, states_shape: Shape, vectors_shape: Shape | None = None, present_shape: Any = None
    ) -> Shape:
        """Returns the states' shape."""
        return states_shape


def _whole(uniform: Tensor, below: Tensor) -> Tensor:
    """Returns whole numbers from 0 to `below` - 1, of random numbers from 0 to 1."""
    return ops.cast(ops.floor(uniform * ops.cast(below, uniform.dtype)), "int32")


def _loss(states: Tensor, vectors: Tensor, negatives: Tensor, counts: Tensor) -> Tensor:
    """Returns L_aux of those t, (B, L - 1), that count."""
    # Slices would do, but for their gradient, which fills tensors of zeros.
    states, _ = ops.split(states, [states.shape[1] - 1], axis=1)  # (B, L - 1, d)
    _, following = ops.split(vectors, [1], axis=1)  # (B, L - 1, d)
    positive = ops.cast(ops.sum(states * following, axis=-1), "float32")  # (B, L - 1)
    negative = ops.cast(ops.sum(states * negatives, axis=-1), "float32")  # (B, L - 1)
    losses = ops.softplus(-positive) + ops.softplus(negative)  # (B, L - 1)
    weights = ops.cast(counts, losses.dtype)  # (B, L - 1)
    return ops.sum(losses * weights) / ops.maximum(ops.sum(weights), 1)
