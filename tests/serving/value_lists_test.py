"""Exported models that take several values of a field."""

import keras
import numpy as np
import onnxruntime
import pyarrow as pa
import pytest
import tensorflow as tf

from interhat_tf import InterHAt, prepare_click_log
from interhat_tf.serving import export_onnx, export_saved_model

GENRES = np.array(["Comedy", "Drama", "Sci-Fi", "War"])
RECORDS = {
    "user": ["u1", "u2", "new", "u3"],
    "genres": [["War", "Comedy"], [], ["Western", "Drama", "War", "Sci-Fi"], ["", "War"]],
    "tags": [[3], [4, 99, 5], [6, 1, 2, 3, 4, 5, 7], []],
}


@pytest.fixture(scope="module", params=[None, {"tags": 5}])
def data(tmp_path_factory, request):
    rng = np.random.default_rng(0)
    log = {
        "click": rng.integers(0, 2, 300),
        "user": [f"u{i}" for i in rng.integers(0, 9, 300)],
        "genres": [rng.permutation(GENRES)[: rng.integers(0, 4)].tolist() for _ in range(300)],
        "tags": [rng.integers(0, 20, rng.integers(1, 6)).tolist() for _ in range(300)],
    }
    folder = tmp_path_factory.mktemp("prepared")
    return prepare_click_log(pa.table(log), name="movies", data_dir=folder, hash_size=request.param)


@pytest.fixture
def model(data):
    embeddings = keras.initializers.RandomNormal(stddev=0.5, seed=1)
    return InterHAt(data.schema, order=2, embeddings_initializer=embeddings)


def expected(model, data):
    inputs = data.encode(RECORDS, max_unknown=1.0)
    found = model.explain(inputs)
    unknown = np.mean(
        [
            inputs["categorical"][:, 0] == 0,
            *(
                (ids == 0).sum(axis=1) / (ids >= 0).sum(axis=1)
                for ids in (inputs["multivalued"][:, :3], inputs["multivalued"][:, 3:])
            ),
        ],
        axis=0,
    )
    weights = {k: found[k] for k in ("order_weights", "field_weights", "value_weights")}
    return {"probability": tf.sigmoid(found["logits"]), "unknown_share": unknown, **weights}


def padded():
    """The records' columns, lists in front of the empty text."""
    columns = {"user": np.array(RECORDS["user"], object)}
    for name in ("genres", "tags"):
        lists = [[str(value) for value in row] for row in RECORDS[name]]
        width = max(map(len, lists)) + 1
        columns[name] = np.array([row + [""] * (width - len(row)) for row in lists], object)
    return columns


def assert_near(outputs, others):
    assert set(outputs) == set(others)
    for name, values in others.items():
        np.testing.assert_allclose(outputs[name], values, rtol=0, atol=1e-5, err_msg=name)


def test_a_saved_model_takes_lists_of_texts(tmp_path, model, data):
    export_saved_model(model, tmp_path / "served", data)
    serve = tf.saved_model.load(str(tmp_path / "served")).signatures["serving_default"]
    found = serve(**{name: tf.constant(values) for name, values in padded().items()})
    assert_near(found, expected(model, data))
    description = (tmp_path / "served/assets.extra/description.json").read_text()
    assert '"value_fields": "[\\"genres\\", \\"genres\\", \\"genres\\", \\"tags\\"' in description


def test_an_onnx_file_takes_lists_of_texts(tmp_path, model, data):
    if any(field.hash_size for field in data.schema.multivalued):
        with pytest.raises(ValueError, match="the field 'tags' is hashed"):
            export_onnx(model, tmp_path / "model.onnx", data)
        return
    export_onnx(model, tmp_path / "model.onnx", data)
    session = onnxruntime.InferenceSession(tmp_path / "model.onnx")
    names = [output.name for output in session.get_outputs()]
    assert_near(dict(zip(names, session.run(None, padded()), strict=True)), expected(model, data))


def test_without_a_set_they_take_ids(tmp_path, model, data):
    inputs = data.encode(RECORDS, max_unknown=1.0)
    export_saved_model(model, tmp_path / "served")
    serve = tf.saved_model.load(str(tmp_path / "served")).signatures["serving_default"]
    columns = {"user": inputs["categorical"][:, 0]}
    columns["genres"] = np.pad(inputs["multivalued"][:, :3], ((0, 0), (1, 0)), constant_values=-1)
    columns["tags"] = inputs["multivalued"][:, 3:].copy()
    wanted = expected(model, data)
    assert_near(serve(**{k: tf.constant(v, tf.int32) for k, v in columns.items()}), wanted)
    export_onnx(model, tmp_path / "model.onnx")
    session = onnxruntime.InferenceSession(tmp_path / "model.onnx")
    names = [output.name for output in session.get_outputs()]
    assert_near(dict(zip(names, session.run(None, inputs), strict=True)), wanted)
    beyond = {**inputs, "multivalued": inputs["multivalued"].copy()}
    beyond["multivalued"][0, :3], beyond["multivalued"][1, :3] = [99, -7, -1], [0, 0, -1]
    beyond["categorical"][:2], beyond["multivalued"][1, 3:] = 1, beyond["multivalued"][0, 3:]
    found = session.run(None, beyond)[names.index("probability")]
    assert found[0] == pytest.approx(found[1], abs=1e-6)
