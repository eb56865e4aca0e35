"""Tests of the ways in which a user's log is split: nothing is fitted on other rows than train."""

import collections
import json
import warnings

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from interhat_tf import prepare_click_log
from interhat_tf.input_pipeline.catalog import prepared_dataset
from interhat_tf.preprocessing import parquet_log, table_log
from interhat_tf.preprocessing.rows import SPLITS
from interhat_tf.preprocessing.splits import GroupSplit
from interhat_tf.preprocessing.table_log import TableChunk
from tests.input_pipeline.click_logs import assert_prepared, csv_text, log_rows, stored

FORMS = ["csv", "jsonl", "parquet", "table"]
WAYS = ["time:step", "time:when", "column:fold", "group:user"]


def rows_to_split():
    """Rows with a time, a number in that order, a fold; users are numbers without zeros before."""
    random = np.random.default_rng(1)
    rows = log_rows()
    for row in rows:
        second = int(random.integers(300))
        row["user"] = str(int(row["user"]))
        row["when"] = f"2024-01-{1 + second // 100:02} 10:00:{second % 60:02}"
        row["step"] = f"{second / 8 - 10}"
        row["fold"] = SPLITS[random.choice(3, p=[0.5, 0.2, 0.3])]
    return rows


def splits_expected(rows, way):
    kind, _, column = way.partition(":")
    values = [row[column] for row in rows]
    if kind == "column":
        return values
    if kind == "group":
        table = pa.table({column: values})
        found = GroupSplit(column).of_rows(table, TableChunk(0, table))
        return [SPLITS[split] for split in found]
    times = [float(value) if column == "step" else value for value in values]
    starts = [sorted(times)[len(times) * tenth // 10] for tenth in (8, 9)]
    # The nearest places where a new time begins.
    nearest = []
    for tenth, start in zip((8, 9), starts, strict=True):
        before = sum(time < start for time in times)
        after = sum(time <= start for time in times)
        wanted = len(times) * tenth // 10
        later = after - wanted < wanted - before
        nearest.append(min(time for time in times if time > start) if later else start)
    return [SPLITS[sum(time >= start for start in nearest)] for time in times]


def write(folder, form, rows):
    if form == "csv":
        (folder / "log.csv").write_bytes(csv_text(rows))
        return folder / "log.csv"
    table = pa.table(
        {
            "click": [int(row["click"]) for row in rows],
            "user": [int(row["user"]) for row in rows],
            "city": [row["city"] for row in rows],
            "paid": [row["paid"] for row in rows],
            "price": [float(row["price"]) if row["price"] else None for row in rows],
            "when": [row["when"] for row in rows],
            "step": [float(row["step"]) for row in rows],
            "fold": [row["fold"] for row in rows],
        }
    )
    if form == "jsonl":
        lines = "\n".join(map(json.dumps, table.to_pylist()))
        (folder / "log.jsonl").write_text(lines)
        return folder / "log.jsonl"
    table = table.set_column(5, "when", table["when"].cast(pa.timestamp("ms")))
    if form == "table":
        return table
    pq.write_table(table, folder / "log.parquet", row_group_size=250)
    return folder / "log.parquet"


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("way", WAYS)
def test_only_training_rows_are_fitted(tmp_path, monkeypatch, form, way):
    monkeypatch.setattr(parquet_log, "CHUNK_ROWS", 100)
    monkeypatch.setattr(table_log, "CHUNK_ROWS", 100)
    rows = rows_to_split()
    log = write(tmp_path, form, rows)
    options = {"categorical": ["user", "city"], "numerical": ["price"]}
    options["scaling"] = "min-max"
    data = prepare_click_log(log, name="log", data_dir=tmp_path, split=way, **options)
    splits = splits_expected(rows, way)
    assert_prepared(data, rows, splits, ["user", "city"], ["price"])
    # A cross is counted in training rows as well.
    crossed = data.with_crosses([("user", "city")])
    training = [row for row, split in zip(rows, splits, strict=True) if split == "train"]
    pairs = collections.Counter((row["user"], row["city"]) for row in training)
    expected = sum(count > 1 for count in pairs.values())
    assert crossed.schema.vocabulary_sizes[2] == 1 + expected


@pytest.mark.parametrize(
    ("way", "fields", "note"),
    [
        ("time:step", ["user", "city", "paid", "when_weekday", "price"], "later ones test"),
        ("time:when", ["user", "city", "paid", "when_weekday", "fold", "price", "step"], "later"),
        ("column:fold", ["user", "city", "paid", "when_weekday", "price", "step"], "row's split"),
        (
            "group:user",
            ["user", "city", "paid", "when_weekday", "fold", "price", "step"],
            "all rows of a value are in one split",
        ),
    ],
)
def test_what_becomes_of_its_column(tmp_path, way, fields, note):
    rows = rows_to_split()
    if way == "time:step":
        rows = [{name: row[name] for name in row if name != "fold"} for row in rows]
    path = write_csv(tmp_path, rows)
    data = prepare_click_log(path, name="log", data_dir=tmp_path, split=way)
    assert list(data.schema.field_names) == fields
    plans = json.loads((tmp_path / "log/1.0.0/columns.json").read_text())["columns"]
    plan = next(plan for plan in plans if plan["column"] == way.partition(":")[2])
    assert note in plan["note"]
    is_field = any(name.startswith(plan["column"]) for name in fields)
    assert (plan["kind"] == "split") == (not is_field)
    assert plan["values"] == len({row[plan["column"]] for row in rows})
    # Records need no split.
    del rows[0]["click"]
    rows[0].pop("fold", None)
    rows[0].pop("step" if way == "time:step" else "", None)
    records = {name: [value] for name, value in rows[0].items()}
    if way in ("time:when", "group:user"):
        records["fold"] = ["train"]
    assert len(data.encode(records)["categorical"]) == 1


def write_csv(folder, rows):
    (folder / "log.csv").write_bytes(csv_text(rows))
    return folder / "log.csv"


def test_a_column_left_out_splits_all_the_same(tmp_path):
    rows = rows_to_split()
    path = write_csv(tmp_path, rows)
    options = {"exclude": ["user", "when", "step", "fold"], "data_dir": tmp_path}
    options["scaling"] = "min-max"
    data = prepare_click_log(path, name="log", split="group:user", **options)
    splits = splits_expected(rows, "group:user")
    assert_prepared(data, rows, splits, ["city", "paid"], ["price"])


@pytest.mark.parametrize(
    ("way", "message"),
    [
        ("group:usr", "split is 'group:usr'; there is no such column; there are click, user"),
        ("time:click", "split is 'time:click', which is the label; name another column"),
        ("tiem:when", "split is 'tiem:when'; it is random, position, time:COLUMN"),
    ],
)
def test_wrong_ways(tmp_path, way, message):
    path = write_csv(tmp_path, rows_to_split())
    with pytest.raises(ValueError) as error:
        prepare_click_log(path, name="log", data_dir=tmp_path, split=way)
    assert str(error.value).startswith(message)


def test_a_split_is_no_field(tmp_path):
    path = write_csv(tmp_path, rows_to_split())
    with pytest.raises(ValueError, match=r"^column 'fold' is the split and cannot be a field"):
        prepare_click_log(
            path, name="log", data_dir=tmp_path, split="column:fold", categorical=["fold"]
        )


@pytest.mark.parametrize("way", ["random", "position", *WAYS])
@pytest.mark.parametrize("rows", [1, 2, 300])
def test_splits_without_rows(tmp_path, way, rows):
    """One row, and rows that are all in one split: an error, and nothing is left."""
    if way in ("random", "position") and rows == 300:
        return
    same = {"fold": "train", "user": "1", "when": "2024-01-01", "step": "1"}
    path = write_csv(tmp_path, [{**row, **same, "click": "1"} for row in rows_to_split()[:rows]])
    with pytest.raises(ValueError) as error:
        prepare_click_log(path, name="log", data_dir=tmp_path, categorical=["city"], split=way)
    empty = f"split has no rows; the log has {rows}: add rows, or split them in another way"
    expected = "three different times; split another way" if "time" in way else empty
    assert str(error.value).endswith(expected)
    assert not list(tmp_path.rglob("*1.0.0"))


def test_values_name_their_place(tmp_path):
    rows = rows_to_split()
    for column, way, value in (
        ("when", "time:when", "2024-02-30"),
        ("step", "time:step", "nan"),
        ("fold", "column:fold", "valid"),
    ):
        wrong = [*rows[:100], {**rows[100], column: value}, *rows[101:]]
        path = write_csv(tmp_path, wrong)
        with pytest.raises(ValueError, match=rf"^{path}:102: {column} is .*{value}"):
            prepare_click_log(
                path, name="log", data_dir=tmp_path, split=way, categorical=["user", "city"]
            )
        assert not list(tmp_path.rglob("*1.0.0"))


def test_a_group_of_most_rows_is_told(tmp_path):
    rows = rows_to_split()
    many = [{**row, "user": "3" if number % 10 else row["user"]} for number, row in enumerate(rows)]
    with warnings.catch_warnings():
        warnings.simplefilter("error", UserWarning)
        prepare_click_log(
            write_csv(tmp_path, rows), name="even", data_dir=tmp_path, split="group:user"
        )
    with pytest.warns(UserWarning, match="rows of one value of 'user' stay together"):
        data = prepare_click_log(
            write_csv(tmp_path, many), name="log", data_dir=tmp_path, split="group:user"
        )
    assert data.num_rows("validation") > 500
    assert data.vocabularies["user"].count("3") == 0


def test_the_set_knows_its_split(tmp_path):
    path = write_csv(tmp_path, rows_to_split())
    options = {"name": "log", "data_dir": tmp_path}
    data = prepare_click_log(path, split="time:when", **options)
    again = prepare_click_log(path, split="time:when", **options)
    np.testing.assert_array_equal(stored(data, "test"), stored(again, "test"))
    assert prepared_dataset("log", tmp_path).num_rows("test") == data.num_rows("test")
    with pytest.raises(ValueError, match="differs in: fields, scaling, split, reading; give"):
        prepare_click_log(path, split="time:step", **options)


@pytest.mark.slow
@pytest.mark.parametrize("way", ["position", *WAYS])
def test_a_cluster_splits_alike(tmp_path, way):
    pipeline_options = pytest.importorskip("apache_beam.options.pipeline_options")
    path = write(tmp_path, "parquet", rows_to_split())
    options = {"name": "log", "split": way}
    local = prepare_click_log(path, data_dir=tmp_path / "local", **options)
    beam = pipeline_options.PipelineOptions(["--runner=DirectRunner"])
    cluster = prepare_click_log(path, data_dir=tmp_path / "beam", beam_options=beam, **options)
    assert cluster.vocabularies == local.vocabularies
    for split in SPLITS:
        np.testing.assert_array_equal(stored(cluster, split), stored(local, split))
