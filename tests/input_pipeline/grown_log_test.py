"""Tests of a log that grows from day to day: ids stay, files are read once, stale values go."""

import csv
import re
import warnings

import numpy as np
import pytest

import interhat
from interhat_tf import prepare_click_log, prepared_dataset
from interhat_tf.preprocessing.rows import SPLITS, random_splits
from tests.input_pipeline.growing_logs import prepare_days, write_day


@pytest.fixture(scope="module")
def days(tmp_path_factory):
    """The folder, and the sets of two days."""
    folder = tmp_path_factory.mktemp("days")
    return folder, prepare_days(folder, 2)


def training_values(path, column):
    """The values of a column in the training rows of a file that is read from its first row on."""
    with open(path) as file:
        rows = list(csv.DictReader(file))
    splits = random_splits(0, len(rows))
    return [row[column] for row, s in zip(rows, splits, strict=True) if SPLITS[s] == "train"]


def test_old_ids_stay_and_new_values_follow_by_frequency(days):
    folder, (first, second) = days
    today = training_values(folder / "log" / "day2.csv", "user")
    old = first.vocabularies["user"]
    new = sorted(set(today) - set(old), key=lambda value: (-today.count(value), value))
    assert new
    assert second.vocabularies["user"] == [*old, *new]
    assert second.vocabularies["app"] == first.vocabularies["app"]
    both = {"user": old, "app": ["maps"] * len(old), "price": [0.5] * len(old)}
    for kind, inputs in first.encode(both).items():
        np.testing.assert_array_equal(second.encode(both)[kind], inputs)


def test_only_the_new_file_is_read(days):
    folder, (first, second) = days
    assert second.num_rows("train") == len(training_values(folder / "log" / "day2.csv", "user"))
    names = [part["path"].rpartition("/")[2] for part in second.metadata["parts"]]
    assert names == ["day1.csv", "day2.csv"]
    assert second.growth.origin == first.name


def test_the_scale_of_numbers_stays(days):
    _, (first, second) = days
    assert second.encoding.ranges == first.encoding.ranges
    assert second.encoding.scales == first.encoding.scales != {}
    prices = [2.0, first.encoding.ranges["price"][1]]  # day 2 has prices up to 2
    largest = {"user": ["u1"] * 2, "app": ["maps"] * 2, "price": prices}
    beyond, end = second.encode(largest)["numerical"]
    assert beyond == end == first.encode(largest)["numerical"][0]


def test_rows_of_the_day_are_counted_with_those_before(days):
    folder, (_, second) = days
    rows = [v for day in "12" for v in training_values(folder / "log" / f"day{day}.csv", "user")]
    expected = [rows.count(value) for value in second.vocabularies["user"]]
    assert second.growth.counts["user"] == expected
    today = training_values(folder / "log" / "day2.csv", "user")
    unseen = [int(value not in today) for value in second.vocabularies["user"]]
    assert second.growth.unseen["user"] == unseen
    assert 1 in unseen


def test_the_grown_set_opens_again(days):
    folder, (first, second) = days
    again = prepared_dataset("day2", folder / "prepared")
    assert again.growth == second.growth
    options = {"name": "day2", "data_dir": folder / "prepared"}
    assert prepare_click_log(folder / "log", grow=first, **options).name == second.name
    with pytest.raises(ValueError, match="differs in: grown_from"):
        prepare_click_log(folder / "log", grow=first, drop_below=2, **options)
    with pytest.raises(ValueError, match="differs in: files, grown_from"):
        prepare_click_log(folder / "log", **options)


def test_stale_values_are_dropped_and_ids_close_up(tmp_path):
    _, _, third = sets = prepare_days(tmp_path, 3, drop_after=2)
    gone = set(sets[0].vocabularies["user"])
    for day in "23":
        gone -= set(training_values(tmp_path / "log" / f"day{day}.csv", "user"))
    assert gone
    second = sets[1].vocabularies["user"]
    kept = [value for value in second if value not in gone]
    assert third.vocabularies["user"][: len(kept)] == kept
    assert third.growth.dropped["user"] == [i for i, v in enumerate(second, 1) if v in gone]
    sources = third.growth.sources("user", len(third.vocabularies["user"]) + 1)
    assert sources[0] == 0
    for value, source in zip(third.vocabularies["user"], sources[1:], strict=True):
        assert source == (sets[1].id_of("user", value) if value in second else -1)
    days = [training_values(tmp_path / "log" / f"day{day}.csv", "user") for day in "123"]
    of_values = third.growth.counts["user"], third.growth.unseen["user"]
    for value, rows, unseen in zip(third.vocabularies["user"], *of_values, strict=True):
        assert rows == sum(day.count(value) for day in days)
        assert unseen == (value not in days[2])


def test_known_values_are_counted_however_rare_they_are_today(tmp_path):
    least, options = 27, {"data_dir": tmp_path / "prepared"}
    days = [write_day(tmp_path / "log", number) for number in (1, 2)]
    first = prepare_click_log(days[0], name="day1", min_count=least, **options)
    second = prepare_click_log(days[1], name="day2", grow=first, **options)
    earlier, today = (training_values(day, "user") for day in days)
    known = first.vocabularies["user"]
    assert any(0 < today.count(value) < least for value in known)
    expected = [(earlier + today).count(value) for value in known]
    assert second.growth.counts["user"][: len(known)] == expected


