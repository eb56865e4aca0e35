"""Tests of raw values as text, as numbers and as buckets."""

import decimal

import numpy as np
import pyarrow as pa
import pytest

from interhat_tf.preprocessing.fields import (
    MISSING_BUCKET,
    Bucketed,
    as_numbers,
    as_text,
    bucket_of,
    parse_numbers,
)


def test_missing_values():
    numbers, missing = as_numbers(pa.array([1, None, 3]))
    assert numbers.dtype == np.float64
    np.testing.assert_array_equal(numbers, [1, 0, 3])
    np.testing.assert_array_equal(missing, [False, True, False])
    assert as_text(pa.array([7, None])).to_pylist() == ["7", ""]


@pytest.mark.parametrize(
    "column",
    [
        pa.array(["1.5", " -2e3 ", "", None, "+.5"]),
        pa.array(["1.5", " -2e3 ", "", None, "+.5"]).dictionary_encode(),
        pa.array([1.5, -2000, None, None, 0.5]),
        pa.array(
            [None if x is None else decimal.Decimal(x) for x in ("1.5", "-2e3", None, None, "0.5")]
        ),
    ],
    ids=["text", "dictionary", "numbers", "decimals"],
)
def test_numbers_in_every_form(column):
    numbers, right = parse_numbers(column)
    assert numbers.to_pylist() == [1.5, -2000, None, None, 0.5]
    assert right.all()


def test_text_that_is_not_a_number():
    numbers, right = parse_numbers(pa.array(["1", "one", "1,5", "1.2.3", "nan"]))
    np.testing.assert_array_equal(right, [True, False, False, False, True])
    assert numbers[1].as_py() is numbers[2].as_py() is numbers[3].as_py() is None
    assert np.isnan(numbers[4].as_py())


def test_the_maximum_is_alone_in_the_last_bucket():
    column = pa.array([0, 9.99, 10, 99.9, 100, 1000, -5, None])
    buckets = bucket_of(column, Bucketed("age", 10), 0.0, 100.0)
    np.testing.assert_array_equal(buckets, [0, 0, 1, 9, 10, 10, 0, MISSING_BUCKET])
