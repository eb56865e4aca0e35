"""What versions from 0.2 on wrote is still read, resumed and served, with the numbers of then."""

import json
import pathlib
import shutil

import keras
import numpy as np
import onnxruntime
import pytest
import tensorflow as tf

from interhat_tf.calibration import model_probability
from interhat_tf.input_pipeline import prepared_dataset
from tests.old_files import train_on
from tests.serving.raw_log import as_served

VERSIONS = sorted(
    folder for folder in pathlib.Path(__file__).parent.glob("version_*") if "0_1" not in folder.name
)


@pytest.fixture(scope="module", params=VERSIONS, ids=lambda folder: folder.name)
def folder(request):
    return request.param


@pytest.fixture(scope="module")
def expected(folder):
    with np.load(folder / "expected.npz") as arrays:
        return dict(arrays)


@pytest.fixture(scope="module")
def records(folder):
    return json.loads((folder / "records.json").read_text())


@pytest.fixture(scope="module")
def data(folder):
    return prepared_dataset("clicks", folder)


def named(expected, start):
    return {key.removeprefix(start): v for key, v in expected.items() if key.startswith(start)}


def check(outputs, expected, tolerance):
    said = named(expected, "said_")
    assert {"probability", "effects", "order_weights", "field_weights"} <= set(outputs)
    for name, values in outputs.items():
        wanted = {**said, "probability": expected["probability"]}.get(name)
        if name == "unknown_share":
            wanted = (expected["input_categorical"] == 0).mean(axis=1)
        np.testing.assert_allclose(values, wanted, rtol=0, atol=tolerance, err_msg=name)


def test_a_prepared_set_encodes_as_it_did(data, records, expected):
    for split in ("train", "validation", "test"):
        data.check(split)
    inputs = data.encode(records, max_unknown=1.0)
    np.testing.assert_array_equal(inputs["categorical"], expected["input_categorical"])
    np.testing.assert_allclose(inputs["numerical"], expected["input_numerical"], atol=1e-6)


def test_a_saved_model_explains_as_it_did(folder, data, expected):
    model = keras.models.load_model(folder / "model.keras")
    data.check_model(model)
    explanation = model.explain(named(expected, "input_"))
    for name, values in named(expected, "said_").items():
        np.testing.assert_allclose(explanation[name], values, atol=1e-5, err_msg=name)
    probability = model_probability(model, explanation["logits"])
    np.testing.assert_allclose(probability, expected["probability"], atol=1e-6)


def test_an_onnx_file_answers_as_it_did(folder, records, expected):
    session = onnxruntime.InferenceSession(folder / "model.onnx")
    names = [output.name for output in session.get_outputs()]
    answer = session.run(None, as_served(records))
    check(dict(zip(names, answer, strict=True)), expected, 1e-5)
    assert session.get_modelmeta().custom_metadata_map["format"] == "1"


def test_a_folder_of_tensorflow_answers_as_it_did(folder, records, expected):
    said = json.loads((folder / "saved_model/assets.extra/description.json").read_text())
    columns = as_served(records)
    given = {said["names"][name]: tf.constant(values) for name, values in columns.items()}
    signatures = tf.saved_model.load(str(folder / "saved_model")).signatures
    check(signatures["serving_default"](**given), expected, 1e-5)
    probability = signatures["predict"](**given)["probability"]
    np.testing.assert_allclose(probability, expected["probability"], atol=1e-5)


def resume(folder, data, name, tmp_path, monkeypatch):
    monkeypatch.setenv("TF_NUM_INTRAOP_THREADS", "1")  # as it was written; sums are compared so
    run = shutil.copytree(folder / name, tmp_path / name)
    return train_on(data, run, seed=1, resume=True)


def test_a_finished_run_gives_its_report_and_weights(folder, data, expected, tmp_path, monkeypatch):
    model, report = resume(folder, data, "finished", tmp_path, monkeypatch)
    assert report == json.loads((folder / "finished/report.json").read_text())
    for i, weight in enumerate(model.get_weights()):
        np.testing.assert_array_equal(weight, expected[f"weight_{i}"])


@pytest.mark.slow
def test_a_stopped_run_goes_on_to_the_same_end(folder, data, expected, tmp_path, monkeypatch):
    model, report = resume(folder, data, "stopped", tmp_path, monkeypatch)
    old = json.loads((folder / "finished/report.json").read_text())
    assert report["history"][:2] == old["history"][:2]  # read from the folder
    # Another processor adds up in another order.
    assert report["test"]["logloss"] == pytest.approx(old["test"]["logloss"], abs=1e-3)
    for i, weight in enumerate(model.get_weights()):
        np.testing.assert_allclose(weight, expected[f"weight_{i}"], rtol=1e-3, atol=1e-4)
