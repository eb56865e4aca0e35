"""Tests of how the rows of a log are split, at the edges of each way."""

import datetime
import decimal

import numpy as np
import pyarrow as pa
import pytest
from etils import epath

from interhat_tf.preprocessing import table_log
from interhat_tf.preprocessing.local_runner import LocalRunner
from interhat_tf.preprocessing.rows import SPLITS, random_splits
from interhat_tf.preprocessing.splits import parse_split
from interhat_tf.preprocessing.table_log import TableLog

PARIS = datetime.timezone(datetime.timedelta(hours=1))


@pytest.fixture(autouse=True)
def small_chunks(monkeypatch):
    monkeypatch.setattr(table_log, "CHUNK_ROWS", 7)


@pytest.fixture
def splits_of(tmp_path):
    """Returns the split of each row of a table with a column `x`."""

    def splits_of(values, text="time:x"):
        log = TableLog(pa.table({"x": values}))
        split = parse_split(text).look_at(log.sample())
        split = split.fit(log, LocalRunner(), epath.Path(tmp_path) / "times")
        assert str(split) == text
        assert not (tmp_path / "times").exists()
        return np.concatenate([split.of_rows(chunk.values, chunk) for chunk in log.chunks])

    return splits_of


def test_random_and_position(splits_of):
    np.testing.assert_array_equal(splits_of(range(30), "random"), random_splits(0, 30))
    expected = [0] * 24 + [1] * 3 + [2] * 3
    np.testing.assert_array_equal(splits_of(range(30), "position"), expected)


DAY = datetime.datetime(2024, 2, 28, 23, 59, 58)
MOMENTS = [DAY + datetime.timedelta(seconds=0.25 * step) for step in range(40)]
STEPS = range(40)


@pytest.mark.parametrize(
    "times",
    [
        pa.array(MOMENTS),
        pa.array(MOMENTS, pa.timestamp("ns")),
        pa.array(MOMENTS, pa.timestamp("ms", "America/New_York")),
        pa.array([datetime.date(2024, 1, 1) + datetime.timedelta(days=step) for step in STEPS]),
        pa.array([moment.isoformat() for moment in MOMENTS]),
        pa.array([moment.isoformat() for moment in MOMENTS]).dictionary_encode(),
        pa.array([f"{moment:%Y/%m/%d %H:%M:%S},{moment.microsecond:06}123" for moment in MOMENTS]),
        # The same moments, of which every other one has the clock of another zone.
        pa.array(
            [
                (moment.replace(tzinfo=datetime.UTC).astimezone(PARIS) if step % 2 else moment)
                .isoformat()
                .replace("+01:00", ["+01:00", " +0100"][step % 3 == 0])
                for step, moment in enumerate(MOMENTS)
            ]
        ),
        pa.array([1_700_000_000_000 + step for step in STEPS]),
        pa.array([float(step) / 4 - 3 for step in STEPS]),
        pa.array([f"{1.7e9 + step / 8:.3f}" for step in STEPS]),
        pa.array([decimal.Decimal(step).scaleb(-2) for step in STEPS]),
    ],
    ids=lambda times: str(times.type),
)
def test_the_past_trains_and_the_future_tests(splits_of, times):
    order = np.random.default_rng(0).permutation(40)
    splits = splits_of(times.take(pa.array(order)))
    np.testing.assert_array_equal(splits, np.searchsorted([32, 36], order, side="right"))


def test_rows_of_one_time_are_in_one_split(splits_of):
    days = [f"2024-01-{day:02}" for day in (1, 2, 3, 4, 5)] * 20
    np.testing.assert_array_equal(splits_of(days), [0, 0, 0, 1, 2] * 20)
    times = ["2024-01-01"] * 90 + ["2023-12-31"] * 5 + ["2024-01-02"] * 5
    np.testing.assert_array_equal(splits_of(times), [1] * 90 + [0] * 5 + [2] * 5)


