"""Tests of fields whose values share ids by a hash of their text."""

import keras
import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
import tensorflow as tf

import interhat
from interhat_tf import InterHAt, explain_records, prepare_click_log, prepared_dataset, score
from interhat_tf.serving import export_onnx, export_saved_model
from interhat_tf.training import load_vectors
from interhat_tf.utils.hashing import hash_names
from tests.input_pipeline.growing_logs import write_day
from tests.training.runs import make_model

SIZE = 9
ROWS = {"user": ["u3", None, "somebody new", "u3"], "app": ["maps"] * 4, "price": [0.5] * 4}


@pytest.fixture(scope="module")
def log(tmp_path_factory):
    """A day's log, one of whose 12 users is missing in some rows."""
    path = write_day(tmp_path_factory.mktemp("log") / "log", 1)
    path.write_text(path.read_text().replace(",u5,", ",,"))
    return path


@pytest.fixture(scope="module")
def data(log):
    return prepare_click_log(log, name="day1", data_dir=log.parent, hash_size={"user": SIZE})


@pytest.fixture(scope="module")
def model(data):
    return make_model(data.schema)


def names(users):
    """The names of users, as TensorFlow's documentation has the hash."""
    numbers = tf.strings.to_hash_bucket_fast(users, SIZE).numpy()
    return [f"hash {number}" if user else "" for user, number in zip(users, numbers, strict=True)]


def test_users_share_the_ids_of_their_hashes(data, log):
    users = pd.read_csv(log, dtype=str, keep_default_na=False)["user"].unique().tolist()
    assert set(data.vocabularies["user"]) == set(names(users))
    assert len(data.vocabularies["user"]) < len(users)
    assert data.schema.categorical[0].vocabulary_size == len(data.vocabularies["user"]) + 1
    inputs = data.encode({"user": users, "app": ["mail"] * 12, "price": [0.1] * 12})
    expected = [data.vocabularies["user"].index(name) + 1 for name in names(users)]
    assert inputs["categorical"][:, 0].tolist() == expected
    assert [data.id_of("user", user) for user in users] == expected


def test_a_hash_without_a_training_row_is_unknown(data):
    many = [f"v{number}" for number in range(200)]
    inputs = data.encode({"user": many, "app": ["mail"] * 200, "price": [0.1] * 200})
    known = np.isin(names(many), data.vocabularies["user"])
    assert known.any() and not known.all()
    np.testing.assert_array_equal(inputs["categorical"][:, 0] > 0, known)


def test_tables_and_parquet_have_the_same_ids(data, log, tmp_path):
    table = pd.read_csv(log)
    with_types = pa.table({**table, "user": pa.array(table["user"]).dictionary_encode()})
    options = {"data_dir": tmp_path, "hash_size": {"user": SIZE}}
    for name, rows in (("pandas", table), ("arrow", with_types)):
        again = prepare_click_log(rows, name=name, **options)
        assert again.vocabularies == data.vocabularies
        assert again.digests["records"] == data.digests["records"]


def test_a_column_of_one_value_a_row_can_be_hashed(log, tmp_path, capsys):
    table = pd.read_csv(log).assign(visit=[f"visit {row}" for row in range(400)])
    prepare_click_log(table, name="x", data_dir=tmp_path, dry_run=True, hash_size={"visit": 50})
    line = next(x for x in capsys.readouterr().out.splitlines() if x.startswith("| visit"))
    cells = [cell.strip() for cell in line.split("|")[1:-1]]
    assert cells == ["visit", "categorical", "400", "0.0%", "", "visit 0", "hashed into 50"]


def test_an_exported_model_takes_the_raw_text(data, model, tmp_path):
    export_saved_model(model, tmp_path / "exported", data)
    found = served(tmp_path / "exported", ["u3", "", "somebody new", "u3"])
    expected = keras.ops.sigmoid(model(data.encode(ROWS)))[:, 0]
    np.testing.assert_allclose(found, expected, atol=1e-6)
    assert len(set(np.round(expected, 6))) > 1
    with pytest.raises(ValueError, match="the field 'user' is hashed, for which ONNX has no op"):
        export_onnx(model, tmp_path / "model.onnx", data)


def test_an_exported_model_reads_whole_numbers_as_the_log_was_read(log, tmp_path):
    table = pd.read_csv(log)
    table["user"] = table["user"].str[1:].astype(float)  # ids with gaps are 17.0
    data = prepare_click_log(table, name="whole", data_dir=tmp_path, hash_size={"user": 97})
    model = make_model(data.schema)
    export_saved_model(model, tmp_path / "exported", data)
    users = ["3", "3.0", "NA", "", "8"]
    assert len({data.id_of("user", user) for user in ("3", "", "8")}) == 3
    records = {"user": users, "app": ["maps"] * 5, "price": [0.5] * 5}
    expected = keras.ops.sigmoid(model(data.encode(records)))[:, 0]
    np.testing.assert_allclose(served(tmp_path / "exported", users), expected, atol=1e-6)