def test_rare_values_are_dropped(tmp_path):
    first, second = prepare_days(tmp_path, 2, drop_below=30)
    rows = [v for d in "12" for v in training_values(tmp_path / "log" / f"day{d}.csv", "user")]
    rare = {value for value in first.vocabularies["user"] if rows.count(value) < 30}
    assert 0 < len(rare) < len(first.vocabularies["user"])
    assert set(first.vocabularies["user"]) - set(second.vocabularies["user"]) == rare


def test_a_changed_file_is_refused_and_a_moved_one_known(tmp_path):
    (first,) = prepare_days(tmp_path, 1)
    path, options = tmp_path / "log" / "day1.csv", {"data_dir": tmp_path / "prepared"}
    with pytest.raises(ValueError, match=r"every file is in the set day1/1.0.0 already"):
        prepare_click_log(tmp_path / "log", name="day2", grow=first, **options)
    write_day(tmp_path / "log", 2)
    text = path.read_text()
    path.write_text(text.replace("maps", "mapx"))  # of the same size
    with pytest.raises(ValueError, match=r"day1.csv has changed since day1/1.0.0 was prepared"):
        prepare_click_log(tmp_path / "log", name="day2", grow=first, **options)
    path.write_text(text)  # another time, the same bytes
    path.rename(tmp_path / "log" / "a.csv")
    second = prepare_click_log(tmp_path / "log", name="day2", grow=first, **options)
    assert [part["path"][-8:] for part in second.metadata["parts"]] == ["day1.csv", "day2.csv"]


def test_what_the_first_set_decided_cannot_be_chosen_again(days):
    folder, (first, _) = days
    path = write_day(folder / "more", 4)
    options = {"name": "other", "data_dir": folder / "prepared"}
    with pytest.raises(ValueError, match="label, min_count: with grow= this is taken from day1"):
        prepare_click_log(path, grow=first, label="click", min_count=2, **options)
    with pytest.raises(ValueError, match="drop_after and drop_below need grow="):
        prepare_click_log(path, drop_after=1, **options)
    with pytest.raises(ValueError, match="drop_after must be at least 1, got 0"):
        prepare_click_log(path, grow=first, drop_after=0, **options)
    path.write_text("click,user,price\n1,u1,0.5\n")
    with pytest.raises(ValueError, match=r"there is no column 'app', which day1/1.0.0 was prep"):
        prepare_click_log(path, grow=first, **options)


def test_a_new_column_is_left_out_with_a_warning(days):
    folder, (first, _) = days
    path = write_day(folder / "wider", 5)
    lines = path.read_text().splitlines()
    path.write_text("\n".join([f"{lines[0]},city", *(f"{line},Rome" for line in lines[1:])]))
    options = {"name": "wider", "data_dir": folder / "prepared"}
    with pytest.warns(UserWarning, match=r"'city' \(not in day1/1.0.0\)"):
        data = prepare_click_log(path, grow=first, **options)
    assert data.schema.field_names == first.schema.field_names


def test_values_that_are_written_otherwise_are_warned_of(days):
    folder, (first, _) = days
    path = write_day(folder / "written", 1)
    path.write_text(path.read_text() + "1,u1,maps,0.5\n")
    options = {"data_dir": folder / "prepared", "grow": first}
    with warnings.catch_warnings(action="error", category=UserWarning):
        prepare_click_log(path, name="as_before", **options)
    path.write_text(re.sub(r",u(\d)", r",U\1", path.read_text()))
    with pytest.warns(UserWarning, match=r"^capitals/1.0.0: .* does not have: user 100%; see"):
        prepare_click_log(path, name="capitals", **options)


def test_the_rows_are_split_as_before(tmp_path):
    first, second = (write_day(tmp_path / "log", number) for number in (1, 2))
    options = {"data_dir": tmp_path / "prepared"}
    before = prepare_click_log(first, name="before", split="position", **options)
    after = prepare_click_log(second, name="after", grow=before, **options)
    assert after.metadata["made_from"]["split"] == "position"
    otherwise = prepare_click_log(second, name="other", grow=before, split="random", **options)
    assert otherwise.metadata["made_from"]["split"] == "random"


def test_the_command_grows(tmp_path, capsys):
    path = write_day(tmp_path / "log", 1)
    where = f"--data_dir={tmp_path}/prepared"
    interhat.main(["prepare", f"--log={path}", "--dataset=day1", where])
    path = write_day(tmp_path / "log", 2)
    grown = ["prepare", f"--log={path.parent}", "--dataset=day2", where, "--grow=day1"]
    interhat.main([*grown, "--drop_after=1"])
    data = prepared_dataset("day2", tmp_path / "prepared")
    assert data.growth.origin == "day1/1.0.0"
    assert data.growth.dropped["user"]


@pytest.mark.slow
def test_a_cluster_grows_alike(tmp_path):
    first, second = prepare_days(tmp_path, 2, drop_below=30)
    options = {"grow": first, "drop_below": 30, "beam_runner": "DirectRunner"}
    log = tmp_path / "log"
    again = prepare_click_log(log, name="day2", data_dir=tmp_path / "beam", **options)
    assert again.growth == second.growth
    assert again.digests == second.digests
