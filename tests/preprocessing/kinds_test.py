"""Tests of what a log's columns are taken for."""

import datetime
import decimal
import shutil

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from interhat_tf import prepare_click_log
from tests.input_pipeline.click_logs import csv_text


def kinds(path, folder, **options):
    shutil.rmtree(folder / "log", ignore_errors=True)
    schema = prepare_click_log(path, name="log", data_dir=folder, **options).schema
    return {field.name: field.kind for field in schema.fields}


def write_column(folder, values):
    """Writes a log whose field `x` has the values in turn."""
    path = folder / "log.csv"
    rows = [{"y": str(row % 2), "x": values[row % len(values)]} for row in range(120)]
    path.write_bytes(csv_text(rows))
    return path


@pytest.mark.parametrize(
    ("values", "kind"),
    [
        (["1", "-2", "", "+3"], "categorical"),
        (["18446744073709551615", "3"], "categorical"),
        (["1", "2.5", ""], "numerical"),
        ([" .5", "-1.", "2e-3", "1E5"], "numerical"),
        (["0.5", "N/A"], "categorical"),
        (["1.2", "1.2.3"], "categorical"),
        (["True", "False"], "categorical"),
        (["2024-01-31", "soon"], "categorical"),
    ],
)
def test_inferred_kind_of_text(tmp_path, values, kind):
    assert kinds(write_column(tmp_path, values), tmp_path) == {"x": kind}


@pytest.mark.parametrize(
    "values",
    [
        ["2024-01-31", ""],
        ["2014-10-21 03:00:00"],
        ["1/2/2024"],
        ["2024-01-31T10:00:00.5Z"],
        ["9:15"],
    ],
)
def test_dates_are_not_inferred(tmp_path, values):
    path = write_column(tmp_path, values)
    message = rf"^{path}: column 'x' is dates or times, .*categorical= and numerical=$"
    with pytest.raises(ValueError, match=message):
        prepare_click_log(path, name="log", data_dir=tmp_path)
    assert kinds(path, tmp_path, categorical=["x"]) == {"x": "categorical"}


@pytest.mark.parametrize(
    ("column", "kind"),
    [
        (pa.array([1, 2], pa.uint64()), "categorical"),
        (pa.array(["a", "b"], pa.large_string()), "categorical"),
        (pa.array([1, 2]).dictionary_encode(), "categorical"),
        (pa.array([1.5, None], pa.float32()), "numerical"),
        (pa.array([decimal.Decimal("1.50"), None]), "numerical"),
    ],
)
def test_inferred_kind_of_parquet(tmp_path, column, kind):
    # A dot in the name does not make it a part of a struct.
    table = pa.table({"Target": [0.0, 1.0] * 60, "a.x": pa.concat_arrays([column] * 60)})
    pq.write_table(table, tmp_path / "log.parquet")
    assert kinds(tmp_path / "log.parquet", tmp_path) == {"a.x": kind}


@pytest.mark.parametrize(
    ("column", "kind"),
    [
        (pa.array([datetime.date(2024, 1, 31)]), "of type date32[day]"),
        (pa.array([datetime.datetime(2024, 1, 31)]), "of type timestamp[us]"),
        (pa.array([[1]]), "of type list"),
        (pa.array([b"a"]), "of type binary"),
        (pa.array([None]), "of type null"),
    ],
)
def test_not_inferred_of_parquet(tmp_path, column, kind):
    path = tmp_path / "log.parquet"
    pq.write_table(pa.table({"y": [0, 1] * 60, "x": pa.concat_arrays([column] * 120)}), path)
    with pytest.raises(ValueError) as error:
        prepare_click_log(path, name="log", data_dir=tmp_path)
    assert str(error.value).startswith(f"{path}: column 'x' is {kind}")
    if "list" in kind:
        with pytest.raises(ValueError, match=rf"^{path}: column 'x' of type list.* categorical "):
            prepare_click_log(path, name="log", data_dir=tmp_path, categorical=["x"])
    else:
        assert kinds(path, tmp_path, categorical=["x"]) == {"x": "categorical"}
