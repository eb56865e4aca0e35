"""Exported models that take a history."""

import keras
import numpy as np
import onnxruntime
import pyarrow as pa
import pytest
import tensorflow as tf

from interhat_tf import InterHAt, prepare_click_log
from interhat_tf.serving import export_onnx, export_saved_model
from tests.serving.value_lists_test import assert_near

RECORDS = {
    "movie": ["m1", "m2", "new", "m3"],
    "history": [["m3", "m1"], [], ["m0", "m1", "new", "m2", "m3", "m4"], ["", "m1"]],
    "tags": [[3], [], [1, 2, 3], [4]],
}


@pytest.fixture(scope="module", params=[None, {"movie": 7}])
def data(tmp_path_factory, request):
    rng = np.random.default_rng(0)
    log = {
        "click": rng.integers(0, 2, 300),
        "history": [[f"m{i}" for i in rng.integers(0, 9, rng.integers(0, 5))] for _ in range(300)],
        "movie": [f"m{i}" if i < 9 else None for i in rng.integers(0, 10, 300)],
        "tags": [rng.integers(0, 5, rng.integers(1, 3)).tolist() for _ in range(300)],
    }
    return prepare_click_log(
        pa.table(log),
        name="seen",
        data_dir=tmp_path_factory.mktemp("prepared"),
        sequence="history",
        shares={"history": "movie"},
        hash_size=request.param,
    )


@pytest.fixture(scope="module")
def model(data):
    embeddings = keras.initializers.RandomNormal(stddev=0.5, seed=1)
    return InterHAt(data.schema, order=2, embeddings_initializer=embeddings)


def expected(model, data):
    found = model.explain(data.encode(RECORDS, max_unknown=1.0))
    weights = {k: found[k] for k in ("order_weights", "field_weights", "value_weights")}
    return {"probability": tf.sigmoid(found["logits"]), **weights}


def padded():
    """The records' columns, lists in front of the empty text."""
    columns = {"movie": np.array(RECORDS["movie"], object)}
    for name in ("history", "tags"):
        lists = [[str(value) for value in row] for row in RECORDS[name]]
        width = max(map(len, lists)) + 1
        columns[name] = np.array([row + [""] * (width - len(row)) for row in lists], object)
    return columns


def assert_answers(outputs, model, data):
    wanted = expected(model, data)
    assert_near({name: outputs[name] for name in wanted}, wanted)


def test_encode_keeps_the_latest(data):
    history = data.encode(RECORDS, max_unknown=1.0)["multivalued"][
        :, data.schema.value_columns("history")
    ]
    ids = {f"m{i}": data.id_of("movie", f"m{i}") for i in range(5)}
    if not data.schema.sequences[0].hash_size:
        assert history[2].tolist() == [0, ids["m2"], ids["m3"], ids["m4"]]
    assert history[1].tolist() == [-1] * 4 and history[3].tolist() == [ids["m1"], -1, -1, -1]


def test_a_saved_model_takes_a_history(tmp_path, model, data):
    export_saved_model(model, tmp_path / "served", data)
    serve = tf.saved_model.load(str(tmp_path / "served")).signatures["serving_default"]
    found = serve(**{name: tf.constant(values) for name, values in padded().items()})
    assert_answers(found, model, data)


def test_an_onnx_file_takes_a_history(tmp_path, model, data):
    if data.schema.sequences[0].hash_size:
        with pytest.raises(ValueError, match="is hashed"):
            export_onnx(model, tmp_path / "model.onnx", data)
        return
    export_onnx(model, tmp_path / "model.onnx", data)
    session = onnxruntime.InferenceSession(tmp_path / "model.onnx")
    names = [output.name for output in session.get_outputs()]
    assert_answers(dict(zip(names, session.run(None, padded()), strict=True)), model, data)


def test_without_a_set_the_latest_ids_are_kept(tmp_path, model, data):
    inputs = data.encode(RECORDS, max_unknown=1.0)
    export_saved_model(model, tmp_path / "served")
    serve = tf.saved_model.load(str(tmp_path / "served")).signatures["serving_default"]
    lists = {
        f.name: inputs["multivalued"][:, data.schema.value_columns(f.name)]
        for f in data.schema.multivalued
    }
    # An older value in front of those that fill the columns is left out.
    full = lists["history"][:, -1:] >= 0
    lists["history"] = np.concatenate([np.where(full, 1, -1), lists["history"]], axis=1)
    columns = {"movie": inputs["categorical"][:, 0], **lists}
    found = serve(**{name: tf.constant(ids, tf.int32) for name, ids in columns.items()})
    assert_answers(found, model, data)
