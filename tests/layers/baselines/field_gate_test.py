import keras
import numpy as np

from interhat_tf.layers import FieldGate
from tests.layers import reference
from tests.layers.contract import built, check_equation, check_layer_contract, check_penalty

FIELDS = np.random.default_rng(1).normal(size=(6, 5, 4)).astype("float32")


def test_equals_loops_over_the_equation():
    check_equation(FieldGate(), FIELDS, reference.field_gate)


def test_gates_are_open_at_first():
    np.testing.assert_array_equal(FieldGate()(FIELDS), np.concatenate([FIELDS, FIELDS], axis=1))


def test_by_hand():
    gate = FieldGate()
    gate.build((None, 2, 1))
    gate.set_weights([np.array([[0.0, 1.0], [10.0, 0.0]]), np.array([[0.5], [0.0]])])
    # Field 2 opens field 1's gate by 3 + 0.5, field 1 that of field 2 by 20.
    np.testing.assert_array_equal(gate(np.array([[[2.0], [3.0]]])), [[[2.0], [3.0], [7.0], [60.0]]])


def test_follows_the_layer_contract():
    check_layer_contract(built(FieldGate(), FIELDS), FIELDS)


def test_regulariser_is_kept_and_penalises_its_weights():
    check_penalty(FieldGate(kernel_regularizer=keras.regularizers.L2(0.1)), FIELDS, 0.1)
