"""Tests of logs whose rows have weights: what is prepared, read, checked and refused."""

import gzip
import json

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from interhat_tf import prepare_click_log
from interhat_tf.input_pipeline import blocks
from interhat_tf.input_pipeline.block_checks import check_blocks
from interhat_tf.input_pipeline.catalog import prepared_dataset
from interhat_tf.preprocessing import shuffle
from interhat_tf.preprocessing.rows import SPLITS
from interhat_tf.schema import Field, Schema

ROWS = 400
ROW = np.arange(ROWS)
# The number of a row is a field, so that each row of a batch is known.
LOG = {"click": ROW % 3 == 0, "row": ROW / 2, "app": ROW % 7, "w": (ROW % 5) * 0.75}


def csv_text(weights=LOG["w"]):
    columns = [LOG["click"].astype(int), LOG["row"], LOG["app"], weights]
    lines = [",".join(map(str, row)) for row in zip(*columns, strict=True)]
    return "\n".join(["click,row,app,w", *lines, ""]).encode()


def write(folder, form):
    path = folder / f"log.{form}"
    if form == "csv":
        path.write_bytes(csv_text())
    elif form == "csv.gz":
        path.write_bytes(gzip.compress(csv_text()))
    elif form == "jsonl":
        records = pa.table(LOG).to_pylist()
        for record in records[:200]:  # whole numbers at first, as JSON writes 3.0 at times
            record["w"] = int(4 * record["w"] / 3)
        for record in records[200:]:
            record["w"] = 4 * record["w"] / 3 + 0.5
        path.write_text("".join(json.dumps(record) + "\n" for record in records))
    else:
        pq.write_table(pa.table(LOG), path, row_group_size=90)
    return path


def prepare(folder, log, **options):
    scaling = "min-max"  # by which a number tells its row
    return prepare_click_log(
        log, name="log", data_dir=folder, weight="w", scaling=scaling, **options
    )


@pytest.fixture
def small_blocks(monkeypatch):
    for module in (shuffle, blocks):
        monkeypatch.setattr(module, "BLOCK_ROWS", 64)
    monkeypatch.setattr(shuffle, "PARTITION_ROWS", 100)


@pytest.mark.parametrize("form", ["csv", "csv.gz", "jsonl", "parquet", "table"])
def test_each_row_keeps_its_weight(tmp_path, small_blocks, form):
    log = pa.table(LOG) if form == "table" else write(tmp_path, form)
    # The extreme rows train, so that a scaled number tells the row.
    data = prepare(tmp_path, log)
    low, high = data.encoding.ranges["row"]
    found = {}
    for split in SPLITS:
        data.check(split)
        for inputs, labels, weights in data.evaluation_batches(split, 50).as_numpy_iterator():
            rows = np.rint(2 * (inputs["numerical"][:, 0] * (high - low) + low)).astype(int)
            found |= dict(zip(rows, zip(weights, labels, strict=True), strict=True))
    expected = LOG["w"]
    if form == "jsonl":
        expected = np.where(ROW < 200, np.floor(ROW % 5), ROW % 5 + 0.5)
    assert len(found) > ROWS - 10  # numbers beyond the training rows' are clipped
    for row, (weight, label) in found.items():
        if low < row / 2 < high:
            assert (weight, label) == (np.float32(expected[row]), LOG["click"][row])
    assert data.schema.field_names == ("app", "row")
    assert data.weighted


def test_training_batches_have_the_weights_of_their_rows(tmp_path, small_blocks):
    data = prepare(tmp_path, write(tmp_path, "csv"))
    stored = [
        np.column_stack([inputs["categorical"], inputs["numerical"], labels, weights])
        for inputs, labels, weights in data.evaluation_batches("train", 50).as_numpy_iterator()
    ]
    for shards in (1, 3):
        steps = data.num_batches(60, shards)
        batches = data.training_batches(60, seed=3, shards=shards).take(steps)
        read = [
            np.column_stack([inputs["categorical"], inputs["numerical"], labels, weights])
            for inputs, labels, weights in batches.as_numpy_iterator()
        ]
        found, expected = (sorted(np.concatenate(rows).tolist()) for rows in (read, stored))
        assert found == expected


def test_the_weights_of_labels(tmp_path):
    data = prepare(tmp_path, write(tmp_path, "csv"), negative_sampling_rate=0.5)
    ((_, labels, weights),) = data.evaluation_batches("train", 1000)
    expected = [np.sum(weights[labels == label]) for label in (0, 1)]
    assert data.label_weights("train") == pytest.approx(expected)
    plain = prepare_click_log(tmp_path / "log.csv", name="plain", data_dir=tmp_path)
    counts = np.bincount(np.int64(next(iter(plain.evaluation_batches("train", 1000)))[1]))
    assert plain.label_weights("train") == tuple(counts)


