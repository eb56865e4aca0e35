import keras
import numpy as np

from interhat_tf.layers import FieldAwareFactorizationMachine
from tests.layers import reference
from tests.layers.contract import built, check_equation, check_layer_contract

AWARE = np.random.default_rng(2).normal(size=(6, 5, 5 * 3)).astype("float32")


def test_equals_loops_over_the_equation():
    check_equation(
        FieldAwareFactorizationMachine(),
        AWARE,
        lambda x, w: reference.field_aware_factorization_machine(x),
    )


def test_follows_the_layer_contract():
    check_layer_contract(built(FieldAwareFactorizationMachine(), AWARE), AWARE)


def test_vectors_of_a_field_for_itself_are_not_used():
    vectors = AWARE.reshape(6, 5, 5, 3).copy()
    layer = FieldAwareFactorizationMachine()
    before = layer(AWARE)
    vectors[:, range(5), range(5)] = 99.0
    np.testing.assert_array_equal(layer(vectors.reshape(6, 5, 15)), before)
    vectors[:, 0, 1] = 99.0
    assert not np.allclose(layer(vectors.reshape(6, 5, 15)), before)


def test_a_float32_layer_sums_half_precision_fields_exactly():
    half = keras.ops.cast(AWARE + 30, "bfloat16")
    exact = FieldAwareFactorizationMachine()(keras.ops.cast(half, "float32"))
    np.testing.assert_array_equal(FieldAwareFactorizationMachine(dtype="float32")(half), exact)
