"""Tests of reading Parquet files."""

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from interhat_tf import prepare_click_log
from interhat_tf.preprocessing import parquet_log
from interhat_tf.preprocessing.column_forms import Reading
from interhat_tf.preprocessing.parquet_log import ParquetLog


@pytest.mark.parametrize("label", [None, 2, 0.5])
def test_wrong_label_names_its_row(tmp_path, monkeypatch, label):
    monkeypatch.setattr(parquet_log, "CHUNK_ROWS", 40)
    labels = [0.0, 1.0] * 60
    labels[100] = label
    pq.write_table(pa.table({"y": [0] * 9, "x": list("abcabcabc")}), tmp_path / "1.parquet")
    pq.write_table(pa.table({"y": labels, "x": ["a", "b"] * 60}), tmp_path / "2.parquet")
    paths = [tmp_path / "1.parquet", tmp_path / "2.parquet"]
    with pytest.raises(ValueError, match=rf"^{paths[1]}:101: y is .*; a label is '0' or '1'"):
        prepare_click_log(paths, name="log", data_dir=tmp_path)


def test_row_groups_are_cut_into_chunks(tmp_path, monkeypatch):
    monkeypatch.setattr(parquet_log, "CHUNK_ROWS", 40)
    path = tmp_path / "log.parquet"
    pq.write_table(pa.table({"x": range(120)}), path, row_group_size=100)
    log = ParquetLog([str(path)] * 2)
    starts = [0, 40, 80, 100]
    assert [chunk.first_row for chunk in log.chunks] == [*starts, *(120 + i for i in starts)]
    assert [chunk.first_line for chunk in log.chunks] == [1 + i for i in starts] * 2
    found = [log.read(chunk, ["x"], Reading({})) for chunk in log.chunks]
    assert [len(rows) for rows in found] == [chunk.rows for chunk in log.chunks]
    assert pa.concat_tables(found)["x"].to_pylist() == [*range(120)] * 2


def test_numbers_that_are_text_in_parquet(tmp_path):
    path = tmp_path / "log.parquet"
    values = ["1.5", " 2 ", "", None] * 30
    pq.write_table(pa.table({"y": [0, 1] * 60, "x": values}), path)
    data = prepare_click_log(path, name="log", data_dir=tmp_path, numerical=["x"])
    assert data.encoding.ranges["x"] == (1.5, 2.0)
    values[77] = "1,5"
    pq.write_table(pa.table({"y": [0, 1] * 60, "x": values}), path)
    with pytest.raises(ValueError, match=rf"^{path}:78: x is '1,5'; expected a number"):
        prepare_click_log(path, name="other", data_dir=tmp_path, numerical=["x"])


def test_damaged_parquet_file(tmp_path):
    path = tmp_path / "log.parquet"
    pq.write_table(pa.table({"y": [0, 1] * 500, "x": range(1000)}), path, compression="gzip")
    data = bytearray(path.read_bytes())
    data[50:1000] = bytes(950)
    path.write_bytes(data)
    with pytest.raises(ValueError, match=rf"^{path}: no Parquet file, or cut off or damaged"):
        prepare_click_log(path, name="log", data_dir=tmp_path)
