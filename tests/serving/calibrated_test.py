"""Tests that exported models give calibrated probabilities, and say so."""

import json

import keras
import numpy as np
import onnx
import onnxruntime
import pytest
import tensorflow as tf

from interhat_tf.calibration import Calibration
from interhat_tf.models import LR
from interhat_tf.serving import export_onnx, export_saved_model
from tests.conftest import random_batch
from tests.serving.served import make_model

PLATT = Calibration("platt", 500, slope=0.5, intercept=-2.0)
STEPS = Calibration(
    "isotonic", 500, logits=(-0.2, 0.0, 0.1, 0.4), probabilities=(0.1, 0.2, 0.2, 0.7)
)
SAID = {PLATT: "calibrated by Platt scaling", STEPS: "calibrated by isotonic regression"}


@pytest.mark.parametrize("calibration", [PLATT, STEPS], ids=["platt", "isotonic"])
def test_both_files_have_the_calibrated_probability(schema, tmp_path, rng, calibration):
    keras.utils.set_random_seed(0)
    model = make_model(schema)
    batch = random_batch(schema, rng, 200)
    model.calibration = calibration
    expected = calibration.probability(np.asarray(model(batch))[:, 0])
    assert expected.std() > 0.001

    export_onnx(model, tmp_path / "model.onnx")
    session = onnxruntime.InferenceSession(tmp_path / "model.onnx")
    inputs = {**batch, "categorical": batch["categorical"].astype("int32")}
    (found,) = session.run(["probability"], inputs)
    np.testing.assert_allclose(found, expected, atol=1e-5)
    said = {prop.key: prop.value for prop in onnx.load(tmp_path / "model.onnx").metadata_props}
    assert said["calibration"] == f"{SAID[calibration]} on 500 validation records"

    export_saved_model(model, tmp_path / "served")
    columns = dict(zip(["app", "site"], inputs["categorical"].T, strict=True))
    columns |= dict(zip(["price", "age"], batch["numerical"].T, strict=True))
    signatures = tf.saved_model.load(str(tmp_path / "served")).signatures
    for name in ("serving_default", "predict"):
        found = signatures[name](**{k: tf.constant(v) for k, v in columns.items()})
        np.testing.assert_allclose(found["probability"], expected, atol=1e-6)
    text = (tmp_path / "served/assets.extra/description.json").read_text()
    assert json.loads(text)["calibration"] == f"{SAID[calibration]} on 500 validation records"


def test_a_model_that_is_not_calibrated_says_so(schema, tmp_path):
    export_onnx(LR(schema), tmp_path / "model.onnx", explain=False)
    said = {prop.key: prop.value for prop in onnx.load(tmp_path / "model.onnx").metadata_props}
    assert said["calibration"] == "not calibrated"
