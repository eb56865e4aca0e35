"""Tests of what becomes of a log's columns."""

import datetime

import pyarrow as pa
import pytest

from interhat_tf.preprocessing.column_forms import HOUR, WEEKDAY, Source
from interhat_tf.preprocessing.fields import Categorical, Numerical, QuantileBuckets
from interhat_tf.preprocessing.log_plan import plan_log

ROWS = 120

PRICE = Numerical("price", "log", may_be_missing=True)


def plan(options=(), **columns):
    lists = {
        name: [values[row % len(values)] for row in range(ROWS)]
        for name, values in {"y": [0, 1], **columns}.items()
    }
    return plan_log(pa.table(lists), "log.csv", "y", **dict(options))


def test_scales_by_field():
    columns = {"price": ["0.5", "NA"], "age": ["0.5", "2"], "visits": ["1", "2"]}
    scaling = {"scaling": {"age": "quantiles", "visits": "buckets"}}
    found = plan(scaling, **columns)
    age = Numerical("age", "quantiles", may_be_missing=True)
    assert found.fields == (PRICE, age, QuantileBuckets("visits"))
    notes = ["missing: 'NA'", "quantiles scale", "in 32 buckets"]
    assert [column.note for column in found.columns[1:]] == notes
    (age,) = plan({"scaling": "min-max", "numerical": ["age"]}, **columns).fields
    assert age.scaling == "min-max"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            {"scaling": {"pric": "log"}},
            "scaling names 'pric', which is not a column that becomes a field; did you mean "
            "'price'?",
        ),
        (
            {"scaling": {"user": "log"}, "categorical": ["user"], "numerical": ["price"]},
            "scaling names 'user', which is not a numerical field; there are price",
        ),
        (
            {"scaling": {"y": "log"}},
            "scaling names 'y', which is not a column that becomes a field; there are user, price",
        ),
        (
            {"scaling": {"price": "lgo"}},
            "scaling of 'price' is 'lgo', which is not a scale; did you mean 'log'?",
        ),
        (
            {"scaling": "sqrt"},
            "scaling is 'sqrt', which is not a scale; there are min-max, log, quantiles, buckets",
        ),
    ],
)
def test_wrong_scales(options, message):
    with pytest.raises(ValueError) as error:
        plan(options, user=["a", "b"], price=["0.5", "1"])
    assert str(error.value) == message


def left_out(plan):
    return {column.column: column.note for column in plan.columns if column.kind == "left out"}


def test_fields_follow_from_the_values():
    found = plan(user=["17.0", "", "8.0"], price=["0.5", "NA", "2"], paid=["T", "f"])
    assert found.fields == (
        Categorical("user"),
        PRICE,
        Categorical("paid"),
    )
    assert {name: source.form for name, source in found.reading.sources.items()} == {
        "user": "whole number",
        "price": "number",
        "paid": "true or false",
    }
    label, user, price, paid = found.columns
    assert (label.kind, label.note) == ("label", "'1' is a click, '0' none")
    assert (user.values, user.missing, user.rare, user.example) == (2, 1 / 3, 0, "17")
    assert (price.values, price.missing, price.rare) == (2, 1 / 3, None)
    assert price.note == "missing: 'NA'"
    assert (paid.values, paid.example) == (2, "true")


def test_rare_is_the_share_of_values_seen_once():
    users = [*range(30), *[1000 + row % 9 for row in range(90)]]
    assert plan(user=users).columns[1].rare == 30 / ROWS


def test_times_become_hours_and_weekdays():
    moments = [datetime.datetime(2024, 1, 1) + datetime.timedelta(hours=7 * i) for i in range(50)]
    found = plan(t=moments, a=["x", "y"])
    assert found.reading.sources["t_hour"] == Source("t", HOUR)
    assert found.reading.sources["t_weekday"] == Source("t", WEEKDAY)
    assert found.fields[:2] == (Categorical("t_hour"), Categorical("t_weekday"))
    assert found.columns[1].kind == "time" and found.columns[1].note == "as t_hour, t_weekday"
    dates = plan(t=[moment.date() for moment in moments], a=["x", "y"])
    assert list(dates.reading.sources) == ["t_weekday", "a"]
    one_hour = plan(t=[1700000000, 1700000001], a=["x", "y"])
    assert left_out(plan(time=[1700000000, 1700000001], a=["x", "y"])) == {
        "time": "always in one hour of one weekday"
    }
    assert list(one_hour.reading.sources) == ["t", "a"]