@pytest.mark.parametrize(
    ("values", "value", "kind"),
    [
        (["2024-01-01"] * 9, "", "a date"),
        (["2024-01-01"] * 9, None, "a date"),
        (["2024-01-01"] * 9, "NA", "a date"),
        (["2024-01-01"] * 9, "2024-02-31", "a date"),
        (["2024-01-01"] * 9, "1700000000", "a date"),
        ([MOMENTS[0]] * 9, None, "a date"),
        ([3] * 9, None, "a number"),
        (["3"] * 9, "", "a number"),
        (["3"] * 9, "2024-01-01", "a number"),
        ([3.5] * 9, float("nan"), "a number"),
        ([3.5] * 9, float("inf"), "a number"),
    ],
)
def test_a_time_that_is_none_names_its_row(splits_of, values, value, kind):
    with pytest.raises(ValueError) as error:
        splits_of([*values, value, *values])
    place = f"the table:10: x is {value!r}; a split by time needs {kind}"
    assert str(error.value).startswith(place)


@pytest.mark.parametrize("rows", [1, 20])
def test_one_time_is_no_order(splits_of, rows):
    with pytest.raises(ValueError, match=r"^the table: column 'x': a split by time needs three"):
        splits_of(["2024-01-01"] * rows)


def test_a_column_names_the_splits(splits_of):
    names = [*SPLITS, "train"] * 5
    np.testing.assert_array_equal(splits_of(names, "column:x"), [0, 1, 2, 0] * 5)
    encoded = pa.array(names).dictionary_encode()
    np.testing.assert_array_equal(splits_of(encoded, "column:x"), [0, 1, 2, 0] * 5)
    for wrong in ("valid", "Train", "", None, " test"):
        with pytest.raises(ValueError) as error:
            splits_of([*names, wrong, *names], "column:x")
        assert str(error.value) == (
            f"the table:21: x is {wrong!r}; a row's split must be exactly train, validation or test"
        )


def test_groups_are_never_apart(splits_of):
    users = np.random.default_rng(0).integers(50, size=400)
    splits = splits_of(users, "group:x")
    for user in range(50):
        assert len(set(splits[users == user])) == 1
    # A group's split is that of its value, in any log and however that is written.
    assert set(splits_of([int(users[0])] * 9, "group:x")) == {splits[0]}
    for same in (users.astype(str), users.astype(float), [f"{user}.0" for user in users]):
        np.testing.assert_array_equal(splits_of(same, "group:x"), splits)
    encoded = pa.array(users.astype(str)).dictionary_encode()
    np.testing.assert_array_equal(splits_of(encoded, "group:x"), splits)
    # Fixed, so that machines agree.
    assert splits_of(["ann", "bob", "東京", "u17", "3"], "group:x").tolist() == [0, 2, 0, 1, 1]


@pytest.mark.parametrize("name", ["{}", "u{}", "user-{:07}", "{}@example.org"])
def test_groups_are_eight_to_one_to_one(splits_of, monkeypatch, name):
    monkeypatch.setattr(table_log, "CHUNK_ROWS", 1 << 17)
    groups = 200_000
    splits = splits_of([name.format(number) for number in range(groups)], "group:x")
    counts = np.bincount(splits, minlength=3)
    for count, share in zip(counts, (0.8, 0.1, 0.1), strict=True):
        assert abs(count - groups * share) < 5 * (groups * share * (1 - share)) ** 0.5
    both = ((splits[1:] == 0) & (splits[:-1] == 0)).mean()
    assert both == pytest.approx(0.64, abs=5 * 0.48 / groups**0.5)


def test_groups_with_gaps(splits_of):
    assert set(splits_of([None] * 5 + [""] * 5, "group:x")) == {0}
    with pytest.raises(ValueError, match=r"^the table:2: x is 9007199254740994\.0; a float is"):
        splits_of([1.0, 2.0**53 + 2], "group:x")


@pytest.mark.parametrize("text", ["Random", "time", "time:", "random:x", "user:x", True, ""])
def test_splits_that_there_are_not(text):
    with pytest.raises(ValueError) as error:
        parse_split(text)
    assert str(error.value) == (
        f"split is {text!r}; it is random, position, time:COLUMN, column:COLUMN, group:COLUMN"
    )


def test_columns_may_have_any_name():
    assert parse_split("group:a:b c").column == "a:b c"
