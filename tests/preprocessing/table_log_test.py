"""Tests of a log that is a table in memory."""

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from interhat_tf import prepare_click_log
from interhat_tf.preprocessing import table_log
from interhat_tf.preprocessing.column_forms import NUMBER, Reading, Source
from interhat_tf.preprocessing.table_log import TableLog, as_table, is_table


class Stream:
    """A table of any library with Arrow's interface, as polars' is."""

    def __init__(self, table):
        self.table = table

    def __arrow_c_stream__(self, requested_schema=None):
        return self.table.__arrow_c_stream__(requested_schema)


COLUMNS = {"y": [0, 1] * 60, "user": [7, None, 8, 9] * 30, "app": ["a", "b", None] * 40}


@pytest.mark.parametrize("make", [pa.table, pd.DataFrame, lambda c: Stream(pa.table(c))])
def test_any_table_is_a_log(tmp_path, make):
    table = make(COLUMNS)
    assert is_table(table)
    data = prepare_click_log(table, name="log", data_dir=tmp_path)
    assert data.schema.field_names == ("user", "app")
    assert sorted(data.vocabularies["user"]) == ["", "7", "8", "9"]  # pandas made floats of them
    assert sorted(data.vocabularies["app"]) == ["", "a", "b"]


def test_a_changed_table_is_another_log(tmp_path):
    table = pa.table(COLUMNS)
    prepare_click_log(table, name="log", data_dir=tmp_path)
    in_pieces = pa.concat_tables([table[:50], table[50:]])
    prepare_click_log(in_pieces, name="log", data_dir=tmp_path)
    with pytest.raises(ValueError, match="differs in: files; give another name"):
        changed = pa.table({**COLUMNS, "y": [1, 0] * 60})
        prepare_click_log(changed, name="log", data_dir=tmp_path)


def test_chunks_hold_the_rows(monkeypatch):
    monkeypatch.setattr(table_log, "CHUNK_ROWS", 50)
    log = TableLog(pa.table(COLUMNS))
    reading = Reading({"user": Source("user", NUMBER)})
    chunks = log.chunks
    assert [(chunk.first_row, chunk.first_line, chunk.rows) for chunk in chunks] == [
        (0, 1, 50),
        (50, 51, 50),
        (100, 101, 20),
    ]
    found = pa.concat_tables([log.read(chunk, ["y"], reading) for chunk in chunks])
    assert found.to_pydict() == {name: COLUMNS[name] for name in ("y", "user")}
    assert len(log.sample()) == 70


def test_a_last_row_alone_is_a_chunk(monkeypatch):
    monkeypatch.setattr(table_log, "CHUNK_ROWS", 119)
    assert [chunk.rows for chunk in TableLog(pa.table(COLUMNS)).chunks] == [119, 1]


def test_wrong_tables(tmp_path):
    with pytest.raises(ValueError, match=r"^the table: not to be read as Arrow .*convert the"):
        as_table(Stream(pd.DataFrame({"y": [0, 1], "x": [1, "a"]})))
    with pytest.raises(ValueError, match=r"^the table is a single column, a Series; a log has"):
        prepare_click_log(pd.Series([0, 1]), name="log", data_dir=tmp_path)
    with pytest.raises(ValueError, match=r"^the table: the log has no rows"):
        prepare_click_log(pa.table({"y": []}), name="log", data_dir=tmp_path)
    with pytest.raises(ValueError, match=r"^the table:3: y is 2; a label is '0' or '1'"):
        prepare_click_log(
            pa.table({"y": [0, 1, 2], "x": ["a", "b", "c"]}), name="log", data_dir=tmp_path
        )
    with pytest.raises(ValueError, match=r"^a table is prepared on this machine"):
        prepare_click_log(
            pa.table(COLUMNS), name="log", data_dir=tmp_path, beam_runner="DirectRunner"
        )


@pytest.mark.parametrize(
    "values, row, shown",
    [
        ([1, "a", 2, 3], 2, "'a'"),
        ([["a"], None, [], "a|b"], 4, r"'a\|b'"),
        ([["a"], [], [["a"], ["b"]], ["b"]], 3, r"\[\['a'\], \['b'\]\]"),
        ([1.0, 2, None, "x" * 60], 4, "'x{49}…"),
    ],
)
def test_a_value_of_another_kind_is_named(values, row, shown):
    table = pd.DataFrame({"y": [0, 1, 0, 1], "x": pd.Series(values, dtype=object)})
    message = rf"^the table:{row}: x is {shown}, of another kind than the values before \(.*; conv"
    with pytest.raises(ValueError, match=message):
        as_table(table)


def test_a_value_of_no_kind_is_named():
    with pytest.raises(ValueError, match=r"^the table:2: x is 1j, of no kind that a log has \("):
        as_table(pd.DataFrame({"y": [0, 1], "x": pd.Series([1, 1j], dtype=object)}))


def test_categories_of_polars(tmp_path):
    """They are dictionaries of views, which pyarrow cannot decode itself."""
    names = pa.DictionaryArray.from_arrays(
        pa.array([0, 1, None] * 40, pa.uint32()), pa.array(["maps", "mail"], pa.string_view())
    )
    log = pa.table({"click": [0, 1] * 60, "app": names})
    data = prepare_click_log(log, name="log", data_dir=tmp_path)
    assert set(data.vocabularies["app"]) <= {"maps", "mail", ""}
    records = log.drop_columns(["click"])[:3]
    np.testing.assert_array_equal(
        data.encode(records)["categorical"],
        data.encode({"app": ["maps", "mail", None]})["categorical"],
    )
