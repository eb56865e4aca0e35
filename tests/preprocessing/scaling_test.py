"""Tests of scales: of the numbers that a model reads, and back."""

import json

import numpy as np
import pytest

from interhat_tf.preprocessing import scaling
from interhat_tf.preprocessing.scaling import (
    FARTHEST,
    SCALES,
    MinMax,
    NumberSample,
    Quantiles,
    SignedLog,
    fit_scale,
    quantile_edges,
    scale_from_dict,
    scale_to_dict,
)


@pytest.fixture
def heavy(rng):
    """Numbers of either sign whose largest is a hundred thousand times the median."""
    numbers = rng.normal(size=3000) * np.exp(rng.normal(1, 4, 3000))
    numbers[::5] = 0
    return numbers


def fit(name, numbers):
    return fit_scale(name, float(numbers.min()), float(numbers.max()), numbers)


@pytest.mark.parametrize("name", SCALES)
def test_numbers_keep_their_order_and_come_back(name, heavy):
    scale = fit(name, heavy)
    assert scale_from_dict(json.loads(json.dumps(scale_to_dict(scale)))) == scale
    numbers = np.sort(heavy)
    scaled = scale.apply(numbers)
    assert (np.diff(scaled) >= 0).all()
    np.testing.assert_allclose(scale.apply(scale.invert(scaled)), scaled, atol=2e-7)
    if name != "min-max":  # a model reads single precision
        single = scale.invert(scaled.astype("float32").astype("float64"))
        tolerance = 0.5 * 10.0 ** (1 - scale.digits)
        np.testing.assert_allclose(single, numbers, rtol=tolerance, atol=1e-6)
    beyond = scale.apply(np.array([numbers[0] * 10, numbers[-1] * 10]))
    np.testing.assert_allclose(beyond, [scaled[0], scaled[-1]])


@pytest.mark.parametrize("name", SCALES)
@pytest.mark.parametrize("low", [0.0, -3.0])
def test_zero_comes_back_from_single_precision(name, low, rng):
    scale = fit(name, np.append(rng.exponential(2, 1000), low))
    single = scale.apply(np.zeros(1)).astype("float32").astype("float64")
    assert scale.invert(single).tolist() == [0.0]


@pytest.mark.parametrize("name", SCALES)
@pytest.mark.parametrize("numbers", [np.zeros(0), np.full(9, 7.0), np.zeros(4)])
def test_one_number_or_none(name, numbers):
    low, high = (numbers.min(), numbers.max()) if len(numbers) else (0.0, 0.0)
    scale = fit_scale(name, float(low), float(high), numbers)
    scaled = scale.apply(np.array([-5.0, low, 99.0]))
    np.testing.assert_allclose(scaled, 0, atol=1e-12)
    np.testing.assert_allclose(scale.invert(scaled), low, atol=1e-12)


def test_signed_logs_are_standardised(heavy):
    scale = fit("log", heavy)
    scaled = scale.apply(heavy)
    assert scaled.mean() == pytest.approx(0, abs=1e-9)
    assert scaled.std() == pytest.approx(1)
    assert np.abs(scaled).max() < 5
    unit = np.median(np.abs(heavy[heavy != 0]))
    expected = np.sign(heavy) * np.log(1 + np.abs(heavy) / unit)
    np.testing.assert_allclose(scaled, (expected - expected.mean()) / expected.std(), atol=1e-9)
    # The unit of the numbers does not matter.
    np.testing.assert_allclose(fit("log", heavy * 1000).apply(heavy * 1000), scaled, atol=1e-9)


def test_quantiles_are_shares_of_smaller_numbers(rng):
    numbers = np.exp(rng.normal(0, 3, 5000))
    ranks = (numbers[:, None] > numbers).mean(axis=1)
    scaled = fit("quantiles", numbers).apply(numbers)
    np.testing.assert_allclose(scaled, ranks, atol=0.01)
    assert scaled.min() == 0 and scaled.max() == 1
    # Of many equal numbers in the middle, the middle of their shares.
    counts = np.repeat([0.0, 1.0, 2.0, 3.0], [100, 600, 200, 100])
    scale = fit("quantiles", counts)
    assert isinstance(scale, Quantiles)
    np.testing.assert_allclose(scale.apply(np.arange(4.0)), [0, 0.4, 0.8, 1], atol=0.01)


