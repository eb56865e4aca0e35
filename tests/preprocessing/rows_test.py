"""Tests of the random numbers and the splits of rows."""

import itertools
import math

import numpy as np
import pytest

from interhat_tf.preprocessing.rows import SPLITS, random_bits, random_splits
from tests.preprocessing.logs import TRAIN


def test_splits_are_eight_to_one_to_one():
    rows = 1_000_000
    splits = random_splits(0, rows)
    assert splits.dtype == np.int8
    counts = np.bincount(splits, minlength=3)
    assert counts.sum() == rows
    for split, share in zip(SPLITS, (0.8, 0.1, 0.1), strict=True):
        # Five standard deviations, which one good generator in two million exceeds.
        bound = 5 * math.sqrt(rows * share * (1 - share))
        assert abs(counts[SPLITS.index(split)] - rows * share) < bound
    # Neighbours are independent: 0.64 of the pairs are both for training.
    both = ((splits[1:] == TRAIN) & (splits[:-1] == TRAIN)).mean()
    assert both == pytest.approx(0.64, abs=5 * 0.0008)


def test_bits_are_uniform_and_differ_by_seed():
    rows = 200_000
    bits = random_bits(0, rows, 1)
    assert bits.dtype == np.uint64
    assert len(np.unique(bits)) == rows
    for position in range(64):
        share = ((bits >> np.uint64(position)) & np.uint64(1)).mean()
        assert share == pytest.approx(0.5, abs=5 * 0.5 / math.sqrt(rows))
    assert not (random_bits(0, rows, 0) == bits).any()
    # The order of the rows is to tell nothing of their splits.
    numbers = random_splits(0, rows).astype(float), bits.astype(float)
    assert abs(np.corrcoef(*numbers)[0, 1]) < 5 / math.sqrt(rows)


@pytest.mark.parametrize("first_row", [0, 1, 12_345, 2**40])
def test_draws_depend_on_the_position_alone(rng, first_row):
    for draw in (random_splits, lambda *rows: random_bits(*rows, 1)):
        whole = draw(first_row, 1_000)
        cuts = [0, *np.sort(rng.integers(0, 1_001, 5)), 1_000]
        parts = [draw(first_row + a, b - a) for a, b in itertools.pairwise(cuts)]
        np.testing.assert_array_equal(np.concatenate(parts), whole)
        np.testing.assert_array_equal(
            np.concatenate([draw(first_row + row, 1) for row in range(20)]), whole[:20]
        )


def test_draws_are_what_they_were():
    """A prepared set must come out the same with a later version of the library."""
    bits = np.random.Generator(np.random.PCG64(1)).bit_generator.random_raw(3)
    np.testing.assert_array_equal(random_bits(0, 3, 1), bits)
    raw = np.random.PCG64(0).random_raw(1_000)
    tenths = [int(bits) * 10 // 2**64 for bits in raw]
    np.testing.assert_array_equal(random_splits(0, 1_000), [max(t, 7) - 7 for t in tenths])
