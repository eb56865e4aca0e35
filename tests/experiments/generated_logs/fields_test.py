"""Tests of the columns of generated click logs."""

import numpy as np
import pytest

from experiments.generated_logs.fields import AVAZU, CRITEO, decimal, hexadecimal


@pytest.mark.parametrize("chosen", [CRITEO, AVAZU])
def test_the_full_log_has_the_public_number_of_values(chosen):
    for column in chosen.columns:
        num_values = chosen.num_values[column.name]
        expected = column.expected_distinct(chosen.log_rows, num_values) + len(column.special)
        assert expected == pytest.approx(column.distinct, abs=1), column.name


def test_first_number_is_as_frequent_as_the_law_says():
    column, num_values = CRITEO.column("C3"), CRITEO.num_values["C3"]
    uniform = (np.arange(200_000) + 0.5) / 200_000
    numbers = column.draw(uniform, num_values)
    share = column.mass(1, num_values) * (1 - column.special_share)
    assert np.mean(numbers == 0) == pytest.approx(share, abs=1e-5)
    assert np.mean(numbers == -1) == pytest.approx(0.036, abs=1e-5)
    assert (numbers.min(), numbers.max() < num_values) == (-1, True)


def test_codes_are_distinct_within_a_column_and_differ_between_columns():
    # Codes at random would have some 500 pairs alike.
    numbers = np.unique(np.random.default_rng(0).integers(2**32 - 1, size=2_000_000))
    numbers = np.append(numbers, -1)
    first, second = (CRITEO.column(name).codes(numbers) for name in ("C3", "C4"))
    assert len(np.unique(first)) == len(numbers)
    assert np.mean(first == second) < 0.001


def test_digits_are_pythons():
    values = np.array([0, 7, 10, 9_999, 10_000, 10_007, 123_456, 99_999_999])
    texts = [text.decode().replace("\0", "") for text in decimal(values)]
    assert texts == [str(value) for value in values]
    codes = np.array([0, 1, 0xABC, 0x12345678, 0xFEDCBA98, 2**32 - 1], np.uint32)
    assert [text.decode() for text in hexadecimal(codes)] == [f"{code:08x}" for code in codes]
