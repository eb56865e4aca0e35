"""Tests of a user's log: what is prepared is held against the rows, read in plain Python."""

import json
import os
import pickle
import shutil
from unittest import mock

import keras
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import interhat_tf
from interhat_tf import InterHAt, prepare_click_log
from interhat_tf.input_pipeline import click_log
from interhat_tf.input_pipeline.catalog import prepared_dataset
from interhat_tf.input_pipeline.dataset import PreparedDataset
from interhat_tf.preprocessing import parquet_log
from interhat_tf.preprocessing.builder import ClickLogBuilder
from interhat_tf.preprocessing.local_runner import LocalRunner
from interhat_tf.preprocessing.rows import SPLITS, random_splits
from interhat_tf.training import TrainingSettings, train
from tests.input_pipeline.click_logs import (
    CITIES,
    ROWS,
    assert_prepared,
    csv_text,
    log_rows,
    stored,
    write,
)
from tests.preprocessing.logs import assert_nothing_finished


@pytest.fixture
def log(tmp_path):
    """A small valid log of 200 rows."""
    return write(tmp_path, "csv", log_rows()[:200])


@pytest.mark.parametrize("form", ["csv", "csv.gz", "txt.zst", "tsv", "parts", "parquet", "files"])
@pytest.mark.parametrize("split", ["random", "position"])
def test_every_row_has_its_values(tmp_path, monkeypatch, form, split):
    monkeypatch.setattr(parquet_log, "CHUNK_ROWS", 100)
    rows = log_rows()
    path = write(tmp_path, form, rows)
    data = prepare_click_log(path, name="log", data_dir=tmp_path, split=split, scaling="min-max")
    if form in ("parquet", "files"):
        rows = [{**row, "user": str(int(row["user"]))} for row in rows]
    if split == "position":
        splits = ["train"] * 480 + ["validation"] * 60 + ["test"] * 60
    else:
        splits = [SPLITS[split] for split in random_splits(0, ROWS)]
    assert data.name == "log/1.0.0"
    assert_prepared(data, rows, splits, ["user", "city", "paid"], ["price"])


@pytest.mark.parametrize("form", ["csv", "parquet"])
def test_named_columns(tmp_path, form):
    rows = [{**row, "user": str(int(row["user"]))} for row in log_rows()]
    path = write(tmp_path, form, rows)
    data = prepare_click_log(
        path,
        name="log",
        data_dir=tmp_path,
        label="click",
        categorical=["city"],
        numerical=["user"],
        scaling={"user": "min-max"},
        min_count=78,
    )
    splits = [SPLITS[split] for split in random_splits(0, ROWS)]
    assert 1 < data.schema.vocabulary_sizes[0] < len(CITIES) + 1
    assert_prepared(data, rows, splits, ["city"], ["user"], min_count=78)


def test_one_list_alone(tmp_path, log):
    data = prepare_click_log([log], name="one", data_dir=tmp_path, numerical="price")
    assert data.schema.field_names == ("price",)
    data = prepare_click_log([log], name="other", data_dir=tmp_path, categorical=["price"])
    assert "" in data.vocabularies["price"]


@pytest.mark.parametrize("labels", [("0", "1"), ("0.0", "1.0"), ("False", "true")])
def test_label_forms(tmp_path, labels):
    rows = [{"Clicked": labels[row % 3 == 0], "x": f"{row % 3}"} for row in range(120)]
    (tmp_path / "log.csv").write_bytes(csv_text(rows))
    data = prepare_click_log(tmp_path / "log.csv", name="log", data_dir=tmp_path)
    assert sum(split["positives"] for split in data.statistics["splits"].values()) == 40
    zero = data.vocabularies["x"].index("0") + 1
    for inputs, clicks in data.evaluation_batches("train", 128).as_numpy_iterator():
        np.testing.assert_array_equal(inputs["categorical"][:, 0] == zero, clicks)


