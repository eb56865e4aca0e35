"""Tests of dates and times, against Python's own."""

import datetime
import random

import pyarrow as pa
import pytest

from interhat_tf.preprocessing.times import (
    WEEKDAYS,
    days_of,
    hours_of,
    instants_of,
    is_epoch,
    read_times,
    weekdays_of,
)

DRAW = random.Random(0)
MOMENTS = [
    datetime.datetime(2001, 1, 1) + datetime.timedelta(seconds=DRAW.randrange(3_000_000_000))
    for _ in range(200)
]
SECONDS = [int((m - datetime.datetime(1970, 1, 1)).total_seconds()) for m in MOMENTS]


@pytest.mark.parametrize(
    "column",
    [
        pa.array([f"{moment:%Y-%m-%d %H:%M:%S}" for moment in MOMENTS]),
        pa.array([f"{moment:%Y/%m/%dT%H:%M}" for moment in MOMENTS]),
        pa.array([f"{moment:%Y-%m-%dT%H:%M:%S}.25+09:00" for moment in MOMENTS]),
        pa.array([f"{moment:%Y-%m-%d %H:%M:%S} UTC" for moment in MOMENTS]).dictionary_encode(),
        pa.array([str(second) for second in SECONDS]),
        pa.array([float(second) for second in SECONDS]),
        *(pa.array([second * unit for second in SECONDS]) for unit in (1, 10**3, 10**6, 10**9)),
        *(pa.array(MOMENTS, pa.timestamp(unit)) for unit in ("s", "ns")),
        pa.array(MOMENTS, pa.timestamp("s")).cast(pa.timestamp("s", "UTC")),
    ],
)
def test_hours_weekdays_and_days(column):
    column = pa.chunked_array([column[:50], column[50:]])
    for function, expected in (
        (hours_of, [str(moment.hour) for moment in MOMENTS]),
        (weekdays_of, [f"{moment:%A}" for moment in MOMENTS]),
    ):
        values, right = function(column)
        assert right.all() and values.to_pylist() == expected
    days, _ = days_of(column)
    minutes = [second // 60 for second in SECONDS]
    assert [int(day * 1440 + 1e-6) for day in days.to_pylist()] == minutes


def test_dates_and_gaps():
    for column in (pa.array([datetime.date(2024, 1, 31), None]), pa.array(["2024-01-31", ""])):
        assert hours_of(column)[0].to_pylist() == ["0", ""]
        assert weekdays_of(column)[0].to_pylist() == ["Wednesday", ""]
        assert days_of(column)[0].to_pylist() == [19753.0, None]
    assert WEEKDAYS[2].as_py() == "Wednesday"


def test_a_zoned_timestamp_is_read_as_its_clock_shows():
    moment = datetime.datetime(2024, 1, 31, 23, tzinfo=datetime.UTC)
    column = pa.array([moment], pa.timestamp("s", "Asia/Tokyo"))
    assert hours_of(column)[0].to_pylist() == ["8"]


def test_whole_numbers_that_look_like_dates_are_none():
    times, right = read_times(pa.array(["20240131", "2024"]))
    assert right.all() and times.cast(pa.int64()).to_pylist() == [20240131, 2024]


def test_a_moment_is_the_same_however_its_zone_is_written():
    zones = [" UTC", "Z", "+00:00", "", "-0000"]
    seconds, right = instants_of(pa.array([f"1970-01-02 00:00:30{zone}" for zone in zones]))
    assert right.all() and seconds.to_pylist() == [86_430.0] * len(zones)


def test_times_before_1970_are_of_the_day_before():
    times = pa.array([-0.5, -1.0, -86_400.0])
    assert hours_of(times)[0].to_pylist() == ["23", "23", "0"]
    assert weekdays_of(times)[0].to_pylist() == ["Wednesday"] * 3


@pytest.mark.parametrize("wrong", ["2024-02-31", "31.1.2024", "soon", "2024-01-31 25:00", "9:15"])
def test_what_is_no_time(wrong):
    times, right = read_times(pa.array(["2024-01-31", wrong, ""]))
    assert right.tolist() == [True, False, True]
    assert times.null_count == 2


def test_epochs_are_told_from_other_numbers():
    # The first and the last ratings of MovieLens-100K and of MovieLens-1M, and a later time.
    seconds = [874_724_710, 893_286_638, 956_703_932, 1_046_454_590, 1_900_000_000]
    assert is_epoch(pa.array(seconds)) and is_epoch(pa.array([s * 1000 for s in seconds]))
    hours, minutes = [2024013107, 2024123123], [202401310730, 202412312359]
    for numbers in ([14102100, 14103023], [0, 23], hours, minutes, [20240131073000], [], [None]):
        assert not is_epoch(pa.array(numbers, pa.int64()))
    for numbers in ([seconds[0], seconds[0] * 1000],):
        assert not is_epoch(pa.array(numbers, pa.int64()))


@pytest.mark.parametrize(
    "text", ["2024-01-31", "2024-01-31 07", "2024-01-31T07:30", "2024-01-31 12:00:45"]
)
def test_a_time_is_read_the_same_whatever_stands_beside_it(text):
    for beside in ("2024-01-31T07:30Z", "1706684400", "", "soon"):
        for read in (days_of, instants_of):
            alone, (right,) = read(pa.array([text]))
            both, (right_too, _) = read(pa.array([text, beside]))
            assert right and right_too and both[0] == alone[0]


def test_fractions_of_seconds_before_1970_are_of_the_second_before():
    time = datetime.datetime(1969, 12, 31, 22, 59, 59, 500_000)
    for column in (pa.array([time]), pa.array([str(time)])):
        assert hours_of(column)[0].to_pylist() == ["22"]


def test_a_leap_second_is_of_its_minute():
    hours, right = hours_of(pa.array(["2016-12-31 23:59:60", "2016-12-31 23:59:61"]))
    assert hours.to_pylist() == ["23", ""] and right.tolist() == [True, False]