def test_a_value_that_two_rows_have_is_a_value():
    found = plan(a=["x", "y"], user=[*range(ROWS - 1), 0])
    assert list(found.reading.sources) == ["a", "user"]


def test_columns_that_say_nothing_are_left_out():
    found = plan(
        a=["x", "y"], id=list(range(ROWS)), site=["s"], none=[None], gap=["g", ""], price=[2.5]
    )
    assert left_out(found) == {
        "id": "one value a row",
        "site": "always s",
        "none": "empty",
        "price": "always 2.5",
    }
    assert [field.name for field in found.fields] == ["a", "gap"]
    few = plan_log(pa.table({"y": [0, 1], "id": ["a", "b"]}), "log.csv", "y")
    assert few.fields == (Categorical("id"),)
    numbers = plan(price=[row / 7 for row in range(ROWS)])
    assert numbers.fields == (PRICE,)


def test_named_columns_are_kept():
    columns = {"id": list(range(ROWS)), "site": ["s"], "d": [datetime.date(2024, 1, 31)]}
    options = {"categorical": ["id", "site", "d"], "min_count": 3}
    found = plan(options, other=["a", "b"], **columns)
    assert found.fields == tuple(Categorical(name, 3) for name in columns)
    assert left_out(found) == {"other": "not asked for"}
    assert found.reading.sources["d"].form == "text"
    assert plan({"numerical": ["d"]}, **columns).reading.sources["d"].form == "days"
    assert plan({"numerical": ["time"]}, time=[1700000000]).reading.sources["time"].form == "number"


def test_excluded_columns():
    found = plan({"exclude": ["id"]}, id=list(range(ROWS)), a=["x", "y"])
    assert left_out(found) == {"id": "not asked for"}
    for options, message in (
        ({"exclude": ["b"]}, "there is no column 'b'; there are y, a"),
        ({"exclude": ["y"]}, "column 'y' is the label"),
        ({"exclude": ["a"], "categorical": ["a"]}, "column 'a' is named twice"),
        ({"exclude": ["a"]}, "log.csv: there is no column but the label"),
    ):
        with pytest.raises(ValueError) as error:
            plan(options, a=["x", "y"])
        assert str(error.value).startswith(message)


def test_columns_that_cannot_be_told():
    with pytest.raises(ValueError) as error:
        plan(tags=[[0.5]], d=["1/2/2024"])
    assert str(error.value) == (
        "log.csv: column 'tags' is of type list<item: double>, column 'd' is dates or times "
        "not written as 2024-01-31 13:05:00, so that fields cannot be inferred; leave columns out "
        "with exclude=, or name those to use with categorical= and numerical="
    )
    assert plan({"exclude": ["tags"]}, tags=[[0.5]], d=["x", "y"]).fields == (Categorical("d"),)
    with pytest.raises(
        ValueError, match=r"^log.csv: column 'tags' has lists, .* name it in multivalued="
    ):
        plan({"categorical": ["tags"]}, tags=[["a"]])
    with pytest.raises(ValueError, match=r"becomes a field 't_hour', and so does the column"):
        times = [datetime.datetime(2024, 1, 1, hour) for hour in range(5)]
        plan(t=times, t_hour=[1, 2])


def test_a_word_among_numbers_is_mentioned():
    prices = [*(row / 7 for row in range(60)), "free"]
    note = plan(price=list(map(str, prices))).columns[1].note
    assert note == "numbers but for 'free'; null_values= with these too makes them missing"
    both = plan(price=[*map(str, prices), "NA", "null", "None", "-"]).columns[1].note
    assert both == note  # words that are missing are not to blame
    options = {"null_values": ["free"]}
    assert plan(options, price=list(map(str, prices))).fields == (PRICE,)
