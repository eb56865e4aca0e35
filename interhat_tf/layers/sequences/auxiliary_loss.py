"""The auxiliary loss of DIEN: a state knows what comes next."""

from typing import Any

import keras
from keras import ops

from interhat_tf.ops import Shape, Tensor
from interhat_tf.schema import PADDING
from interhat_tf.utils.config import ConfigFromSignature


@keras.saving.register_keras_serializable("interhat_tf")
class AuxiliaryLoss(ConfigFromSignature):
    """Teaches each state of a sequence to tell the next value from another (Zhou et al. 2019).

        L_aux = -mean_t (log sigmoid(h_t . e_{t+1}) + log(1 - sigmoid(h_t . n_{t+1})))

    This is Equation 6 of DIEN, n being negatives: e is the value that follows in the
    record's own sequence, n_{t+1} a value drawn from the sequence of another record of the
    batch, itself drawn anew for each t. (The paper draws from all items, which a batch does
    not hold.) A t whose n has the id of its e, or is drawn from an empty
    sequence, does not count. The mean is over the t that do, as in the authors' code,
    so that histories of any length weigh alike; the equation has the sum over t.

    In training the layer adds `weight` L_aux to the model's losses; it hands on the states.
    What is drawn follows from a state that is saved with the model, as dropout's masks do.

    Args:
        weight: The factor alpha of the loss. Defaults to 1.
        seed: Seed of the draws. Defaults to `None`: one of Keras' own.
        **kwargs: Arguments of `keras.layers.Layer`.

    Call arguments:
        states: The states h_t, (B, L, d).
        vectors: The sequence's vectors e_t, (B, L, d).
        ids: Their ids, -1 behind the last one, (B, L) integers.
        training: Whether the loss is added.

    Returns:
        The states, (B, L, d).

    Example:

    >>> layer, ids = AuxiliaryLoss(), ops.array([[3, 1, -1], [2, 2, 2]])
    >>> states = layer(ops.zeros((2, 3, 4)), ops.ones((2, 3, 4)), ids, training=True)
    >>> [round(float(loss), 3) for loss in layer.losses]  # of a state of zeros, 2 log 2
    [1.386]
    """

    def __init__(self, weight: float = 1.0, *, seed: int | None = None, **kwargs: Any):
        super().__init__(**kwargs)
        self.weight = weight
        self.draws = keras.random.SeedGenerator(seed)

    def call(self, states: Tensor, vectors: Tensor, ids: Tensor, training: bool = False) -> Tensor:
        """Returns the states, and adds their loss in training."""
        if training and self.weight and vectors.shape[1] > 1:
            negatives, drawn = self._draw(vectors, ids)
            self.add_loss(self.weight * _loss(states, vectors, negatives, drawn))
        return states

    def _draw(self, vectors: Tensor, ids: Tensor) -> tuple[Tensor, Tensor]:
        """Returns n_2, ..., n_L, (B, L - 1, d), and which of them count, (B, L - 1)."""
        rows, (length, dim) = ops.shape(vectors)[0], vectors.shape[1:]
        uniform = keras.random.uniform((2, rows, length - 1), seed=self.draws)  # (2, B, L - 1)
        step = 1 + _whole(uniform[0], rows - 1)  # to another record
        own = ops.expand_dims(ops.arange(rows), 1)  # (B, 1)
        record = (own + step) % rows  # (B, L - 1)
        lengths = ops.sum(ops.cast(ops.not_equal(ids, PADDING), "int32"), axis=1)  # (B,)
        place = record * length + _whole(uniform[1], ops.take(lengths, record))  # (B, L - 1)
        negatives = ops.take(ops.reshape(vectors, (-1, dim)), place, axis=0)  # (B, L - 1, d)
        of_negatives, following = ops.take(ops.reshape(ids, (-1,)), place), ids[:, 1:]
        two_values = ops.not_equal(following, PADDING) & ops.not_equal(of_negatives, PADDING)
        differ = ops.not_equal(of_negatives, following) & ops.not_equal(record, own)
        return negatives, two_values & differ

    def compute_output_shape(
        self, states_shape: Shape, vectors_shape: Shape | None = None, ids_shape: Any = None
    ) -> Shape:
        """Returns the states' shape."""
        return states_shape


def _whole(uniform: Tensor, below: Tensor) -> Tensor:
    """Returns whole numbers from 0 to `below` - 1, of random numbers from 0 to 1."""
    return ops.cast(ops.floor(uniform * ops.cast(below, uniform.dtype)), "int32")


def _loss(states: Tensor, vectors: Tensor, negatives: Tensor, counts: Tensor) -> Tensor:
    """Returns L_aux of those t, (B, L - 1), that count."""
    states, following = states[:, :-1], vectors[:, 1:]  # (B, L - 1, d)
    positive = ops.cast(ops.sum(states * following, axis=-1), "float32")  # (B, L - 1)
    negative = ops.cast(ops.sum(states * negatives, axis=-1), "float32")  # (B, L - 1)
    losses = ops.softplus(-positive) + ops.softplus(negative)  # (B, L - 1)
    weights = ops.cast(counts, losses.dtype)  # (B, L - 1)
    return ops.sum(losses * weights) / ops.maximum(ops.sum(weights), 1)
