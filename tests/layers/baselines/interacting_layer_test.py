import keras
import numpy as np

from interhat_tf.layers import InteractingLayer
from tests.layers import reference
from tests.layers.contract import built, check_equation, check_layer_contract, check_penalty

FIELDS = np.random.default_rng(1).normal(size=(6, 5, 4)).astype("float32")


def test_equals_loops_over_the_equation():
    check_equation(
        InteractingLayer(2, 3), FIELDS, lambda x, w: reference.interacting_layer(x, w, 2)
    )


def test_follows_the_layer_contract():
    check_layer_contract(built(InteractingLayer(2, 3), FIELDS), FIELDS)


def test_regulariser_is_kept_and_penalises_its_weights():
    layer = InteractingLayer(2, 3, kernel_regularizer=keras.regularizers.L2(0.1))
    check_penalty(layer, FIELDS, 0.1)


def test_dropout_acts_in_training_only():
    layer = InteractingLayer(2, 3, dropout=0.5)
    np.testing.assert_array_equal(layer(FIELDS), layer(FIELDS))
    assert not np.allclose(layer(FIELDS, training=True), layer(FIELDS, training=True))
    assert type(layer).from_config(layer.get_config()).dropout == 0.5
