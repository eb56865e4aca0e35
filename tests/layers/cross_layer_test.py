import numpy as np

from interhat_tf.layers import CrossLayer
from tests.layers.contract import check_layer_contract


def test_equals_the_equation_worked_by_hand():
    aggregation = np.array([[2.0, 3.0]])
    first_order = np.array([[[1.0, 10.0], [-1.0, 0.5]]])
    current_order = np.array([[[100.0, 200.0], [300.0, 400.0]]])
    np.testing.assert_array_equal(
        CrossLayer()(aggregation, first_order, current_order), [[[102.0, 230.0], [298.0, 401.5]]]
    )


def test_equals_numpy(rng):
    aggregation, first_order, current_order = (
        rng.normal(size=shape).astype("float32") for shape in [(6, 4), (6, 5, 4), (6, 5, 4)]
    )
    np.testing.assert_allclose(
        CrossLayer()(aggregation, first_order, current_order),
        np.einsum("bd,bmd->bmd", aggregation, first_order) + current_order,
        rtol=1e-5,
        atol=1e-6,
    )


def test_has_no_weights_and_follows_the_layer_contract(rng):
    layer, fields = CrossLayer(), rng.normal(size=(6, 5, 4)).astype("float32")
    check_layer_contract(layer, fields[:, 0], fields, fields)
    assert layer.weights == []
