import keras
import numpy as np
import pytest

from interhat_tf.layers import BilinearFusion
from tests.layers import reference
from tests.layers.contract import check_layer_contract
from tests.numpy_reference import randomise, weights_of

RNG = np.random.default_rng(1)
FIRST = RNG.normal(size=(6, 20)).astype("float32")
SECOND = RNG.normal(size=(6, 8)).astype("float32")


def made(num_heads, **arguments):
    layer = BilinearFusion(num_heads, **arguments)
    layer(FIRST, SECOND)
    return randomise(layer)


@pytest.mark.parametrize("num_heads", [1, 4])
def test_equals_the_equation(num_heads):
    layer = made(num_heads)
    expected = reference.bilinear_fusion(FIRST, SECOND, weights_of(layer))
    assert layer.count_params() == 20 * 8 / num_heads
    np.testing.assert_allclose(layer(FIRST, SECOND), expected, rtol=1e-4, atol=1e-4)


def test_by_hand():
    fusion = BilinearFusion(2)
    fusion.build((None, 2), (None, 2))
    fusion.set_weights([np.array([[[10.0]], [[1.0]]])])
    # 10 * 2 * 3 of the first head and 4 * 5 of the second.
    np.testing.assert_array_equal(fusion(np.array([[2.0, 4.0]]), np.array([[3.0, 5.0]])), [[80.0]])


def test_follows_the_layer_contract():
    check_layer_contract(made(4), FIRST, SECOND)


def test_regulariser_is_kept_and_penalises_its_weights():
    layer = made(4, kernel_regularizer=keras.regularizers.L2(0.1))
    expected = 0.1 * (weights_of(layer)["kernel"] ** 2).sum()
    np.testing.assert_allclose(sum(layer.losses), expected, rtol=1e-5)
    check_layer_contract(layer, FIRST, SECOND)


def test_rejects_heads_that_do_not_divide_the_widths():
    with pytest.raises(ValueError, match=r"num_heads, 5, must divide .* \(20, 8\)"):
        BilinearFusion(5)(FIRST, SECOND)
