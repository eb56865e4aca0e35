"""Tests of what field-aware values and values of pairs have in common."""

import numpy as np
import pytest

from interhat_tf.layers import FieldAwareValues, PairValues
from tests import numpy_reference
from tests.layers.contract import check_layer_contract
from tests.numpy_reference import weights_of

REFERENCES = {
    FieldAwareValues: (numpy_reference.field_aware_values, 5 * 4),
    PairValues: (numpy_reference.pair_values, 5 * 4 // 2),
}
of_both = pytest.mark.parametrize("kind", REFERENCES)


@pytest.fixture
def fields(rng):
    return rng.normal(size=(6, 5, 4)).astype("float32")


@pytest.fixture
def alpha(rng):
    return rng.dirichlet(np.ones(5), 6).astype("float32")


@of_both
def test_equals_numpy(kind, fields, alpha):
    layer, (reference, rows) = kind(3), REFERENCES[kind]
    layer(fields, alpha)
    expected = reference(fields, alpha, weights_of(layer))
    np.testing.assert_allclose(layer(fields, alpha), expected, rtol=1e-4, atol=1e-5)
    assert weights_of(layer)["kernel"].shape == (rows, 3)


@of_both
def test_weights_may_be_the_same_for_all_records(kind, fields, alpha):
    layer = kind(3)
    same = np.repeat(alpha[:1], 6, axis=0)
    np.testing.assert_allclose(layer(fields, alpha[:1]), layer(fields, same), atol=1e-6)


@of_both
def test_transposed_is_the_adjoint_of_the_sum(kind, fields, rng):
    layer = kind(3)
    layer.build(fields.shape)
    y = rng.normal(size=(6, 3)).astype("float32")
    back = np.asarray(layer.transposed(y))
    terms = rng.normal(size=back.shape).astype("float32")
    np.testing.assert_allclose(
        np.sum(layer.sum(terms) * y, axis=1),
        np.sum(terms * back, axis=(1, 2)),
        rtol=1e-4,
        atol=1e-5,
    )


@of_both
def test_follows_the_layer_contract_with_a_penalty(kind, fields, alpha):
    layer = kind(3, kernel_regularizer="l2")
    layer(fields, alpha)
    check_layer_contract(layer, fields, alpha)
    np.testing.assert_allclose(sum(layer.losses), 0.01 * np.sum(layer.kernel**2), rtol=1e-5)


@of_both
def test_rejects_values_without_size(kind):
    with pytest.raises(
        ValueError, match="units, the size of the values, must be at least 1, got 0"
    ):
        kind(0)


def test_each_field_has_its_matrix():
    layer = FieldAwareValues(1)
    fields, alpha = np.array([[[1.0, 2.0], [3.0, 4.0]]]), np.array([[0.25, 0.75]])
    layer.build(fields.shape)
    layer.kernel.assign([[1.0], [10.0], [100.0], [1000.0]])
    np.testing.assert_allclose(layer(fields, alpha), [[0.25 * 21 + 0.75 * 4300]])


def test_each_pair_has_its_vector():
    layer = PairValues(1)
    fields, alpha = np.array([[[1.0, 2.0], [3.0, 4.0], [0.0, 1.0]]]), np.array([[0.5, 0.25, 0.25]])
    layer.build(fields.shape)
    layer.kernel.assign([[1.0], [10.0], [100.0]])
    # <x_1, x_2> = 11, <x_1, x_3> = 2, <x_2, x_3> = 4
    expected = 0.75 * 11 + 0.75 * 2 * 10 + 0.5 * 4 * 100
    np.testing.assert_allclose(layer(fields, alpha), [[expected]])


def test_values_of_pairs_are_the_sum_of_their_terms(fields, alpha):
    layer = PairValues(3)
    expected = layer(fields, alpha)
    np.testing.assert_allclose(layer.sum(layer.terms(fields, alpha)), expected, atol=1e-5)
    # What a field has with itself counts for nothing.
    assert not np.diagonal(layer.transposed(expected), axis1=1, axis2=2).any()


def test_one_field_has_no_pairs():
    with pytest.raises(ValueError, match="values of pairs need two fields at least"):
        PairValues(3).build((None, 1, 4))
