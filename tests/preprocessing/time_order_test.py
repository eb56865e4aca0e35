"""Tests of where validation and test begin: held against all times in memory."""

import numpy as np
import pytest
from etils import epath

from interhat_tf.preprocessing.time_order import TimeFiles, order_keys


def splits_of(folder, times, parts=3):
    """The split of each time, where they lie in several files."""
    folder /= "[ads] *"  # which is no pattern
    folder.mkdir(exist_ok=True)
    files = TimeFiles(epath.Path(folder))
    for number, part in enumerate(np.array_split(times, parts)):
        files.write(number, order_keys(part))
    starts = np.array(files.split_starts(), np.uint64)
    return np.searchsorted(starts, order_keys(times), side="right")


@pytest.mark.parametrize("seed", range(20))
def test_cuts_are_as_near_as_ties_allow(tmp_path, seed):
    random = np.random.default_rng(seed)
    some = random.normal(size=random.integers(3, 40)) * 10.0 ** random.integers(-3, 13)
    times = random.choice(some, random.integers(200, 400))
    splits, rows = splits_of(tmp_path, times), len(times)
    for split in (0, 1):
        assert times[splits == split].max() < times[splits == split + 1].min()
    # A later split begins with each time but the first one or two.
    starts = np.array([(times < time).sum() for time in np.unique(times)])
    validation, test = (splits == 0).sum(), (splits < 2).sum()
    assert abs(test - rows * 9 // 10) == np.abs(starts[2:] - rows * 9 // 10).min()
    before_test = starts[1:][starts[1:] < test]
    assert abs(validation - rows * 8 // 10) == np.abs(before_test - rows * 8 // 10).min()


@pytest.mark.parametrize(
    ("counts", "expected"),
    [
        ([20] * 5, (60, 20, 20)),
        ([10] * 10, (80, 10, 10)),
        ([90, 5, 5], (90, 5, 5)),
        ([5, 5, 90], (5, 5, 90)),
        ([5, 90, 5], (5, 90, 5)),
        ([1, 1, 1], (1, 1, 1)),
        ([1] * 100, (80, 10, 10)),
    ],
)
def test_ties_stay_together(tmp_path, counts, expected):
    times = np.random.default_rng(0).permutation(np.repeat(np.arange(len(counts)), counts))
    splits = splits_of(tmp_path, times.astype(float))
    assert tuple(np.bincount(splits)) == expected


@pytest.mark.parametrize("times", [[1.0], [1.0] * 50, [1.0, 2.0] * 50, [0.0, -0.0, 1.0]])
def test_three_times_are_needed(tmp_path, times):
    with pytest.raises(ValueError, match="needs three different times"):
        splits_of(tmp_path, np.array(times), parts=1)


def test_keys_have_the_order_of_floats():
    numbers = np.array([-np.inf, -1e300, -1.5, -1e-320, 0.0, 1e-320, 2.0, 1e300, np.inf])
    assert (np.diff(order_keys(numbers).astype(object)) > 0).all()
    assert order_keys(np.array([-0.0])) == order_keys(np.array([0.0]))
