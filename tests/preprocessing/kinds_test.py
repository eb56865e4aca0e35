"""Tests of what form a column's values are taken to have."""

import datetime
import decimal

import numpy as np
import pyarrow as pa
import pytest

from interhat_tf.preprocessing.column_forms import NULL_VALUES
from interhat_tf.preprocessing.kinds import form_of


def form(values, name="x"):
    column = values if isinstance(values, pa.Array) else pa.array(values)
    return form_of(pa.chunked_array([column]), name, NULL_VALUES)


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (["1", "-2", "", "+3"], "whole number"),
        (["007", "12"], "whole number"),
        (["18446744073709551615", "3"], "whole number"),
        (["17.0", "", "8.0"], "whole number"),  # a gap: pandas wrote ids so
        (["17.0", "NA"], "whole number"),
        (["17.0", "8"], "whole number"),
        (["17.0", "8.0"], "number"),
        (["1", "2.5", ""], "number"),
        ([" .5", "-1.", "2e-3", "1E5"], "number"),
        (["0.5", *NULL_VALUES, "1"], "number"),
        (["1e300", "1e-300", "0.1"], "number"),
        (["0.5", "free"], "text"),
        (["1.2", "1.2.3"], "text"),
        (["True", "FALSE", "true", "NA"], "true or false"),
        (["y", "N"], "true or false"),
        (["n", "f"], "text"),  # of two spellings, half each
        (["yes", "no", "maybe"], "text"),
        (["NA", ""], "text"),
        (["2024-01-31", ""], "time"),
        (["2014-10-21 03:00:00", "NA"], "time"),
        (["2024-01-31T10:00:00.5Z"], "time"),
        (["2024-01-31", "soon"], "text"),
        (["1/2/2024"], "dates or times not written as 2024-01-31 13:05:00"),
        (["9:15"], "dates or times not written as 2024-01-31 13:05:00"),
        (["T", " "], "text"),
        (["1.5e17", "1e18"], "whole numbers beyond 2^53 as floats, whose last digits are lost"),
    ],
)
def test_form_of_text(values, expected):
    assert form(values) == expected


@pytest.mark.parametrize(
    ("column", "expected"),
    [
        (pa.array([1, 2], pa.uint64()), "whole number"),
        (pa.array(["a", "b"], pa.large_string()), "text"),
        (pa.array([1, 2]).dictionary_encode(), "whole number"),
        (pa.array([1.5, None], pa.float32()), "number"),
        (pa.array([17.0, None]), "whole number"),
        (pa.array([17.0, np.nan]), "whole number"),
        (pa.array([17.0, 8.0]), "number"),
        (pa.array([np.inf, 8.0, None]), "whole number"),
        (pa.array([np.nan, None]), "number"),
        (pa.array([decimal.Decimal("1.50"), None]), "number"),
        (pa.array([decimal.Decimal("150")]), "whole number"),
        (pa.array([True, None]), "true or false"),
        (pa.array([datetime.date(2024, 1, 31)]), "time"),
        (pa.array([datetime.datetime(2024, 1, 31)]), "time"),
        (pa.array([None]), "text"),
        (pa.array([[1]]), "list of whole numbers"),
        (pa.array([["a"], None]), "list of text"),
        (pa.array([[0.5]]), "of type list<item: double>"),
        (pa.array([b"a"]), "of type binary"),
    ],
)
def test_form_of_types(column, expected):
    assert form(column) == expected


@pytest.mark.parametrize(
    "name", ["time", "timestamp", "event_ts", "date", "hour", "createdAt", "created_at", "ts"]
)
def test_the_name_says_that_numbers_are_times(name):
    for values in (["1414000000"], [1414000000], [1414000000123], [1414000000.0]):
        assert form(values, name) == "time"
        assert form(values, "user") != "time"


def test_a_name_alone_makes_no_time():
    assert form(["14102100", "14102101"], "hour") == "whole number"  # Avazu's
    assert form([3, 12], "update_count") == "whole number"
    assert form(["0.5"], "time") == "number"
