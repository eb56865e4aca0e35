import numpy as np
import pytest
from scipy import stats

from interhat_tf.explanation.effect_fidelity import agreement


def test_agreement_worked_by_hand():
    exact = np.array([[1.0, 2.0, 3.0], [4.0, 0.0, 2.0]])  # of mean 2, squares sum to 10
    estimated = np.array([[1.0, 3.0, 2.0], [4.0, 0.0, 2.0]])  # squared errors sum to 2
    assert agreement(estimated, exact) == pytest.approx({"r2": 0.8, "rank_correlation": 0.75})


def test_the_rank_correlation_is_spearmans(rng):
    exact, estimated = rng.normal(size=(2, 20, 7))
    expected = [stats.spearmanr(*pair).statistic for pair in zip(exact, estimated, strict=True)]
    found = agreement(estimated, exact)
    assert found["rank_correlation"] == pytest.approx(np.mean(expected))
    assert found["r2"] < 0


def test_where_nothing_has_an_effect():
    zeros = np.zeros((3, 1))
    assert agreement(zeros, zeros) == {"r2": 1.0, "rank_correlation": 1.0}
    assert agreement(zeros + 1e-5, zeros)["r2"] > 0.99
    assert agreement(zeros + 1e-2, zeros)["r2"] < 0
