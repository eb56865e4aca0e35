"""Tests of a log of JSON lines."""

import bz2
import json

import pytest

from interhat_tf import prepare_click_log
from interhat_tf.preprocessing import json_log
from interhat_tf.preprocessing.json_log import JsonLog

ROWS = [
    {
        "click": row % 3 == 0,
        "user": None if row % 5 == 0 else row % 8,
        "city": ["Zürich", "a\nb", ""][row % 3],
        "price": row if row < 20 else row / 4,
        "time": f"2024-01-{1 + row % 20:02} {row % 24:02}:30:00",
    }
    for row in range(150)
]
TEXT = "".join(json.dumps(row) + "\n" for row in ROWS)


@pytest.mark.parametrize("name", ["log.jsonl", "log.ndjson.bz2"])
def test_every_record_is_read(tmp_path, name):
    path = tmp_path / name
    path.write_bytes(bz2.compress(TEXT.encode()) if name.endswith("bz2") else TEXT.encode())
    data = prepare_click_log(path, name="log", data_dir=tmp_path)
    assert data.schema.field_names == ("user", "city", "time_hour", "time_weekday", "price")
    assert sorted(data.vocabularies["user"]) == ["", *map(str, range(8))]
    assert sorted(data.vocabularies["city"]) == ["", "Zürich", "a\nb"]
    assert len(data.vocabularies["time_hour"]) == 24
    assert sum(split["positives"] for split in data.statistics["splits"].values()) == 50
    low, high = data.encoding.ranges["price"]
    assert low < 20 and high > 30


def test_what_the_first_lines_do_not_show(tmp_path, monkeypatch):
    """A price that is whole at first, a time that has no zone at first, a name that comes late."""
    monkeypatch.setattr(json_log, "SAMPLE_BYTES", 300)
    lines = [
        {
            "y": row % 2,
            "price": row + (0.5 if row > 50 else 0),
            "at": f"2024-01-01 {row % 24:02}:30:00",
        }
        for row in range(100)
    ]
    lines[70] |= {"late": 1, "at": "2024-01-01T05:30:00.5+09:00"}
    path = tmp_path / "log.json"
    path.write_text("\n".join(map(json.dumps, lines)))
    assert JsonLog([str(path)]).columns == ["y", "price", "at"]
    scaling = {"price": "min-max"}
    data = prepare_click_log(path, name="log", data_dir=tmp_path, scaling=scaling)
    assert data.schema.field_names == ("at_hour", "price")
    assert data.encoding.ranges["price"][1] > 90


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        (
            '{"y": 1, "x": "a"',
            "not a record (Expecting ',' delimiter, character 19); each line holds one",
        ),
        ('{"y": 1, "x": 5}', "x is 5; its first values are of the kind text, write all so"),
        ("", "not a record (Expecting value, character 2); each line holds one, such as {"),
        ('{"y": 1, "x": "a"} {"y": 1, "x": "a"}', "not a record (Extra data, character 20); each"),
        ("[1]", "not a record; each line holds one"),
        ('{"x": "a"}', "y is None; a label is '0' or '1'"),
    ],
)
def test_a_wrong_line_is_named(tmp_path, line, problem):
    path = tmp_path / "log.json"
    lines = [json.dumps({"y": row % 2, "x": "ab"[row % 3 == 0]}) for row in range(80)]
    path.write_text("\n".join([*lines[:40], line, *lines[40:]]) + "\n")
    with pytest.raises(ValueError) as error:
        prepare_click_log(path, name="log", data_dir=tmp_path)
    assert str(error.value).startswith(f"{path}:41: {problem}")


def test_an_array_is_no_log(tmp_path):
    path = tmp_path / "log.json"
    path.write_text(json.dumps(ROWS))
    with pytest.raises(ValueError, match=rf"^{path}: a JSON array; write one record per line, as"):
        prepare_click_log(path, name="log", data_dir=tmp_path)
