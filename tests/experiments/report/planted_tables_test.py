"""Tests of the cells of tables on planted rules."""

from experiments.report.planted_tables import averaged, counted


def test_counts_have_wilson_intervals():
    assert counted([True] * 19 + [False]) == "19 of 20 [76%, 99%]"
    assert counted([]) == "–"


def test_means_have_student_intervals():
    assert averaged([-1.0, 1.0]) == "0.00 [-12.71, 12.71]"
    assert averaged([0.5]) == "0.50"
    assert averaged([]) == "–"


def test_shares_stay_within_0_and_1():
    assert averaged([0.0, 1.0], ".0%") == "50% [0%, 100%]"
    assert averaged([0.4, 0.4], ".0%") == "40% [40%, 40%]"
