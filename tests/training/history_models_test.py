"""DIN and DIEN from a prepared set to exported files."""

import keras
import numpy as np
import onnxruntime
import pyarrow as pa
import pytest
import tensorflow as tf

from interhat_tf.explanation import fit_effects
from interhat_tf.explanation.attributions import occlusion, value_effects
from interhat_tf.explanation.selection import first_records
from interhat_tf.input_pipeline.dataset import PreparedDataset
from interhat_tf.models import DIEN, DIN
from interhat_tf.preprocessing.fields import Categorical, Sequential
from interhat_tf.preprocessing.rows import Rows
from interhat_tf.serving import export_onnx, export_saved_model
from tests.models.held_effects import with_effects
from tests.preprocessing.logs import LogBuilder
from tests.training.runs import (
    assert_equal_weights,
    load,
    run,
    run_leaving_copies,
    what_must_be_equal,
)

MOVIES, LENGTH = 12, 4
MODELS = {"din": DIN, "dien": DIEN}
BOTH = pytest.mark.parametrize("name", MODELS)


class HistoryBuilder(LogBuilder, skip_registration=True):
    """A log that is clicked where the movie is in the user's history."""

    rows = chunk_rows = 4_000

    @property
    def fields(self):
        return [Categorical("user"), Categorical("movie"), Sequential("history", shares="movie")]

    def _read_chunk(self, chunk):
        rng = np.random.default_rng(0)
        users, movies = rng.integers(0, (9, MOVIES), (chunk.rows, 2)).T
        lengths = rng.integers(0, LENGTH + 1, chunk.rows)
        seen = [rng.choice(MOVIES, length, replace=False) for length in lengths]
        columns = {
            "user": [f"u{user}" for user in users],
            "movie": [f"m{movie}" for movie in movies],
            "history": pa.array([[f"m{movie}" for movie in row] for row in seen]),
        }
        labels = [movie in row for movie, row in zip(movies, seen, strict=True)]
        splits = np.searchsorted([0.8, 0.9], np.arange(chunk.rows) / chunk.rows, side="right")
        return Rows(
            pa.table(columns),
            np.array(labels, np.uint8),
            splits.astype(np.int8),
            "log.csv",
            first_line=1,
            first_row=0,
        )


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    builder = HistoryBuilder(data_dir=tmp_path_factory.mktemp("prepared"))
    builder.download_and_prepare()
    return PreparedDataset(builder)


def make(name, data, **arguments):
    keras.utils.set_random_seed(0)
    return MODELS[name](data.schema, embedding_dim=8, mlp_units=(8,), dropout=0.1, **arguments)


@BOTH
def test_training_learns_what_is_in_the_history(name, data, tmp_path):
    settings = {"max_epochs": 6, "learning_rate": 0.02, "ema_momentum": 0.9}
    report = run(data, tmp_path / "run", make(name, data, embedding_l2=1e-6), **settings)
    assert report["test"]["auc"] > 0.97
    model = load(tmp_path / "run")
    inputs = first_records(data, "test", 40)
    assert np.std(model.predict(inputs, verbose=0)) > 0.5


@pytest.mark.slow
@BOTH
def test_a_run_that_was_killed_ends_with_the_same_weights(name, data, tmp_path, monkeypatch):
    """What DIEN draws goes on where it was."""
    settings = {"max_epochs": 2, "batch_size": 200, "ema_momentum": 0.9}
    folder, copies, model = tmp_path / "unbroken", tmp_path / "copies", make(name, data)
    unbroken = run_leaving_copies(monkeypatch, data, folder, copies, model=model, **settings)
    for at in (1, 5):
        resumed = run(data, copies / str(at), make(name, data), resume=True, **settings)
        assert what_must_be_equal(resumed) == what_must_be_equal(unbroken)
        assert_equal_weights(load(copies / str(at)), load(folder))


@pytest.mark.slow
@BOTH
@pytest.mark.parametrize(("dtype", "jit_compile"), [("mixed_bfloat16", False), (None, True)])
def test_trains_in_half_precision_and_by_xla(name, dtype, jit_compile, data, tmp_path):
    model = make(name, data, dtype=dtype)
    report = run(data, tmp_path / "run", model, max_epochs=2, jit_compile=jit_compile)
    assert report["test"]["auc"] > 0.6


@BOTH
def test_explains_as_other_models(name, data):
    model, inputs = make(name, data), first_records(data, "test", 30)
    background = first_records(data, "train", 5)
    of_fields = occlusion(model, inputs, background)
    assert of_fields.shape == (30, 3) and of_fields.any(axis=0).all()
    effects = value_effects(model, inputs)
    assert effects.shape == inputs["multivalued"].shape
    present = inputs["multivalued"] >= 0
    assert effects[present].any() and not effects[~present].any()
    assert set(fit_effects(model, data, epochs=1)) >= {"r2"}
    assert model.explain_effects(inputs)["effects"].shape == (30, 3)


@BOTH
def test_a_saved_model_predicts_the_same(name, data, tmp_path):
    model = make(name, data)
    export_saved_model(with_effects(model), tmp_path / "saved")
    served = tf.saved_model.load(tmp_path / "saved").signatures["predict"]
    inputs = first_records(data, "test", 20)
    found = served(
        user=tf.constant(inputs["categorical"][:, 0]),
        movie=tf.constant(inputs["categorical"][:, 1]),
        history=tf.constant(inputs["multivalued"]),
    )
    expected = tf.sigmoid(model(inputs))[:, 0]
    np.testing.assert_allclose(found["probability"], expected, rtol=1e-4)


@BOTH
def test_an_onnx_file_predicts_the_same(name, data, tmp_path):
    model = make(name, data)
    export_onnx(model, tmp_path / "model.onnx", explain=False)
    session = onnxruntime.InferenceSession(tmp_path / "model.onnx")
    for rows in (20, 3):
        inputs = {k: v.astype("int32") for k, v in first_records(data, "test", rows).items()}
        (found,) = session.run(["probability"], inputs)
        np.testing.assert_allclose(found, tf.sigmoid(model(inputs))[:, 0], rtol=1e-4, atol=1e-6)
