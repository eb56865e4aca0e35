import numpy as np
import pytest

from interhat_tf.layers import FieldAwareValues
from tests.layers.contract import check_layer_contract
from tests.numpy_reference import field_aware_values, weights_of


@pytest.fixture
def fields(rng):
    return rng.normal(size=(6, 5, 4)).astype("float32")


@pytest.fixture
def alpha(rng):
    return rng.dirichlet(np.ones(5), 6).astype("float32")


def test_equals_numpy(fields, alpha):
    layer = FieldAwareValues(3)
    layer(fields, alpha)
    expected = field_aware_values(fields, alpha, weights_of(layer))
    np.testing.assert_allclose(layer(fields, alpha), expected, rtol=1e-4, atol=1e-5)
    assert weights_of(layer)["kernel"].shape == (20, 3)


def test_equals_the_equation_worked_by_hand():
    layer = FieldAwareValues(1)
    fields, alpha = np.array([[[1.0, 2.0], [3.0, 4.0]]]), np.array([[0.25, 0.75]])
    layer.build(fields.shape)
    layer.kernel.assign([[1.0], [10.0], [100.0], [1000.0]])
    np.testing.assert_allclose(layer(fields, alpha), [[0.25 * 21 + 0.75 * 4300]])


def test_weights_may_be_the_same_for_all_records(fields, alpha):
    layer = FieldAwareValues(3)
    same = np.repeat(alpha[:1], 6, axis=0)
    np.testing.assert_allclose(layer(fields, alpha[:1]), layer(fields, same), atol=1e-6)


def test_transposed_is_the_adjoint_of_the_sum(fields, rng):
    layer = FieldAwareValues(3)
    layer.build(fields.shape)
    y = rng.normal(size=(6, 3)).astype("float32")
    np.testing.assert_allclose(
        np.sum(layer.sum(fields) * y, axis=1),
        np.sum(fields * layer.transposed(y), axis=(1, 2)),
        rtol=1e-4,
        atol=1e-5,
    )


def test_follows_the_layer_contract_with_a_penalty(fields, alpha):
    layer = FieldAwareValues(3, kernel_regularizer="l2")
    layer(fields, alpha)
    check_layer_contract(layer, fields, alpha)
    np.testing.assert_allclose(sum(layer.losses), 0.01 * np.sum(layer.kernel**2), rtol=1e-5)


def test_rejects_values_without_size():
    with pytest.raises(ValueError, match="must be at least 1, got 0"):
        FieldAwareValues(0)