def test_buckets_begin_at_quantiles(rng):
    numbers = np.exp(rng.normal(0, 3, 4000))
    edges = quantile_edges(numbers.min(), numbers, 8)
    counts = np.bincount(np.searchsorted(edges, numbers, side="right"), minlength=9)
    assert counts[0] == 0 and counts[1:].tolist() == [500] * 8
    assert quantile_edges(3.0, np.zeros(0), 8).tolist() == [3.0]


def test_a_sample_does_not_depend_on_the_chunks(rng, monkeypatch):
    monkeypatch.setattr(scaling, "SAMPLE_ROWS", 50)
    numbers = rng.normal(size=1000)
    chosen = rng.random(1000) < 0.6
    whole = NumberSample.draw(numbers, chosen, 7)
    assert len(whole.numbers) == 50 and set(whole.numbers) <= set(numbers[chosen])
    for size in (1, 33, 400):
        parts = [
            NumberSample.draw(numbers[at : at + size], chosen[at : at + size], 7 + at)
            for at in range(0, 1000, size)
        ]
        merged = parts.pop()
        while parts:
            merged = merged.merge(parts.pop(0))
        np.testing.assert_array_equal(merged.in_order(), whole.in_order())
    # It stands for all of them, wherever they lie.
    ramp = NumberSample.draw(np.arange(100_000.0), np.ones(100_000, bool), 0)
    assert ramp.numbers.mean() == pytest.approx(50_000, rel=0.3)


def test_a_sample_is_in_the_order_of_its_keys():
    sample = NumberSample(np.array([3, 1, 2], np.uint64), np.array([30.0, 10.0, 20.0]))
    assert sample.in_order().tolist() == [10.0, 20.0, 30.0]


@pytest.mark.parametrize(("number", "rows"), [(3.0, 5), (1.5, 800), (2.0**63, 30)])
def test_a_constant_has_a_deviation_of_one(number, rows):
    scale = fit("log", np.full(rows, number))
    assert scale == SignedLog(number, number, number, np.log(2), 1.0)
    assert scale.apply(np.array([number])) == 0


def test_min_max_clips_and_a_constant_is_zero():
    assert MinMax(0, 10).apply(np.array([0.0, 5, 10, -1, 11])).tolist() == [0, 0.5, 1, 0, 1]
    assert MinMax(7, 7).apply(np.array([7.0, 8.0])).tolist() == [0, 0]


def test_numbers_whose_logarithms_are_the_same_are_a_constant():
    scale = fit("log", np.array([1e16, 1e16 + 2, 1e16 + 4]))
    assert scale.deviation == 1
    np.testing.assert_allclose(scale.apply(np.array([1e16, 1e16 + 4])), 0, atol=1e-12)


@pytest.mark.parametrize("sign", [1, -1])
def test_the_few_others_of_a_number_that_is_nearly_always_the_same_are_not_far_away(sign):
    numbers = np.zeros(1000)
    numbers[7] = sign * 3.0
    scale = fit("log", numbers)
    assert scale.apply(np.array([sign * 3.0, sign * 99.0])) == pytest.approx(sign * FARTHEST)
    assert abs(scale.apply(np.zeros(1))[0]) < 0.01
    np.testing.assert_allclose(scale.invert(scale.apply(numbers)), numbers, atol=1e-9)


def test_what_the_sample_lacks_counts_for_how_far_numbers_are(rng):
    sample = rng.normal(size=1000)
    scale = SignedLog.fit(sample.min(), 1e9, sample)
    assert scale.apply(np.array([1e9])) == pytest.approx(FARTHEST)


def test_quantiles_reach_the_ends_that_the_sample_lacks(rng):
    scale = Quantiles.fit(-9.0, 1e6, rng.normal(size=1000))
    assert (scale.knots[0], scale.knots[-1]) == (-9.0, 1e6)


def test_numbers_without_a_tail_have_a_standard_deviation_of_one(rng):
    numbers = rng.normal(size=10_000)
    assert fit("log", numbers).apply(numbers).std() == pytest.approx(1)
