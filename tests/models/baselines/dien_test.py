import keras
import numpy as np
import pytest
import tensorflow as tf

from interhat_tf import Schema
from interhat_tf.models import DIEN
from interhat_tf.training.step import compile_steps
from tests.layers import reference
from tests.models.baselines.history_contract import FIELDS, HistoryContract, records


class TestDIEN(HistoryContract):
    name = "dien"
    of_paper = 2 * (2 * 4 * 12 + 12) + 4 * 4

    def read(self, values, target, weights):
        return reference.interest_evolution(values, target, weights)[0]


def test_the_auxiliary_loss_is_what_its_weight_says(rng):
    batch, losses = records(rng), {}
    for weight in (0.0, 0.5, 1.0):
        keras.utils.set_random_seed(3)
        model = DIEN(Schema(FIELDS), embedding_dim=4, auxiliary_weight=weight)
        model(batch, training=True)
        losses[weight] = [float(loss) for loss in model.losses]
    assert losses[0.0] == []
    (half,), (whole,) = losses[0.5], losses[1.0]
    assert 2 * half == pytest.approx(whole) and whole > 1


def test_training_lowers_the_auxiliary_loss(rng):
    """The movies of a history follow one another in a circle."""
    rows = 200
    first, ends = rng.integers(0, 7, (rows, 1)), rng.integers(2, 6, (rows, 1))
    seen = np.where(np.arange(5) < ends, (first + np.arange(5)) % 7, -1)
    batch = {**records(rng, rows), "labels": rng.integers(0, 2, rows).astype("float32")}
    batch["multivalued"][:, 2:] = seen
    labels = batch.pop("labels")
    model = DIEN(Schema(FIELDS), embedding_dim=8, mlp_units=(4,))

    def auxiliary():
        model(batch, training=True)
        return float(sum(model.losses))

    before, loss_sum = auxiliary(), tf.Variable(0.0, dtype=tf.float64)
    optimizer = keras.optimizers.Adam(0.02)
    optimizer.build(model.trainable_variables)
    data = tf.data.Dataset.from_tensors((batch, labels)).repeat()
    compile_steps(model, optimizer, loss_sum)(iter(data), tf.constant(150))
    # A negative is what comes next in one record of seven, and so not wrong.
    assert before > 1.2 and auxiliary() < 0.7


def test_microbatches_are_refused():
    model = DIEN(Schema(FIELDS), embedding_dim=4, mlp_activation="relu")
    optimizer = keras.optimizers.SGD()
    with pytest.raises(ValueError, match=r"microbatch_size needs .* draws from the batch"):
        compile_steps(model, optimizer, tf.Variable(0.0), microbatch_size=4)