@pytest.mark.parametrize("label", ["", "2", "-1", "yes", "0.5", "nan"])
def test_wrong_label_names_its_line(tmp_path, log, label):
    lines = log.read_bytes().split(b"\r\n")
    lines[150] = label.encode() + lines[150][1:]
    log.write_bytes(b"\r\n".join(lines))
    message = rf"^{log}:151: click is '{label}'; a label is '0' or '1'$"
    with pytest.raises(ValueError, match=message):
        prepare_click_log(log, name="log", data_dir=tmp_path)
    assert not (tmp_path / "log/1.0.0").exists()


def test_wrong_values_name_their_place(tmp_path):
    path = tmp_path / "log.csv"
    good = ["y,x,z"] + ["1,2.5,a", "0,,b"] * 60
    for line, problem in (
        ("1,abc,a", "x is 'abc'; expected a number, or nothing where it is missing"),
        ("1,inf,a", "x is inf; a number must be finite, leave it empty where it is missing"),
        ("1,2", "expected 3 values, found 2; the line is damaged or cut off, get the file again"),
        ('1,2,"a', "a double quote is not closed; close it, or double it where it is text"),
    ):
        path.write_text("\n".join([*good[:50], line, *good[50:]]))
        with pytest.raises(ValueError) as error:
            prepare_click_log(
                path, name="log", data_dir=tmp_path, numerical=["x"], categorical=["z"]
            )
        assert str(error.value) == f"{path}:51: {problem}"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"name": "My log"}, "name is 'My log'; a name has lower-case letters, digits"),
        ({"name": "frappe"}, "name is 'frappe', which is a public data set's"),
        ({"label": "clik"}, "there is no column 'clik'; there are click, user, city, paid, price"),
        ({"categorical": ["citi"]}, "there is no column 'citi'; there are click"),
        ({"categorical": ["click"]}, "column 'click' is the label and cannot be a field as well"),
        (
            {"categorical": ["user"], "numerical": ["user"]},
            "column 'user' is named twice; a field has one kind",
        ),
        ({"categorical": []}, "categorical and numerical are both empty; name a column"),
    ],
)
def test_wrong_arguments(tmp_path, log, options, message):
    with pytest.raises(ValueError) as error:
        prepare_click_log(log, **{"name": "log", "data_dir": tmp_path, **options})
    assert str(error.value).startswith(message)


def test_misspelt_arguments(tmp_path, log):
    with pytest.raises(TypeError) as error:
        prepare_click_log(log, name="log", data_dir=tmp_path, categorial=["user"])
    message = "prepare_click_log has no argument 'categorial'; did you mean 'categorical'?"
    assert str(error.value) == message
    with pytest.raises(TypeError, match="no argument 'sample_weight'; did you mean 'weight'"):
        prepare_click_log(log, name="log", data_dir=tmp_path, sample_weight="price")
    with pytest.raises(TypeError, match=r"no argument 'frobnicate'; it has paths, name, data"):
        prepare_click_log(log, name="log", data_dir=tmp_path, frobnicate=True)


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        (
            "log.csv",
            "y,Click,x\n0,1,a\n",
            "y and Click of the columns y, Click, x may be the label",
        ),
        ("log.csv", "y\n0\n1\n", "LOG: there is no column but the label"),
        ("log.csv", "y;x\n0;a\n1;b\n", "LOG:1: the header is one column, 'y;x'; give the"),
        (
            "log.csv",
            "y,x\n0,\n1,\n",
            "LOG: there is no column but the label and those that are left out: 'x' (empty)",
        ),
        ("log.csv", "y,x\n0,a\n1,b\n", "log/1.0.0: the validation split has no rows"),
        ("log.csv", "y,x,x\n0,a,a\n", "LOG:1: column 'x' occurs twice; rename one"),
        ("log.csv", "", "LOG: the file is empty"),
        ("log.xlsx", "{}", "LOG: a log is text files (.csv, .tsv, .txt), JSON lines"),
        ("log.parquet", "y,x\n0,a\n", "LOG: no Parquet file, or cut off or damaged"),
    ],
)
def test_wrong_files(tmp_path, name, text, message):
    path = tmp_path / name
    path.write_text(text)
    with pytest.raises(ValueError) as error:
        prepare_click_log(path, name="log", data_dir=tmp_path)
    assert str(error.value).startswith(message.replace("LOG", str(path)))


