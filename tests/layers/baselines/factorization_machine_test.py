import keras
import numpy as np

from interhat_tf.layers import FactorizationMachine
from tests.layers import reference
from tests.layers.contract import built, check_equation, check_layer_contract

FIELDS = np.random.default_rng(1).normal(size=(6, 5, 4)).astype("float32")


def test_equals_loops_over_the_equation():
    check_equation(FactorizationMachine(), FIELDS, lambda x, w: reference.factorization_machine(x))


def test_follows_the_layer_contract():
    check_layer_contract(built(FactorizationMachine(), FIELDS), FIELDS)


def test_by_hand():
    fields = np.array([[[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]]])
    # <1,2> = 3 + 8, <1,3> = 5 + 12, <2,3> = 15 + 24.
    np.testing.assert_array_equal(FactorizationMachine()(fields), [[11 + 17 + 39]])


def test_a_float32_layer_sums_half_precision_fields_exactly():
    half = keras.ops.cast(FIELDS + 30, "bfloat16")
    exact = FactorizationMachine()(keras.ops.cast(half, "float32"))
    np.testing.assert_array_equal(FactorizationMachine(dtype="float32")(half), exact)
