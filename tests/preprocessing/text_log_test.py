"""Tests of a log of text files, against the rows that were written."""

import gzip

import pyarrow as pa
import pytest

from interhat_tf.preprocessing import text_chunks, text_log
from interhat_tf.preprocessing.column_forms import NULL_VALUES, NUMBER, TEXT, Reading, Source
from interhat_tf.preprocessing.fields import Categorical, Numerical
from interhat_tf.preprocessing.text_log import TextLog
from tests.input_pipeline.click_logs import csv_text, log_rows


@pytest.fixture
def paths(tmp_path):
    """Two parts of a log, one of them compressed."""
    rows = log_rows()
    (tmp_path / "0.csv").write_bytes(csv_text(rows[:250]))
    (tmp_path / "1.csv.gz").write_bytes(gzip.compress(csv_text(rows[250:])))
    return [str(tmp_path / name) for name in ("0.csv", "1.csv.gz")]


def test_the_chunks_hold_the_rows(paths, monkeypatch):
    monkeypatch.setattr(text_chunks, "READ_BYTES", 100)
    log, rows = TextLog(paths, ","), log_rows()
    assert log.columns == list(rows[0])
    assert log.rows == len(rows)
    reading = Reading.plain([Numerical("price"), Categorical("city")])
    tables = [log.read(chunk, ["click"], reading) for chunk in log.chunks]
    assert set(tables[0].column_names) == {"click", "price", "city"}
    assert pa.concat_tables(tables).select(["click", "price", "city"]).to_pylist() == [
        {
            "click": row["click"],
            "price": float(row["price"]) if row["price"] else None,
            "city": row["city"],
        }
        for row in rows
    ]


def test_the_sample_is_the_first_and_the_last_rows(tmp_path, monkeypatch):
    monkeypatch.setattr(text_log, "SAMPLE_BYTES", 90)
    monkeypatch.setattr(text_chunks, "LAST_BYTES", 50)
    rows = [f"{row % 2},{row:03}" for row in range(100)]
    path = tmp_path / "log.csv"
    path.write_text("\n".join(["y,x", *rows]))
    sample = TextLog([str(path)], ",").sample()
    found = sample["x"].to_pylist()
    assert found == [f"{row:03}" for row in [*range(15), *range(92, 100)]]


def test_a_sample_has_no_row_twice(tmp_path, paths):
    assert len(TextLog(paths[:1], ",").sample()) == 250
    assert len(TextLog(paths, ",").sample()) == 250  # the other part is compressed
    again = tmp_path / "1.csv"
    again.write_bytes(csv_text(log_rows()[250:]))
    whole = TextLog([paths[0], str(again)], ",").sample()
    assert whole["click"].to_pylist() == [row["click"] for row in log_rows()]


def test_null_values_are_missing_numbers(tmp_path):
    path = tmp_path / "log.csv"
    path.write_text("y,x,z\n1,NA,NA\n0,2.5,a\n1,-,b\n")
    reading = Reading({"x": Source("x", NUMBER), "z": Source("z", TEXT)}, NULL_VALUES)
    log = TextLog([str(path)], ",")
    (table,) = [log.read(chunk, ["y"], reading) for chunk in log.chunks]
    assert table["x"].to_pylist() == [None, 2.5, None]
    assert table["z"].to_pylist() == ["NA", "a", "b"]
    path.write_text("y,x,z\n1,NA,NA\n0,free,a\n")
    with pytest.raises(ValueError, match=rf"^{path}:3: x is 'free'; expected a number"):
        [log.read(chunk, ["y"], reading) for chunk in TextLog([str(path)], ",").chunks]