def test_missing_files(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"no\.csv is missing; a set prepared earlier"):
        prepare_click_log(tmp_path / "no.csv", name="log", data_dir=tmp_path)
    with pytest.raises(FileNotFoundError, match="is a folder without files"):
        prepare_click_log(tmp_path, name="log", data_dir=tmp_path)
    with pytest.raises(FileNotFoundError, match="at least one file"):
        prepare_click_log([], name="log", data_dir=tmp_path)


def test_files_that_do_not_go_together(tmp_path, log):
    other = tmp_path / "other.csv"
    other.write_text("click,user\n1,7\n")
    with pytest.raises(ValueError, match=rf"^{other}:1: the header must be click, user, city"):
        prepare_click_log([log, other], name="log", data_dir=tmp_path)
    one, two = tmp_path / "1.parquet", tmp_path / "2.parquet"
    pq.write_table(pa.table({"y": [0, 1], "x": ["a", "b"]}), one)
    with pytest.raises(ValueError, match=rf"^{one}: a log is text files .* all of one kind"):
        prepare_click_log([log, one], name="log", data_dir=tmp_path)
    pq.write_table(pa.table({"y": [0, 1]}), two)
    with pytest.raises(ValueError, match=rf"^{two}: the file has no column 'x'; all parts"):
        prepare_click_log([one, two], name="log", data_dir=tmp_path)


def test_opens_by_name(tmp_path, log, capsys):
    data = prepare_click_log(log, name="log", data_dir=tmp_path)
    log.unlink()
    assert capsys.readouterr().out == ""
    again = prepared_dataset("log", tmp_path)
    assert again.schema == data.schema
    assert again.vocabularies == data.vocabularies
    np.testing.assert_array_equal(stored(again, "train"), stored(data, "train"))
    with pytest.raises(
        ValueError, match=r"^there is no data set 'lag'; known ones: .*frappe.*and "
    ):
        prepared_dataset("lag", tmp_path)


def test_prepared_once(tmp_path, log, monkeypatch):
    prepare_click_log(log, name="log", data_dir=tmp_path)
    monkeypatch.setattr(ClickLogBuilder, "_chunks", None)
    monkeypatch.chdir(tmp_path)
    # What is inferred may be named as well.
    data = prepare_click_log(
        "log.csv",
        name="log",
        data_dir=tmp_path,
        label="click",
        categorical=["user", "city", "paid"],
        numerical=["price"],
    )
    assert isinstance(data, PreparedDataset)


@pytest.mark.parametrize(
    ("options", "difference"),
    [
        ({"label": "paid"}, "label, label_values, fields, reading"),
        ({"categorical": ["user"]}, "fields, scaling, reading"),
        ({"positive": 0}, "label_values"),
        ({"null_values": []}, "reading"),
        ({"min_count": 2}, "fields"),
        ({"split": "position"}, "split"),
        ({"scaling": {"price": "quantiles"}}, "scaling"),
        ({"scaling": "buckets"}, "fields, scaling"),
    ],
)
def test_other_arguments_are_refused(tmp_path, log, options, difference):
    prepare_click_log(log, name="log", data_dir=tmp_path)
    message = (
        rf"^{tmp_path}/log/1\.0\.0 holds a prepared set that differs in: {difference}; "
        rf"give another name, or remove the folder$"
    )
    with pytest.raises(ValueError, match=message):
        prepare_click_log(log, name="log", data_dir=tmp_path, **options)


def test_what_files_hold_counts_and_not_their_names(tmp_path, log):
    prepare_click_log(log, name="log", data_dir=tmp_path)
    copy = tmp_path / "copy.csv"
    shutil.copy(log, copy)
    prepare_click_log(copy, name="log", data_dir=tmp_path)
    content, times = copy.read_bytes(), (log.stat().st_atime_ns, log.stat().st_mtime_ns)
    for changed in (
        content + b"1,1,a,true,2.5\r\n",
        content.replace(b"\n1,", b"\n2,").replace(b"\n0,", b"\n1,").replace(b"\n2,", b"\n0,"),
    ):
        log.write_bytes(changed)
        os.utime(log, ns=times)
        with pytest.raises(ValueError, match="differs in: files; give another name"):
            prepare_click_log(log, name="log", data_dir=tmp_path)
    with pytest.raises(ValueError, match="differs in: files; give another name"):
        prepare_click_log([copy, copy], name="log", data_dir=tmp_path)


