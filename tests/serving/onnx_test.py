"""Tests of the exported ONNX file."""

import os
import sys

import keras
import numpy as np
import onnxruntime
import pytest

from interhat_tf import CrossedField, Field, InterHAt, Schema
from interhat_tf.models import LR
from interhat_tf.serving import export_onnx
from tests.conftest import random_batch
from tests.models.held_effects import with_effects
from tests.serving.served import OUTPUTS, assert_same, chosen, expected, make_model, with_unknown


def run_onnx(path, batch):
    session = onnxruntime.InferenceSession(path)
    names = [output.name for output in session.get_outputs()]
    inputs = {"categorical": batch["categorical"].astype("int32")}
    inputs |= {kind: array.astype("float32") for kind, array in batch.items() if kind not in inputs}
    return dict(zip(names, session.run(None, inputs), strict=True))


@pytest.mark.parametrize(
    "arguments",
    [{}, {"value_dim": 6}, {"value_dim": 6, "pair_values": True}],
    ids=["plain", "values", "pairs"],
)
@pytest.mark.parametrize("preset", ["released", "paper"])
def test_onnx_gives_the_models_own_explanation(schema, tmp_path, rng, preset, arguments):
    keras.utils.set_random_seed(0)
    model = InterHAt.from_preset(preset, schema, embedding_dim=4, num_heads=2, order=3, **arguments)
    export_onnx(model, tmp_path / "model.onnx")
    for rows in (1, 50):
        batch = random_batch(schema, rng, rows)
        assert_same(run_onnx(tmp_path / "model.onnx", batch), expected(model, batch))


def test_onnx_takes_missing_numbers(tmp_path, rng):
    schema = Schema(
        [Field("app", "categorical", 4), Field("price", "numerical", may_be_missing=True)]
    )
    model, batch = make_model(schema), random_batch(schema, rng)
    batch["numerical"][::3] = np.nan
    export_onnx(model, tmp_path / "model.onnx")
    outputs = run_onnx(tmp_path / "model.onnx", batch)
    assert np.isfinite(outputs["probability"]).all()
    assert_same(outputs, expected(model, batch))


def test_onnx_of_effects(schema, tmp_path, rng):
    batch = random_batch(schema, rng)
    model = with_effects(make_model(schema), num_pairs=6)
    export_onnx(model, tmp_path / "model.onnx")
    reasons = (*OUTPUTS[1:], "effects", "pair_effects")
    expected = with_unknown(chosen(model.explain(batch), reasons), batch)
    assert_same(run_onnx(tmp_path / "model.onnx", batch), expected, tolerance=1e-5)
    other = with_effects(LR(schema))
    export_onnx(other, tmp_path / "other.onnx")
    expected = with_unknown(chosen(other.explain_effects(batch), ["effects"]), batch)
    assert_same(run_onnx(tmp_path / "other.onnx", batch), expected, tolerance=1e-5)


def test_onnx_of_the_probability_alone_and_of_any_model(schema, tmp_path, rng):
    batch = random_batch(schema, rng)
    model = LR(schema)
    export_onnx(model, tmp_path / "model.onnx", explain=False)
    outputs = run_onnx(tmp_path / "model.onnx", batch)
    assert list(outputs) == ["probability"]
    expected = 1 / (1 + np.exp(-np.asarray(model(batch))[:, 0]))
    np.testing.assert_allclose(outputs["probability"], expected, atol=1e-6)
    with pytest.raises(FileExistsError, match=r"exists; choose another file"):
        export_onnx(model, tmp_path / "model.onnx", explain=False)
    assert os.listdir(tmp_path) == ["model.onnx"]


def test_ids_out_of_range_are_id_0(schema, tmp_path, rng):
    batch = random_batch(schema, rng, 6)
    model = LR(schema)
    export_onnx(model, tmp_path / "model.onnx", explain=False)
    batch["categorical"][:, 1] = 0
    expected = run_onnx(tmp_path / "model.onnx", batch)["probability"]
    batch["categorical"][:, 1] = [-1, 4, 5, 2**31 - 1, -(2**31), 0]
    np.testing.assert_array_equal(run_onnx(tmp_path / "model.onnx", batch)["probability"], expected)


def test_onnx_without_its_package(schema, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "tf2onnx", None)
    with pytest.raises(ImportError, match=r"pip install 'interhat_tf\[onnx\]'"):
        export_onnx(LR(schema), tmp_path / "model.onnx", explain=False)
    assert not os.listdir(tmp_path)


@pytest.mark.parametrize("how", ["combinations", "hash_size", "click counts"])
def test_onnx_of_crosses(schema, tmp_path, rng, how):
    known = [[app, site] for app in (1, 4, 6) for site in (1, 3)]
    arguments = {
        "combinations": {"combinations": known},
        "hash_size": {"hash_size": 5},
        "click counts": {"combinations": known, "counts": rng.integers(0, 9, (6, 6, 2))},
    }
    cross = CrossedField(("app", "site"), **arguments[how])
    model = LR(schema.with_crosses([cross]))
    model.set_weights([rng.normal(size=weight.shape) for weight in model.weights])
    export_onnx(model, tmp_path / "model.onnx", explain=False)
    batch = random_batch(schema, rng, 99)
    expected = 1 / (1 + np.exp(-np.asarray(model(batch))[:, 0]))
    found = run_onnx(tmp_path / "model.onnx", batch)["probability"]
    np.testing.assert_allclose(found, expected, atol=1e-6)