def test_sampled_negatives_weigh_more(tmp_path):
    options = {"name": "log", "data_dir": tmp_path, "negative_sampling_rate": 0.1}
    data = prepare_click_log(pa.table(LOG), exclude="w", **options)
    ((_, labels, weights),) = data.evaluation_batches("train", 1000)
    np.testing.assert_array_equal(weights, np.where(labels == 1, 1, np.float32(10)))
    assert (
        "of which the log has 0.1 of all" in (tmp_path / "log" / "1.0.0" / "columns.md").read_text()
    )


def test_without_weights_batches_are_pairs(tmp_path):
    data = prepare_click_log(pa.table(LOG), name="log", data_dir=tmp_path)
    assert not data.weighted
    for batches in (data.evaluation_batches("train", 50), data.training_batches(50, seed=0)):
        assert len(batches.element_spec) == 2
    assert "w" in data.schema.field_names


def test_the_column_is_told(tmp_path, capsys):
    assert prepare(tmp_path, pa.table(LOG), dry_run=True) is None
    (line,) = (line for line in capsys.readouterr().out.splitlines() if line.startswith("| w "))
    assert "| weight " in line and "how much each row counts" in line


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ("-1", r"log.csv:302: w is -1.0; a weight is a finite number, at least 0, in each row"),
        ("", r"log.csv:302: w is None; a weight is"),
        ("NA", r"log.csv:302: w is None; a weight is"),
        ("nan", r"log.csv:302: w is (nan|None); a weight is"),
        ("inf", r"log.csv:302: w is inf; a weight is"),
        ("two", r"log.csv:302: w is 'two'; expected a number"),
    ],
)
def test_a_wrong_weight_names_file_and_line(tmp_path, wrong, message):
    weights = [str(weight) for weight in LOG["w"]]
    weights[300] = wrong
    (tmp_path / "log.csv").write_bytes(csv_text(weights))
    with pytest.raises(ValueError, match=message):
        prepare(tmp_path, tmp_path / "log.csv")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"weight": "weights"}, "there is no column 'weights'; there are click, row, app, w"),
        ({"weight": "click"}, "'click' is the label and cannot be the weight as well"),
        ({"weight": "w", "numerical": ["w"]}, "'w' is the weight and cannot be a field as well"),
        ({"negative_sampling_rate": 5}, "above 0 and at most 1, got 5"),
    ],
)
def test_wrong_arguments(tmp_path, options, message):
    with pytest.raises(ValueError, match=message):
        prepare_click_log(pa.table(LOG), name="log", data_dir=tmp_path, **options)


@pytest.mark.parametrize(
    "options", [{}, {"weight": "row"}, {"weight": "w", "negative_sampling_rate": 0.5}]
)
def test_a_set_of_other_weights_is_another(tmp_path, options):
    prepare(tmp_path, pa.table(LOG), categorical=["app"])
    with pytest.raises(ValueError, match="differs in: weights"):
        prepare_click_log(
            pa.table(LOG), name="log", data_dir=tmp_path, categorical=["app"], **options
        )


def test_a_set_without_weights_does_not_pass_for_one_with(tmp_path):
    prepare_click_log(pa.table(LOG), name="log", data_dir=tmp_path, categorical=["app"])
    with pytest.raises(ValueError, match="differs in: weights"):
        prepare(tmp_path, pa.table(LOG), categorical=["app"])


def test_the_set_opens_by_its_name(tmp_path):
    prepare(tmp_path, pa.table(LOG))
    assert prepared_dataset("log", tmp_path).weighted


def test_damaged_weights_are_found():
    columns = {"categorical": np.ones((3, 1), np.int32), "label": np.zeros(3, np.uint8)}
    found = [{**columns, "weight": np.ones(3, np.float32)} for _ in range(2)]
    schema = Schema([Field("app", "categorical", 2)])
    check_blocks(found, schema, 6, "log, train")
    found[1]["weight"][2] = np.nan
    with pytest.raises(ValueError, match="log, train: weight, row 5: nan is negative or not fin"):
        check_blocks(found, schema, 6, "log, train")
    for block in found:
        block["weight"][:] = 0
    with pytest.raises(ValueError, match="log, train: all weights are 0"):
        check_blocks(found, schema, 6, "log, train")
