import keras
import numpy as np
import pytest

from interhat_tf.layers import Linear
from tests.layers import reference
from tests.layers.contract import built, check_equation, check_layer_contract, check_penalty

SIZES = (3, 1, 5)
RECORDS = {
    "categorical": np.random.default_rng(3).integers(0, SIZES, (6, 3)),
    "numerical": np.random.default_rng(1).normal(size=(6, 2)).astype("float32"),
}


CASES = pytest.mark.parametrize(
    ("make", "loops"),
    [
        (lambda: Linear(SIZES, 2), lambda x, w: reference.first_order(x, w, SIZES)),
        (lambda: Linear(SIZES, 2, use_bias=False), lambda x, w: reference.first_order(x, w, SIZES)),
    ],
)


@CASES
def test_equals_loops_over_the_equation(make, loops):
    check_equation(make(), RECORDS, loops)


@CASES
def test_follows_the_layer_contract(make, loops):
    check_layer_contract(built(make(), RECORDS), RECORDS)


def test_regulariser_is_kept_and_penalises_its_weights():
    layer = Linear(SIZES, 2, weights_regularizer=keras.regularizers.L2(0.1))
    check_penalty(layer, RECORDS, 0.1, lambda path: path != "bias")


def test_by_hand():
    layer = Linear((2, 3), 1)
    layer.build()
    table = np.array([[1.0], [2.0], [10.0], [20.0], [30.0]])
    layer.embedding.set_weights([table, np.array([[100.0]])])
    layer.bias.assign([0.5])
    records = {"categorical": np.array([[1, 2], [0, 0]]), "numerical": np.array([[0.0], [3.0]])}
    np.testing.assert_array_equal(layer(records), [[32.5], [311.5]])


def test_starts_at_zero():
    np.testing.assert_array_equal(Linear(SIZES, 2)(RECORDS), np.zeros((6, 1)))
