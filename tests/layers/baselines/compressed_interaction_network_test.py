import keras
import numpy as np
import pytest

from interhat_tf.layers import CompressedInteractionNetwork
from tests.layers import reference
from tests.layers.contract import built, check_equation, check_layer_contract, check_penalty
from tests.numpy_reference import relu

FIELDS = np.random.default_rng(1).normal(size=(6, 5, 4)).astype("float32")


CASES = pytest.mark.parametrize(
    ("make", "loops"),
    [
        (
            lambda: CompressedInteractionNetwork((3, 2)),
            lambda x, w: reference.compressed_interaction_network(x, w, (3, 2)),
        ),
        (
            lambda: CompressedInteractionNetwork((3, 2), activation="relu"),
            lambda x, w: reference.compressed_interaction_network(x, w, (3, 2), relu),
        ),
    ],
)


@CASES
def test_equals_loops_over_the_equation(make, loops):
    check_equation(make(), FIELDS, loops)


@CASES
def test_follows_the_layer_contract(make, loops):
    check_layer_contract(built(make(), FIELDS), FIELDS)


def test_regulariser_is_kept_and_penalises_its_weights():
    layer = CompressedInteractionNetwork((3, 2), kernel_regularizer=keras.regularizers.L2(0.1))
    check_penalty(layer, FIELDS, 0.1)