@pytest.mark.parametrize("form", ["csv", "csv.gz", "parquet"])
def test_a_log_that_changes_between_the_passes_is_refused(tmp_path, monkeypatch, form):
    path = write(tmp_path, form, log_rows())
    others = [{**row, "click": str(1 - int(row["click"]))} for row in log_rows()]
    encode = LocalRunner.encode

    def rewrite_and_encode(*arguments):
        write(tmp_path, form, others)
        encode(*arguments)

    monkeypatch.setattr(LocalRunner, "encode", rewrite_and_encode)
    with pytest.raises(ValueError, match=r"log\..*: the file has changed while it was read; start"):
        prepare_click_log(path, name="log", data_dir=tmp_path / "prepared")
    assert_nothing_finished(tmp_path / "prepared")


@pytest.mark.parametrize("form", ["csv", "parquet"])
def test_a_cluster_can_read_it(tmp_path, monkeypatch, form):
    """What is sent to a worker is pickled: the builder and the chunks."""
    prepare = mock.Mock()
    monkeypatch.setattr(click_log, "prepare", prepare)
    monkeypatch.setattr(click_log.OwnLogBuilder, "check_origin", lambda _: None)
    path = write(tmp_path, form, log_rows())
    prepare_click_log(path, name="log", data_dir=tmp_path)
    (builder,) = prepare.call_args.args
    builder._runner = LocalRunner()
    chunks = builder._chunks(None)
    copy, copied_chunks = pickle.loads(pickle.dumps((builder, list(chunks))))
    assert copy.info.full_name == "log/1.0.0"
    for chunk, copied in zip(chunks, copied_chunks, strict=True):
        rows, copied_rows = builder._read_chunk(chunk), copy._read_chunk(copied)
        assert copied_rows.values.equals(rows.values)
        np.testing.assert_array_equal(copied_rows.splits, rows.splits)


def test_names_and_folders_are_no_patterns(tmp_path, log):
    data_dir = tmp_path / "sets [1]*"
    data = prepare_click_log(log, name="log", data_dir=data_dir)
    opened = prepared_dataset("log", data_dir)
    assert opened.name == data.name
    opened.check("train")
    for name in ("*", "l?g", "", ".", ".."):
        with pytest.raises(ValueError, match="there is no data set"):
            prepared_dataset(name, data_dir)
    leftover = data_dir / "log/incomplete.ABC_1.0.0"
    (data_dir / "log/1.0.0").rename(leftover)
    prepare_click_log(log, name="log", data_dir=data_dir)
    assert not leftover.exists()


