import numpy as np
import tensorflow as tf

from experiments.paper.memorisation_baseline import memorisation_baseline
from interhat_tf import Field, Schema


class Data:
    """Pairs of a user and an app whose label is that of the same pair in training."""

    schema = Schema([Field("user", "categorical", 3), Field("item", "categorical", 4)])

    def evaluation_batches(self, split, batch_size):
        pairs = np.array([[u, a] for u in range(3) for a in range(4)], "int32")  # (12, 2)
        labels = (pairs.sum(axis=1) % 2).astype("float32")  # (12,)
        return tf.data.Dataset.from_tensor_slices(({"categorical": pairs}, labels)).batch(5)


def test_a_pair_seen_in_training_is_remembered():
    found = memorisation_baseline(Data())
    assert found["auc"] == 1
    # Laplace's rates on validation: 7 / 8 of the pairs seen, 1 / 8 of the others.
    assert found["logloss"] < 0.3


def test_without_repeated_pairs_there_is_nothing_to_remember(monkeypatch):
    def shuffled(self, split, batch_size, original=Data.evaluation_batches):
        flip = 0.0 if split == "train" else 1.0
        batches = original(self, split, batch_size)
        return batches.map(lambda inputs, label: (inputs, tf.abs(label - flip)))

    monkeypatch.setattr(Data, "evaluation_batches", shuffled)
    assert memorisation_baseline(Data())["auc"] == 0