def served(path, users):
    """What an exported model predicts for users."""
    predict = tf.saved_model.load(str(path)).signatures["predict"]
    apps, prices = tf.constant(["maps"] * len(users)), np.full(len(users), 0.5)
    return predict(user=tf.constant(users), app=apps, price=tf.constant(prices))["probability"]


def test_explanations_show_the_records_own_value(data, model):
    inputs = data.encode(ROWS)
    plain = data.decode(inputs)[:, 0].tolist()
    assert plain[:2] == [*names(["u3"]), "(missing)"]
    explanation = explain_records(model, inputs, data.decode(inputs, ROWS), background=inputs)
    own = ["u3", "(missing)", "somebody new", "u3"]
    assert explanation.values[:, 0].tolist() == own
    note = "Hashed, so that the model takes several values for one: user."
    for said in (explanation[[0]].hashed_note(), explanation._repr_html_()):
        assert note in said
    assert explanation.to_dict()["hashed"] == ["user"]
    unhashed = InterHAt(data.schema.from_dict(str_schema(data.schema)))
    assert explain_records(unhashed, inputs).hashed_note() == ""


def str_schema(schema):
    """What the schema would be without the hash."""
    fields = [{k: v for k, v in f.to_dict().items() if k != "hash_size"} for f in schema.fields]
    return {"fields": fields}


def test_scored_rows_show_their_own_value(data, model, log, tmp_path):
    score(model, data, log, tmp_path / "scored.csv", reasons=3, background=2)
    found = pd.read_csv(tmp_path / "scored.csv", dtype=str, keep_default_na=False)
    reasons = found[["reason_1", "reason_2", "reason_3"]].to_numpy().tolist()
    for user, of_row in zip(found["user"], reasons, strict=True):
        assert (f"user = {user}" if user else "user unknown") in of_row


def test_a_hashed_field_grows(data, log, tmp_path):
    second = write_day(tmp_path / "log", 2)
    grown = prepare_click_log(second, name="day2", data_dir=tmp_path, grow=data)
    old = data.vocabularies["user"]
    assert grown.vocabularies["user"][: len(old)] == old
    assert grown.schema.categorical[0].hash_size == SIZE
    assert "hashed into 9" in (tmp_path / "day2/1.0.0/columns.md").read_text()
    with pytest.raises(ValueError, match="hash_size: with grow= this is taken from day1"):
        options = {"grow": data, "hash_size": {"user": SIZE}}
        prepare_click_log(second, name="day3", data_dir=tmp_path, **options)


def test_vectors_of_values_are_refused(data, model):
    with pytest.raises(ValueError, match="field 'user' is hashed into 9: an id stands for many"):
        load_vectors(model, data, "user", {"u3": [0.0] * 4})


def test_another_hash_is_another_set(data, log):
    for hash_size in (None, {"user": SIZE + 1}):
        with pytest.raises(ValueError, match="a prepared set that differs in: hash_size; give"):
            prepare_click_log(log, name="day1", data_dir=log.parent, hash_size=hash_size)
    assert data.schema.difference(data.schema.from_dict(str_schema(data.schema))) == (
        "field 'user' is hashed into 9, the other's not hashed"
    )


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"hash_size": {"usr": 9}}, "hash_size names 'usr', which is not a column that becomes"),
        ({"hash_size": {"user": 0}}, "hash_size of 'user' must be at least 1, got 0"),
        ({"hash_size": {"user": 2.5}}, "hash_size of 'user' must be a whole number, got 2.5"),
        (
            {"hash_size": {"price": 9}, "numerical": "price", "categorical": "user"},
            "names 'price', which is not a field of text or whole numbers; there are user",
        ),
        (
            {"hash_size": {"price": 9}, "scaling": {"price": "log"}},
            "column 'price' is named twice; a field has one kind",
        ),
    ],
)
def test_what_cannot_be_hashed(log, tmp_path, options, message):
    with pytest.raises(ValueError, match=message):
        prepare_click_log(log, name="x", data_dir=tmp_path, **options)


def test_the_command_hashes(log, tmp_path, capsys):
    command = ["prepare", f"--log={log}", "--dataset=x", f"--data_dir={tmp_path}"]
    interhat.main([*command, "--hash_size=user=9,app=2"])
    fields = prepared_dataset("x", tmp_path).schema.categorical
    assert [field.hash_size for field in fields] == [9, 2]
    with pytest.raises(SystemExit):
        interhat.main([*command, "--hash_size=user"])
    assert "--hash_size: 'user' is not COLUMN=SIZE, as in" in capsys.readouterr().err


def test_the_hash_is_the_same_for_ever():
    names_now = hash_names(tf.constant(["u17", "größe", ""]), 1000).numpy().tolist()
    assert names_now == [b"hash 908", b"hash 984", b""]
