"""Tests of a log of text files, against the rows that were written."""

import gzip

import pyarrow as pa
import pytest

from interhat_tf.preprocessing import text_chunks, text_log
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
    fields = [Numerical("price"), Categorical("city")]
    tables = [log.read(chunk, "click", fields) for chunk in log.chunks]
    assert set(tables[0].column_names) == {"click", "price", "city"}
    assert pa.concat_tables(tables).select(["click", "price", "city"]).to_pylist() == [
        {
            "click": row["click"],
            "price": float(row["price"]) if row["price"] else None,
            "city": row["city"],
        }
        for row in rows
    ]


def test_the_first_bytes_decide_on_the_kinds(tmp_path, monkeypatch):
    path = tmp_path / "log.csv"
    path.write_text("y,x\n" + "1,7\n" * 50 + "0,0.5\n" * 50)
    assert TextLog([str(path)], ",").kind("x") == "numerical"
    monkeypatch.setattr(text_log, "SAMPLE_BYTES", 100)
    assert TextLog([str(path)], ",").kind("x") == "categorical"
