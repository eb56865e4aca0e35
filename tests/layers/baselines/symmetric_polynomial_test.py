import itertools

import numpy as np
import pytest

from interhat_tf.layers import SymmetricPolynomial
from tests.layers.contract import check_layer_contract

FIELDS = np.random.default_rng(1).normal(size=(6, 5, 4)).astype("float32")


def test_by_hand():
    fields = np.array([[[1.0], [2.0], [3.0], [-4.0]]])
    for degree, expected in [
        (1, 1 + 2 + 3 - 4),
        (2, 1 * 2 + 1 * 3 - 1 * 4 + 2 * 3 - 2 * 4 - 3 * 4),
        (3, 1 * 2 * 3 - 1 * 2 * 4 - 1 * 3 * 4 - 2 * 3 * 4),
        (4, -1 * 2 * 3 * 4),
    ]:
        np.testing.assert_allclose(SymmetricPolynomial(degree)(fields), [[expected]], rtol=1e-6)


@pytest.mark.parametrize("degree", [1, 2, 3, 4])
def test_equals_a_loop_over_all_groups(degree):
    groups = itertools.combinations(range(5), degree)
    expected = sum(np.prod(FIELDS[:, group].astype("float64"), axis=1) for group in groups)
    np.testing.assert_allclose(SymmetricPolynomial(degree)(FIELDS), expected, rtol=1e-3, atol=1e-4)
    assert np.std(expected) > 0.1


def test_follows_the_layer_contract():
    check_layer_contract(SymmetricPolynomial(3), FIELDS)


def test_a_group_of_nothing_is_refused():
    with pytest.raises(ValueError, match="must be >= 1, got 0"):
        SymmetricPolynomial(0)
