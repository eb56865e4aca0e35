import keras
import numpy as np
import pytest

from interhat_tf.layers import FactorizedInteractionBlock
from tests.layers import reference
from tests.layers.contract import built, check_equation, check_layer_contract, check_penalty

FLAT = np.random.default_rng(1).normal(size=(6, 20)).astype("float32")


def test_equals_the_equation():
    check_equation(
        FactorizedInteractionBlock((8, 4)),
        FLAT,
        lambda x, w: reference.factorized_interaction_block(x, w, 2),
    )


def test_by_hand():
    block = FactorizedInteractionBlock((2,), activation="linear")
    block.build((None, 2))
    block.set_weights([np.array([[1.0, 0.0], [1.0, 2.0]]), np.array([0.5, 0.0])])
    # W a + b is [3 + 0.5, 4]: the first half as it is, and the product of both.
    np.testing.assert_array_equal(block(np.array([[1.0, 2.0]])), [[3.5, 14.0]])


def test_follows_the_layer_contract():
    check_layer_contract(built(FactorizedInteractionBlock((8, 4)), FLAT), FLAT)


def test_regulariser_is_kept_and_penalises_its_weights():
    regularizer = keras.regularizers.L2(0.1)
    check_penalty(FactorizedInteractionBlock((8, 4), kernel_regularizer=regularizer), FLAT, 0.1)


def test_rejects_an_odd_width():
    with pytest.raises(ValueError, match=r"units must be even.*got \(8, 3\)"):
        FactorizedInteractionBlock((8, 3))
