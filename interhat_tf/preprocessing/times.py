"""Dates and times of a log, and their parts that come again: the hour and the day of the week.

The days that pass are no field of their own accord. A record that is scored
tomorrow is later than all that trained, so that its day says nothing.
"""

import contextlib
import datetime

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from interhat_tf.preprocessing.fields import Column, as_numbers, as_text, parse_numbers

WEEKDAYS = pa.array(["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"])

TIME_PATTERN = (
    r"^(?P<date>\d{4}[-/]\d\d[-/]\d\d)(?:[T ](?P<hour>\d\d)(?::(?P<minute>\d\d)(?::(?P<second>\d\d)"
    r"(?:[.,](?P<fraction>\d{1,6})\d*)?)?)?\s*(?P<zone>Z|UTC|[+-]\d\d:?\d\d)?)?$"
)
"""A date as it is read, with or without a time."""

EPOCHS = (631_152_000, 2_000_000_000)
"""The seconds since 1970 that a whole number is taken for: from 1990 to 2033.

An hour as 2024013107 is a larger number.
"""

MAX_EPOCH = 4_102_444_800
"""Seconds since 1970 beyond which, from 2100 on, a time is in a smaller unit."""

UNITS = (1, 1e3, 1e6, 1e9)
"""Seconds since 1970 may also be written as milli-, micro- and nanoseconds."""

SECONDS_OF_DAY = 86_400


def hours_of(column: Column) -> tuple[Column, np.ndarray]:
    """Returns the hour of each time as text, `""` where missing, and whether it is a time."""
    times, right = read_times(column)
    return as_text(pc.hour(times)), right


def weekdays_of(column: Column) -> tuple[Column, np.ndarray]:
    """Returns the day of the week of each time, `""` where missing, and whether it is a time."""
    times, right = read_times(column)
    return as_text(pc.take(WEEKDAYS, pc.day_of_week(times))), right


def days_of(column: Column) -> tuple[Column, np.ndarray]:
    """Returns the days since 1970, float64, null where missing, and whether it is a time."""
    times, right = read_times(column)
    return pc.divide(times.cast(pa.int64()).cast(pa.float64()), SECONDS_OF_DAY), right


def read_times(column: Column) -> tuple[Column, np.ndarray]:
    """Reads times as they are written, whatever their zone.

    Args:
        column: Dates or timestamps; or texts as `2024-01-31`, `2024/01/31 07:30`
            or `2024-01-31T07:30:00.5Z`; or seconds, milli-, micro- or nanoseconds
            since 1970, which their size tells apart.

    Returns:
        The times, timestamps of seconds, null where missing, and whether each
        value is a time or missing, an array.

    Example:

    >>> times, right = read_times(pa.array(["2024-01-31", "1706684400", "soon"]))
    >>> times.cast(pa.string()).to_pylist(), right.tolist()
    (['2024-01-31 00:00:00', '2024-01-31 07:00:00', None], [True, True, False])
    """
    if pa.types.is_timestamp(column.type) and column.type.tz:
        column = pc.local_timestamp(column)
    if pa.types.is_date(column.type) or pa.types.is_timestamp(column.type):
        # Through the smallest unit of both, of which a date or a timestamp may be.
        times = pc.floor_temporal(column.cast(pa.timestamp("us"), safe=False), unit="second")
        return times.cast(pa.timestamp("s")), np.ones(len(column), bool)
    if not pa.types.is_primitive(column.type):
        # Most logs write 2024-01-31 or 2024-01-31 07:30:00, which is many times as fast to read.
        with contextlib.suppress(pa.ArrowInvalid):
            text = as_text(column)
            written = pc.if_else(pc.equal(text, ""), pa.scalar(None, pa.string()), text)
            return written.cast(pa.timestamp("s")), np.ones(len(column), bool)
    numbers, right = parse_numbers(column)
    times = _from_epochs(numbers)
    if right.all():
        return times, right
    written, right_texts = _from_texts(pc.utf8_trim_whitespace(as_text(column)))
    return pc.coalesce(times, written), right | right_texts


