"""Tests of a plan as a reader sees it."""

import json
import warnings

import pyarrow as pa
import pytest
from etils import epath

from interhat_tf.preprocessing.log_plan import plan_log
from interhat_tf.preprocessing.plan_report import (
    plan_markdown,
    warn_of_columns_left_out,
    write_plan,
)

TABLE = pa.table(
    {
        "click": [0, 1] * 60,
        "id": range(120),
        "title": ["a | b\nc", "x" * 50] * 60,
        "price": [0.5, None, 2.25] * 40,
    }
)


def test_a_line_for_each_column():
    lines = plan_markdown(plan_log(TABLE, "log", "click")).splitlines()
    assert lines[0].startswith("Of 120 rows of the log.")
    cells = [[cell.strip() for cell in line[1:-1].split(" | ")] for line in lines[2:]]
    assert len({len(line) for line in lines[2:]}) == 1
    assert cells[0] == ["column", "kind", "values", "missing", "rare", "example", "note"]
    assert cells[3] == ["id", "left out", "120", "0.0%", "100.0%", "0", "one value a row"]
    assert cells[4][:5] == ["title", "categorical", "2", "0.0%", "0.0%"]
    assert "a \\| b c" in lines[6]
    assert cells[5][:6] == ["price", "numerical", "2", "33.3%", "", "0.5"]


def test_the_files(tmp_path):
    write_plan(plan_log(TABLE, "log", "click"), epath.Path(tmp_path))
    assert "| price " in (tmp_path / "columns.md").read_text()
    about = json.loads((tmp_path / "columns.json").read_text())
    assert about["rows"] == 120
    assert about["label"] == {"column": "click", "negative": "0", "positive": "1"}
    assert about["columns"][2]["example"] == "a | b\nc"
    assert about["columns"][3]["forms"] == {"price": "number"}


def test_warns_of_what_nobody_asked_to_leave_out():
    with pytest.warns(UserWarning, match=r"^left out: 'id' \(one value a row\); to keep one, name"):
        warn_of_columns_left_out(plan_log(TABLE, "log", "click"), growing=False)
    with pytest.warns(UserWarning, match=r"a row\); a set that grows has the fields of the one"):
        warn_of_columns_left_out(plan_log(TABLE, "log", "click"), growing=True)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warn_of_columns_left_out(plan_log(TABLE, "log", "click", exclude=["id"]), growing=False)
