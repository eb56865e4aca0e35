"""Tests of `interhat export`."""

import sys

import numpy as np
import onnxruntime
import pytest
import tensorflow as tf

import interhat
from interhat_tf import prepare_click_log
from interhat_tf.calibration import Calibration
from tests.click_log_example import write_click_log
from tests.serving.served import make_model


@pytest.fixture
def export(tmp_path):
    """Runs the command for a file or folder to write."""
    write_click_log(tmp_path / "clicks.csv")
    data = prepare_click_log(tmp_path / "clicks.csv", name="clicks", data_dir=tmp_path / "sets")
    model = make_model(data.schema)
    model.calibration = Calibration("platt", 90, slope=0.5)
    (tmp_path / "run").mkdir()
    model.save(tmp_path / "run/model.keras")

    def run(output):
        flags = {"dataset": "clicks", "data_dir": tmp_path / "sets", "run": tmp_path / "run"}
        flags["output"] = tmp_path / output
        interhat.main(["export", *(f"--{name}={value}" for name, value in flags.items())])

    return run


def test_both_files_give_the_same(export, tmp_path, capsys):
    export("model.onnx")
    said = f"{tmp_path}/model.onnx: takes user, app, price; calibrated by Platt scaling on 90"
    assert capsys.readouterr().out.startswith(said)
    columns = {"user": np.array(["u3", "?"], object), "app": np.array(["maps", ""], object)}
    columns["price"] = np.array([0.25, np.nan])
    session = onnxruntime.InferenceSession(tmp_path / "model.onnx")
    (found,) = session.run(["probability"], columns)
    export("served")
    predict = tf.saved_model.load(str(tmp_path / "served")).signatures["predict"]
    other = predict(**{k: tf.constant(v) for k, v in columns.items()})["probability"]
    np.testing.assert_allclose(found, other, atol=1e-6)
    assert found[0] != found[1]


def test_what_is_refused(export, monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "tf2onnx", None)
    for output, message in (
        ("model.onnx", "error: export_onnx needs tf2onnx: pip install 'interhat_tf[onnx]'"),
        ("run", "run exists; choose another folder for the exported model"),
    ):
        with pytest.raises(SystemExit):
            export(output)
        said = capsys.readouterr().err.splitlines()[-1]
        assert said.startswith("error: ") and message in said
