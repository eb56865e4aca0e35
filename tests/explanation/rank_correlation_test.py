import numpy as np
import pytest
from scipy import stats

from interhat_tf.explanation.rank_correlation import rank_correlations


def test_it_is_spearmans_with_ties(rng):
    values, others = rng.integers(4, size=(2, 20, 7))
    expected = [stats.spearmanr(*rows).statistic for rows in zip(values, others, strict=True)]
    np.testing.assert_allclose(rank_correlations(values, others), expected)


@pytest.mark.parametrize(("other", "expected"), [([5.0, 5.0], 1.0), ([1.0, 2.0], 0.0)])
def test_rows_without_an_order(other, expected):
    assert rank_correlations(np.array([[3.0, 3.0]]), np.array([other])) == expected