def test_the_folder_may_be_in_the_home_folder(tmp_path, log, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    data = prepare_click_log(log, name="log", data_dir="~/sets")
    assert (tmp_path / "sets/log/1.0.0").exists() and not (tmp_path / "~").exists()
    assert prepared_dataset("log", "~/sets").statistics == data.statistics


def test_one_word_for_a_missing_value(tmp_path):
    rows = [{"y": str(row % 2), "sure": ("Y", "N", "NA")[row % 3]} for row in range(90)]
    (tmp_path / "log.csv").write_bytes(csv_text(rows))
    data = prepare_click_log(tmp_path / "log.csv", name="log", data_dir=tmp_path, null_values="NA")
    assert set(data.vocabularies["sure"]) == {"", "true", "false"}


def test_a_dry_run_only_prints(tmp_path, log, capsys):
    data_dir = tmp_path / "prepared"
    options = {"name": "log", "data_dir": data_dir, "exclude": "paid"}
    assert prepare_click_log(log, **options, dry_run=True) is None
    printed = capsys.readouterr().out
    assert not data_dir.exists()
    prepare_click_log(log, **options)
    said = capsys.readouterr()
    assert printed in said.err and said.out == ""
    assert printed in (data_dir / "log/1.0.0/columns.md").read_text()
    prepare_click_log(log, **options)
    assert capsys.readouterr().err == ""


def test_a_log_as_pandas_writes_it(tmp_path):
    """Ids with gaps, a null word, a date, yes and no: read, and encoded, as what they mean."""
    rows = [
        {
            "bought": ["no", "Yes"][row % 3 == 0],
            "user": f"{row % 7}.0" if row % 5 else "",
            "price": f"{1.5 * (row % 9)}" if row % 4 else "NA",
            "day": f"2024-01-{1 + row % 14:02}",
            "id": f"{row}",
        }
        for row in range(140)
    ]
    (tmp_path / "log.csv").write_bytes(csv_text(rows))
    with pytest.warns(UserWarning, match="left out: 'id'"):
        data = prepare_click_log(
            tmp_path / "log.csv", name="log", data_dir=tmp_path, label="bought"
        )
    assert data.schema.field_names == ("user", "day_weekday", "price")
    assert sum(split["positives"] for split in data.statistics["splits"].values()) == 47
    assert sorted(data.vocabularies["user"]) == ["", *map(str, range(7))]
    assert len(data.vocabularies["day_weekday"]) == 7
    records = {
        "user": [3, 3.0, "3", "3.0"],
        "day": ["2024-01-01"] * 4,
        "price": ["?", "", "12", 12],
    }
    table = pa.table({"user": [3.0, None], "day": ["2024-01-01"] * 2, "price": [None, 12.0]})
    texts = data.encode({name: list(map(str, values)) for name, values in records.items()})
    assert len(set(texts["categorical"][:, 0])) == 1
    assert np.isnan(texts["numerical"][:, 0]).tolist() == [True, True, False, False]
    decoded = data.decode(data.encode(table)).tolist()
    assert decoded == [["3", "Monday", "(missing)"], ["(missing)", "Monday", "12"]]
    with pytest.raises(ValueError, match=r"^field 'day', row 1: 'soon'; expected a date as 2024"):
        data.encode({"user": ["1"] * 2, "day": ["2024-01-01", "soon"], "price": [1, 2]})


def test_other_encodings(tmp_path):
    rows = [{"y": str(row % 2), "città": ["Zürich", "Genève"][row % 3 == 0]} for row in range(90)]
    (tmp_path / "log.csv").write_bytes(csv_text(rows).decode().encode("latin-1"))
    options = {"name": "log", "data_dir": tmp_path}
    with pytest.raises(ValueError, match=r"log.csv:1: the header is not in UTF-8; give encoding="):
        prepare_click_log(tmp_path / "log.csv", **options)
    for wrong in ("utf-16", "latin-one"):
        with pytest.raises(ValueError, match=rf"^encoding is '{wrong}'; only encodings that cont"):
            prepare_click_log(tmp_path / "log.csv", encoding=wrong, **options)
    data = prepare_click_log(tmp_path / "log.csv", encoding="latin-1", **options)
    assert data.vocabularies == {"città": ["Zürich", "Genève"]}
    prepare_click_log(tmp_path / "log.csv", encoding="iso-8859-1", **options)  # the same
    with pytest.raises(ValueError, match=r"holds a prepared set that differs in: encoding"):
        prepare_click_log(tmp_path / "log.csv", encoding="cp1252", **options)
    (tmp_path / "log.csv").write_bytes(b"y,x\n1,a\n0,\x81\n" + b"1,b\n" * 90)
    with pytest.raises(ValueError, match=r"log.csv:3: the line is not in cp1252"):
        prepare_click_log(tmp_path / "log.csv", name="x", data_dir=tmp_path, encoding="cp1252")


@pytest.mark.parametrize("split", ["random", "position"])
def test_a_set_of_an_earlier_version_is_the_same(tmp_path, log, split):
    """It has no reading and no labels' values, which could not be chosen."""
    prepare_click_log(log, name="log", data_dir=tmp_path, split=split)
    path = tmp_path / "log/1.0.0/metadata.json"
    metadata = json.loads(path.read_text())
    del metadata["reading"], metadata["parts"], metadata["made_from"]["label_values"]
    del metadata["made_from"]["split"]
    metadata["made_from"]["chronological"] = split == "position"
    path.write_text(json.dumps(metadata))
    data = prepare_click_log(log, name="log", data_dir=tmp_path, split=split)
    assert data.encode({"user": ["001"], "city": [""], "paid": ["true"], "price": ["1"]})
    with pytest.raises(ValueError, match="differs in: fields; give"):
        prepare_click_log(log, name="log", data_dir=tmp_path, split=split, exclude=["paid"])
    with pytest.raises(ValueError, match="differs in: split; give"):
        prepare_click_log(log, name="log", data_dir=tmp_path, split="group:user")
    with open(log, "ab") as file:
        file.write(b"1,1,a,true,2.5\r\n")
    with pytest.raises(ValueError, match="differs in: files; give"):
        prepare_click_log(log, name="log", data_dir=tmp_path, split=split)


def test_public_name():
    assert "prepare_click_log" in interhat_tf.__all__
    with pytest.raises(AttributeError, match="has no attribute 'prepare_log'"):
        _ = interhat_tf.prepare_log


@pytest.mark.slow
def test_from_log_to_explanation(tmp_path):
    """The column that the clicks follow from has the highest attention."""
    random = np.random.default_rng(0)
    names = ["user", "app", "place", "hour"]
    values = random.integers(6, size=(8000, len(names)))
    clicks = random.random(8000) < np.where(values[:, 1] < 3, 0.95, 0.05)
    rows = [
        {
            "click": int(click),
            **{name: f"{name}{value}" for name, value in zip(names, row, strict=True)},
            "price": f"{price:.3f}",
        }
        for click, row, price in zip(clicks, values, random.random(8000), strict=True)
    ]
    (tmp_path / "log.csv").write_bytes(csv_text(rows))

    data = prepare_click_log(tmp_path / "log.csv", name="log", data_dir=tmp_path)
    keras.utils.set_random_seed(0)
    model = InterHAt.from_preset("tuned", data.schema, rows=data.num_rows("train"))
    settings = TrainingSettings(learning_rate=5e-3, batch_size=64, max_epochs=1)
    report = train(model, data, tmp_path / "run", settings)
    assert report["test"]["auc"] > 0.8

    records = {name: [row[name] for row in rows[:500]] for name in [*names, "price"]}
    explanation = model.explain(data.encode(records))
    orders = np.asarray(explanation["order_weights"])[:, :, None]  # (B, k, 1)
    weights = (orders * np.asarray(explanation["field_weights"])).sum(axis=1).mean(axis=0)
    assert model.schema.field_names[weights.argmax()] == "app"
    assert weights.max() > 1.5 / len(weights)  # half as much again as the uniform weight


def test_crosses(tmp_path, log):
    def crosses_of(data):
        return [cross.fields for cross in data.schema.crosses]

    options = {"name": "crossed", "data_dir": tmp_path / "prepared"}
    data = prepare_click_log(log, crosses=[("city", "user")], **options)
    assert crosses_of(data) == [("city", "user")]
    # They are no part of the prepared set.
    assert crosses_of(prepare_click_log(log, **options)) == []
    opened = prepared_dataset("crossed", tmp_path / "prepared", crosses=[("user", "city")])
    assert crosses_of(opened) == [("user", "city")]
    with pytest.raises(ValueError, match="no field 'shop'"):
        prepare_click_log(log, crosses=[("city", "shop")], **options)


def test_an_index_without_a_name_is_left_out_with_a_warning(tmp_path):
    rows = "".join(f"{row},{row % 2},{'ab'[row % 3 == 0]}\n" for row in range(60))
    (tmp_path / "log.csv").write_text(",click,app\n" + rows)
    with pytest.warns(UserWarning, match=r"left out: '' \(no name\)"):
        data = prepare_click_log(tmp_path / "log.csv", name="indexed", data_dir=tmp_path)
    assert data.schema.field_names == ("app",)


def test_a_dry_run_tells_a_label_of_other_values(tmp_path, capsys):
    rows = "".join(f"{row % 4},{'ab'[row % 3 == 0]}\n" for row in range(60))
    (tmp_path / "log.csv").write_text("click,app\n" + rows)
    prepare_click_log(tmp_path / "log.csv", name="counts", data_dir=tmp_path, dry_run=True)
    said = "'1' is a click, '0' none; reading stops at '2', '3'"
    assert said in capsys.readouterr().out
