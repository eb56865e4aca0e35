"""Tests of the map from logits to calibrated probabilities."""

import numpy as np
import pytest
from sklearn.isotonic import IsotonicRegression

from interhat_tf.calibration import Calibration, model_probability, probability


def records(rng, rows=4000):
    """Logits, and labels whose true logit is 0.5 z - 2."""
    logits = rng.normal(0, 2, rows)
    return (rng.random(rows) < probability(0.5 * logits - 2)).astype(int), logits


def test_platt_finds_the_line(rng):
    labels, logits = records(rng, 40_000)
    found = Calibration.fit(labels, logits, "platt")
    assert found.slope == pytest.approx(0.5, abs=0.03)
    assert found.intercept == pytest.approx(-2, abs=0.06)
    assert found.probability(logits).mean() == pytest.approx(labels.mean(), abs=1e-4)


def test_platt_stays_finite_where_a_threshold_parts_the_labels():
    found = Calibration.fit([0] * 10 + [1] * 10, np.arange(20) - 9.5, "platt")
    assert 0.01 < found.probability(-9.5) < 0.05 and 0.95 < found.probability(9.5) < 0.99


def test_isotonic_is_scikit_learns_but_at_the_ends(rng):
    labels, logits = records(rng)
    found = Calibration.fit(labels, logits, "isotonic")
    expected = IsotonicRegression(out_of_bounds="clip").fit(logits, labels).predict(logits)
    inner = (expected > 0) & (expected < 1)
    np.testing.assert_allclose(found.probability(logits)[inner], expected[inner], atol=1e-4)
    assert inner.mean() > 0.9 and (expected[~inner] == 0).any()
    assert found.probability(-1e9) > 0 and found.probability(1e9) < 1


def test_isotonic_of_records_without_clicks():
    labels, logits = [0] * 98 + [1, 0, 1, 1], [-3.0] * 98 + [1.0, 1.0, 2.0, 2.0]
    found = Calibration.fit(labels, logits, "isotonic")
    np.testing.assert_allclose(found.probability([-3, 1, 2]), [1 / 100, 0.5, 3 / 4])
    labels[0] = 1  # two of them are clicks; the rare few below may not say more than these
    found = Calibration.fit([0, *labels], [-9.0, *logits], "isotonic")
    np.testing.assert_allclose(found.probability([-9, -3]), [1 / 98, 1 / 98])


@pytest.mark.parametrize("method", ["platt", "isotonic"])
def test_the_graph_computes_the_same_and_json_keeps_it(rng, method):
    labels, logits = records(rng)
    found = Calibration.fit(labels, logits, method)
    asked = np.concatenate([logits, [-50, 50], found.logits[:5]]).astype("float32")
    expected = found.probability(asked)
    np.testing.assert_allclose(found.probability_tensor(asked), expected, atol=1e-6)
    assert (np.diff(found.probability(np.sort(asked))) >= 0).all()
    assert Calibration.from_dict(found.to_dict()) == found
    assert np.isnan(found.probability(np.nan))


def test_a_model_without_calibration_has_a_sigmoid():
    assert model_probability(object(), 0.0) == 0.5


@pytest.mark.parametrize(
    ("labels", "method", "message"),
    [
        ([0, 1], "beta", "method must be one of platt, isotonic; got 'beta'"),
        ([1, 1], "platt", "all labels are the same"),
        ([1, 0], "platt", "train the model first"),
        ([1, 0], "isotonic", "train the model first"),
    ],
)
def test_what_is_refused(labels, method, message):
    with pytest.raises(ValueError, match=message):
        Calibration.fit(labels, [-1.0, 1.0], method)


@pytest.mark.parametrize("method", ["platt", "isotonic"])
def test_a_weight_is_a_number_of_equal_records(rng, method):
    labels, logits = records(rng)
    times = rng.integers(0, 4, len(labels))
    found = Calibration.fit(labels, logits, method, times)
    repeated = Calibration.fit(np.repeat(labels, times), np.repeat(logits, times), method)
    z = np.quantile(logits[times > 0], [0.2, 0.5, 0.8])
    np.testing.assert_allclose(found.probability(z), repeated.probability(z), rtol=0.01)
    assert found.records == np.count_nonzero(times)
