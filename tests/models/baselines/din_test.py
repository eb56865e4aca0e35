import functools

import keras
import numpy as np

from interhat_tf import Field, Schema
from interhat_tf.models import DIN
from tests.layers import reference
from tests.models.baselines.history_contract import FIELDS, HistoryContract
from tests.numpy_reference import inside


class TestDIN(HistoryContract):
    name = "din"
    of_paper = 16 * 36 + 36 + 3 * 36 + 36 + 1
    statistics = 2

    def read(self, values, target, weights):
        dice = functools.partial(reference.dice, weights=inside(weights, "activation_1"))
        return reference.activation_unit(values, target, weights, [dice])[0]


class TestAuthorsCode(HistoryContract):
    name = "din"
    arguments = {
        **HistoryContract.arguments,
        "attention_units": (3, 2),
        "attention_activation": "sigmoid",
        "attention_softmax": True,
    }
    of_paper = 16 * 3 + 3 + 3 * 2 + 2 + 2 + 1

    def read(self, values, target, weights):
        activations = [reference.sigmoid] * 2
        return reference.activation_unit(values, target, weights, activations, True)[0]


def test_dense_l2_reaches_the_activation_unit():
    model = DIN(Schema(FIELDS), embedding_dim=4, dense_l2=0.1)
    unit = model.embedding.poolings[1]
    assert isinstance(unit.kernel_regularizer, keras.regularizers.L2)
    assert {weight.regularizer is not None for weight in unit.trainable_weights} == {True}


def test_each_history_has_a_unit_of_its_own():
    liked = Field("liked", "sequence", 4, max_length=2, shares="user")
    model = DIN(Schema([*FIELDS, liked]), embedding_dim=4)
    assert model.histories == ["history", "liked"]
    units = model.embedding.poolings[1:]
    assert units[0] is not units[1]
    rng = np.random.default_rng(0)
    batch = {
        "categorical": rng.integers(0, 4, (3, 2)),
        "numerical": np.zeros((3, 1), "float32"),
        "multivalued": np.array([[0, -1, 1, 2, 3, -1, -1, 3, 1]] * 3),
    }
    weights = model.embedding.value_weights(batch)
    assert weights.shape == (3, 9)
    assert not np.any(np.asarray(weights)[:, [1, 5, 6]])
