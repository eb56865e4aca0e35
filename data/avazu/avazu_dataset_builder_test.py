import collections
import csv
import datetime
import gzip
import random

import numpy as np
import pytest

from interhat_tf.input_pipeline import catalog
from interhat_tf.input_pipeline.catalog import prepared_dataset
from interhat_tf.preprocessing.rows import random_splits

from .avazu_dataset_builder import COLUMNS, AvazuConfig, Builder

SPLITS = ("train", "validation", "test")
ROWS = 1_000


def log_rows():
    """Rows as lists of text; the device_ip is different in each."""
    draw = random.Random(0)
    start = datetime.datetime(2014, 10, 21)
    rows = []
    for number in range(ROWS):
        time = start + datetime.timedelta(hours=number // 5)
        row = dict.fromkeys(COLUMNS, "")
        row |= {name: f"{draw.randrange(20):08x}" for name in COLUMNS[5:14]}
        row |= {name: str(draw.randrange(-1, 30)) for name in (*COLUMNS[3:5], *COLUMNS[14:])}
        row |= {"id": str(10**18 + number), "click": draw.choice("0001")}
        row |= {"hour": time.strftime("%y%m%d%H"), "device_ip": f"{number:08x}"}
        row["site_id"] = draw.choice(["", "00000007", "7", "07"])
        rows.append([row[name] for name in COLUMNS])
    return rows


def write_log(path, rows, opened=open):
    with opened(path, "wt", newline="") as file:
        csv.writer(file, lineterminator="\n").writerows([COLUMNS, *rows])


@pytest.fixture(scope="module")
def raw_dir(tmp_path_factory):
    folder = tmp_path_factory.mktemp("avazu")
    write_log(folder / "train.csv", log_rows())
    return folder


def prepare(config, raw_dir, data_dir):
    return catalog.prepare(Builder(config=config, data_dir=data_dir), str(raw_dir))


def read(dataset, split):
    """The rows of a split as tuples of ids, by field name and then the label."""
    ((inputs, labels),) = dataset.evaluation_batches(split, 10_000).as_numpy_iterator()
    return [
        (*ids.tolist(), int(label))
        for ids, label in zip(inputs["categorical"], labels, strict=True)
    ]


def expected_rows(rows, min_count):
    """The rows of each split, computed row by row from dictionaries of text."""
    by_split = {split: [] for split in SPLITS}
    for position, row in enumerate(rows):
        by_split[SPLITS[random_splits(position, 1)[0]]].append(row)
    ids = {}
    for name in rows[0]:
        counts = collections.Counter(row[name] for row in by_split["train"])
        kept = [value for value, count in counts.items() if count >= min_count]
        kept.sort(key=lambda value: (-counts[value], value.encode()))
        ids[name] = {value: number for number, value in enumerate(kept, start=1)}
    ids["click"] = {"0": 0, "1": 1}
    return {
        split: [tuple(ids[name].get(row[name], 0) for name in row) for row in found]
        for split, found in by_split.items()
    }


def test_rows_of_the_paper(raw_dir, tmp_path):
    dataset = prepare("paper", raw_dir, tmp_path)
    fields = [name for name in COLUMNS[2:] if name not in ("device_id", "device_ip")]
    assert dataset.schema.field_names == tuple(fields)
    assert len(fields) == 20
    assert dataset.statistics["records"] == 300
    with open(raw_dir / "train.csv", newline="") as file:
        rows = [{name: row[name] for name in [*fields, "click"]} for row in csv.DictReader(file)]
    expected = expected_rows(rows[:300], min_count=1)
    for split in SPLITS:
        assert collections.Counter(read(dataset, split)) == collections.Counter(expected[split])
    assert {"", "7", "07", "00000007"} == set(dataset.vocabularies["site_id"])
    assert "14102100" in dataset.vocabularies["hour"]


def test_rows_of_all_fields(raw_dir, tmp_path):
    dataset = prepare("all_fields", raw_dir, tmp_path)
    assert dataset.schema.field_names == (*COLUMNS[2:], "weekday", "weekend")
    assert len(dataset.schema.field_names) == 24
    with open(raw_dir / "train.csv", newline="") as file:
        rows = []
        for row in csv.DictReader(file):
            day = datetime.date(2000 + int(row["hour"][:2]), 10, int(row["hour"][4:6]))
            click = row.pop("click")
            del row["id"]
            row["hour"] = row["hour"][6:]
            row["weekday"] = day.strftime("%w")
            row["weekend"] = "1" if day.strftime("%a") in ("Sat", "Sun") else "0"
            rows.append(row | {"click": click})
    expected = expected_rows(rows, min_count=2)
    for split in SPLITS:
        assert collections.Counter(read(dataset, split)) == collections.Counter(expected[split])
    assert dataset.vocabularies["device_ip"] == []
    assert len(dataset.vocabularies["hour"]) == 24
    # 21 October 2014 was a Tuesday.
    assert dataset.vocabularies["weekday"][0] in "23456"


@pytest.mark.parametrize("layout", ["train.gz", "train.csv.gz", "train", "parts"])
def test_layout_of_the_files_makes_no_difference(raw_dir, tmp_path, layout):
    folder = tmp_path / "raw"
    folder.mkdir()
    rows = log_rows()
    if layout == "parts":
        (folder / "train.csv").mkdir()
        write_log(folder / "train.csv" / "1.csv", rows[:77])
        write_log(folder / "train.csv" / "2.csv.gz", rows[77:], gzip.open)
    else:
        write_log(folder / layout, rows, gzip.open if layout.endswith(".gz") else open)
    one = prepare("paper", raw_dir, tmp_path / "one")
    other = prepare("paper", folder, tmp_path / "other")
    assert one.vocabularies == other.vocabularies
    for split in SPLITS:
        np.testing.assert_array_equal(read(one, split), read(other, split))


@pytest.mark.parametrize(
    "hour", ["", "1410210", "141021000", "14102124", "14103200", "14022900", "1410210x", "14 02100"]
)
def test_hour_that_is_none(tmp_path, hour):
    rows = log_rows()
    rows[500][COLUMNS.index("hour")] = hour
    path = tmp_path / "train.csv"
    write_log(path, rows)
    with pytest.raises(ValueError) as error:
        prepare("all_fields", tmp_path, tmp_path / "prepared")
    assert str(error.value).startswith(f"{path}:502: hour is {hour!r}; an hour is YYMMDDHH, say")
    assert not list((tmp_path / "prepared").rglob("*.tfrecord*"))


def test_bad_label_and_header(tmp_path):
    rows = log_rows()
    rows[9][1] = "yes"
    path = tmp_path / "train.csv"
    write_log(path, rows)
    with pytest.raises(ValueError, match=r"train.csv:11: click is 'yes'; a label is 0 or 1"):
        prepare("paper", tmp_path, tmp_path / "prepared")
    path.write_text(path.read_text().replace("banner_pos", "banner"))
    with pytest.raises(ValueError, match=r"train.csv:1: the header must be id, click, hour, C1, b"):
        prepare("paper", tmp_path, tmp_path / "prepared")


def test_hour_that_is_split_has_to_be_a_field():
    with pytest.raises(ValueError, match="split_hour needs the column hour"):
        AvazuConfig(name="mine", columns=("C1",), split_hour=True)


def test_missing_file(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"train.csv is missing: get it from https://www"):
        prepared_dataset("avazu", tmp_path / "prepared", tmp_path)
