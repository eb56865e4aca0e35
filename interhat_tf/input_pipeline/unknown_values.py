"""Training values that are taken for unknown, so that the unknown value is trained."""

import dataclasses

import numpy as np
import tensorflow as tf

from interhat_tf.schema import (
    CATEGORICAL,
    MULTIVALUED,
    NUMERICAL,
    OUT_OF_VOCABULARY,
    PADDING,
    Batch,
)

SEED = 3
"""Tells these random numbers from those that order the rows."""


@dataclasses.dataclass(frozen=True)
class UnknownValues:
    """Takes a random share of a batch's values for unknown: ids for id 0, numbers for missing.

    A vocabulary that holds all training values would leave id 0, which a new user
    has, as it was initialised. With it in place of a random share of the users it
    learns what a user is like of whom nothing is known.

    Args:
        share: The share of the values.
        categorical: Whether values of each categorical field are taken, (C,) booleans.
        numerical: Whether those of each numerical field are, (N,): of fields that may be
            missing, but are not in training rows.
        multivalued: Whether those of each column of multivalued fields are, (L,).
            Defaults to none: there is no such field.
    """

    share: float | tf.Tensor
    categorical: np.ndarray
    numerical: np.ndarray
    multivalued: np.ndarray = dataclasses.field(default_factory=lambda: np.empty(0, bool))

    def only_if(self, condition: tf.Tensor) -> "UnknownValues":
        """Returns one that takes none unless a condition, a boolean scalar, holds."""
        return dataclasses.replace(self, share=tf.where(condition, self.share, 0.0))

    def replace(self, inputs: Batch, seed: tf.Tensor) -> Batch:
        """Returns a batch's inputs with unknown values among them.

        Args:
            inputs: Dictionary of `categorical`, (B, C), `numerical`, (B, N), and
                `multivalued`, (B, L).
            seed: Seed, (2,) integers, on which alone it depends which values they are.
        """
        replaced = dict(inputs)
        for number, kind, chosen, unknown in (
            (SEED, CATEGORICAL, self.categorical, OUT_OF_VOCABULARY),
            (SEED + 1, NUMERICAL, self.numerical, np.nan),
            (SEED + 2, MULTIVALUED, self.multivalued, OUT_OF_VOCABULARY),
        ):
            if chosen.any():
                values = inputs[kind]
                of_kind = tf.random.experimental.stateless_fold_in(seed, number)
                drawn = tf.random.stateless_uniform(tf.shape(values), of_kind) < self.share
                if kind == MULTIVALUED:
                    drawn &= values != PADDING
                unknown_value = tf.constant(unknown, values.dtype)
                replaced[kind] = tf.where(drawn & chosen, unknown_value, values)
        return replaced
