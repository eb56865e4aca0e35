"""Tests of the forms in which columns are read."""

import datetime
import decimal

import numpy as np
import pyarrow as pa
import pytest

from interhat_tf.preprocessing.column_forms import (
    BOOLEAN,
    FORMS,
    HOUR,
    NULL_VALUES,
    NUMBER,
    TEXT,
    WHOLE,
    Reading,
    Source,
    read_form,
    read_source,
)
from interhat_tf.preprocessing.fields import Bucketed, Categorical, Numerical


@pytest.mark.parametrize(
    ("column", "expected"),
    [
        (pa.array(["17", "17.0", "007", "-3.00", "", "NA", r"\N"]), "17,17,007,-3,,,"),
        (pa.array(["17", "2.5", "17."]), "17,2.5,17."),  # not whole: as it is
        (pa.array([17.0, None, np.nan, -3.0, 2.5]), "17,,,-3,2.5"),
        (pa.array([2.0**53 - 1]), "9007199254740991"),
        (pa.array([2**63 + 1], pa.uint64()), "9223372036854775809"),
        (pa.array([decimal.Decimal("17"), None]), "17,"),
        (pa.array(["17.0", "?"]).dictionary_encode(), "17,"),
    ],
)
def test_whole_numbers(column, expected):
    for values in (column, pa.chunked_array([column[:1], column[1:]])):
        found, right = read_form(values, WHOLE, NULL_VALUES)
        assert right.all() and found.to_pylist() == expected.split(",")


def test_floats_beyond_whole_numbers_are_wrong():
    _, right = read_form(pa.array([1.0, 2.0**53, None, -1e19]), WHOLE)
    assert right.tolist() == [True, False, True, False]


def test_booleans_of_any_spelling():
    texts = pa.array(["True", "FALSE", " yes ", "n", "off", "", "NA", "maybe"])
    found, _ = read_form(texts, BOOLEAN, NULL_VALUES)
    assert found.to_pylist() == ["true", "false", "true", "false", "false", "", "", "maybe"]
    assert read_form(pa.array([True, None]), BOOLEAN)[0].to_pylist() == ["true", ""]


def test_numbers_and_their_null_values():
    texts = pa.array(["1.5", "NA", "", "n/a", " 2 ", "free"])
    found, right = read_form(texts, NUMBER, NULL_VALUES)
    assert found.to_pylist() == [1.5, None, None, None, 2.0, None]
    assert right.tolist() == [True] * 5 + [False]
    floats = pa.array([1.5, np.nan])
    assert read_form(floats, NUMBER, NULL_VALUES)[0].to_pylist() == [1.5, None]
    assert np.isnan(read_form(floats, NUMBER)[0][1].as_py())


def test_text_keeps_every_word():
    texts = ["NA", "-", " x ", "17.0"]
    assert read_form(pa.array(texts), TEXT, NULL_VALUES)[0].to_pylist() == texts


def test_every_form_makes_what_it_says():
    column = pa.array([datetime.datetime(2024, 1, 31, 7)])
    for form in (HOUR, "weekday", "days", TEXT):
        is_text = pa.types.is_string(read_form(column, form)[0].type)
        assert is_text == (FORMS[form] is Categorical)


def test_a_type_that_no_form_has():
    message = r"^log: column 'x' of type list<item: int64> cannot be read as text \("
    with pytest.raises(ValueError, match=message):
        read_source(pa.array([[1]]), Source("x", TEXT), (), "log")


def test_a_reading_is_kept_as_json():
    reading = Reading({"t_hour": Source("t", HOUR), "t_weekday": Source("t", "weekday")}, ("-",))
    assert Reading.from_dict(reading.to_dict()) == reading
    assert reading.columns == ["t"]
    plain = Reading.plain([Categorical("a"), Numerical("b"), Bucketed("c", 5)])
    assert [source.form for source in plain.sources.values()] == [TEXT, NUMBER, NUMBER]