def instants_of(column: Column) -> tuple[Column, np.ndarray]:
    """Returns the moments of dates and times, so that they can be compared.

    Args:
        column: As `read_times` takes it, but for numbers.

    Returns:
        Seconds since 1970, float64, null where missing, in UTC of those with a
        zone and as if in UTC of the others; and whether each value is a time or
        missing, an array.

    Example:

    >>> seconds, _ = instants_of(pa.array(["1970-01-01 01:00:00.5", "1970-01-01T01:00+01:00"]))
    >>> seconds.to_pylist()
    [3600.5, 0.0]
    """
    if pa.types.is_date(column.type) or pa.types.is_timestamp(column.type):
        zone = column.type.tz if pa.types.is_timestamp(column.type) else None
        times = column.cast(pa.timestamp("us", zone), safe=False)
        return _seconds(times), np.ones(len(column), bool)
    text = as_text(column)
    written = pc.if_else(pc.equal(text, ""), pa.scalar(None, pa.string()), text)
    with contextlib.suppress(pa.ArrowInvalid):  # most logs write no zones
        return _seconds(written.cast(pa.timestamp("us"))), np.ones(len(column), bool)
    written = _with_zone(pc.utf8_trim_whitespace(written))
    times, real = _cast(written, pa.timestamp("us", "UTC"))
    return _seconds(times), np.asarray(pc.or_(real, pc.equal(text, "")))


def is_epoch(numbers: Column) -> bool:
    """Returns whether whole numbers may all be times since 1970 in one unit."""
    low, high = pc.min_max(numbers).values()
    return low.is_valid and any(
        EPOCHS[0] * unit <= low.as_py() and high.as_py() <= EPOCHS[1] * unit for unit in UNITS
    )


def _written(text):
    """Returns times as `2024-01-31 07:30:00`, their fractions and zones; null for what is none."""
    date, hour, minute, second, fraction, zone = pc.extract_regex(text, TIME_PATTERN).flatten()
    second = pc.if_else(pc.equal(second, "60"), "59", second)  # Arrow knows no leap seconds
    clock = [pc.if_else(pc.equal(part, ""), "00", part) for part in (hour, minute, second)]
    date = pc.replace_substring(date, "/", "-")
    time = pc.binary_join_element_wise(date, pc.binary_join_element_wise(*clock, ":"), " ")
    return time, fraction, zone


def _with_zone(text):
    """Writes times in one way, `2024-01-31 07:30:00.0+02:00`; null for what is none."""
    time, fraction, zone = _written(text)
    zone = pc.replace_substring(zone, "UTC", "Z")
    fraction, zone = (
        pc.if_else(pc.equal(part, ""), default, part)
        for part, default in ((fraction, "0"), (zone, "Z"))
    )
    return pc.binary_join_element_wise(time, pc.binary_join_element_wise(fraction, zone, ""), ".")


def _seconds(times):
    return pc.divide(times.cast(pa.int64()).cast(pa.float64(), safe=False), 1e6)


def _from_epochs(numbers):
    values, missing = as_numbers(numbers)
    unit = np.select([np.abs(values) < MAX_EPOCH * unit for unit in UNITS], UNITS, UNITS[-1])
    seconds = np.floor(values / unit).astype(np.int64)
    return pa.array(seconds, mask=missing).cast(pa.timestamp("s"))


def _from_texts(text):
    written, _, _ = _written(text)
    times, real = _cast(written, pa.timestamp("s"))
    return times, np.asarray(real)


def _cast(written, dtype):
    """Returns times, null for what is none, as a 31st of February, and which are some."""
    try:
        return written.cast(dtype), written.is_valid()
    except pa.ArrowInvalid:
        real = pa.array([_is_time(value) for value in written.to_pylist()])
        return pc.if_else(real, written, pa.scalar(None, pa.string())).cast(dtype), real


def _is_time(text):
    try:
        return text is not None and bool(datetime.datetime.fromisoformat(text))
    except ValueError:
        return False
