"""A small log, and the rows of batches."""

import itertools

import numpy as np

from tests.preprocessing.logs import LogBuilder

ROWS, BATCH_SIZE, BATCHES = 1_600, 100, 16  # of the training split


class SmallLogBuilder(LogBuilder, skip_registration=True):
    rows = 2_000


def take(batches, count):
    return [
        np.column_stack([inputs["categorical"], inputs["numerical"], labels])
        for inputs, labels in itertools.islice(batches.as_numpy_iterator(), count)
    ]


def assert_equal(one, other):
    assert len(one) == len(other)
    for rows, other_rows in zip(one, other, strict=True):
        np.testing.assert_array_equal(rows, other_rows)


def sorted_rows(batches):
    rows = np.concatenate(batches)
    return rows[np.lexsort(rows.T)]


def modification_times(folder):
    return {path: path.stat().st_mtime_ns for path in folder.rglob("*") if path.is_file()}
