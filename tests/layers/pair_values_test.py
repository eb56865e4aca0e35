import numpy as np
import pytest

from interhat_tf.layers import PairValues
from tests.layers.contract import check_layer_contract
from tests.numpy_reference import pair_values, weights_of


@pytest.fixture
def fields(rng):
    return rng.normal(size=(6, 5, 4)).astype("float32")


@pytest.fixture
def alpha(rng):
    return rng.dirichlet(np.ones(5), 6).astype("float32")


def test_equals_numpy(fields, alpha):
    layer = PairValues(3)
    layer(fields, alpha)
    expected = pair_values(fields, alpha, weights_of(layer))
    np.testing.assert_allclose(layer(fields, alpha), expected, rtol=1e-4, atol=1e-5)
    assert weights_of(layer)["kernel"].shape == (10, 3)


def test_equals_the_equation_worked_by_hand():
    layer = PairValues(1)
    fields, alpha = np.array([[[1.0, 2.0], [3.0, 4.0], [0.0, 1.0]]]), np.array([[0.5, 0.25, 0.25]])
    layer.build(fields.shape)
    layer.kernel.assign([[1.0], [10.0], [100.0]])
    # <x_1, x_2> = 11, <x_1, x_3> = 2, <x_2, x_3> = 4
    expected = 0.75 * 11 + 0.75 * 2 * 10 + 0.5 * 4 * 100
    np.testing.assert_allclose(layer(fields, alpha), [[expected]])


def test_weights_may_be_the_same_for_all_records(fields, alpha):
    layer = PairValues(3)
    same = np.repeat(alpha[:1], 6, axis=0)
    np.testing.assert_allclose(layer(fields, alpha[:1]), layer(fields, same), atol=1e-6)


def test_it_is_the_sum_of_its_terms(fields, alpha):
    layer = PairValues(3)
    expected = layer(fields, alpha)
    np.testing.assert_allclose(layer.sum(layer.terms(fields, alpha)), expected, atol=1e-5)


def test_transposed_is_the_adjoint_of_the_sum(fields, rng):
    layer = PairValues(3)
    layer.build(fields.shape)
    terms = rng.normal(size=(6, 5, 5)).astype("float32")
    y = rng.normal(size=(6, 3)).astype("float32")
    back = np.asarray(layer.transposed(y))
    assert not np.diagonal(back, axis1=1, axis2=2).any()
    np.testing.assert_allclose(
        np.sum(layer.sum(terms) * y, axis=1),
        np.sum(terms * back, axis=(1, 2)),
        rtol=1e-4,
        atol=1e-5,
    )


def test_follows_the_layer_contract_with_a_penalty(fields, alpha):
    layer = PairValues(3, kernel_regularizer="l2")
    layer(fields, alpha)
    check_layer_contract(layer, fields, alpha)
    np.testing.assert_allclose(sum(layer.losses), 0.01 * np.sum(layer.kernel**2), rtol=1e-5)


def test_rejects_values_without_size_and_fields_without_pairs():
    with pytest.raises(
        ValueError, match="units, the size of the values, must be at least 1, got 0"
    ):
        PairValues(0)
    with pytest.raises(ValueError, match="values of pairs need two fields at least"):
        PairValues(3).build((None, 1, 4))
