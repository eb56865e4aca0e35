"""Tests of a model that holds an effect head, whoever fitted it."""

import zipfile

import keras
import numpy as np
import pytest

from interhat_tf import Adam, CrossedField, InterHAt
from interhat_tf.calibration import Calibration
from interhat_tf.layers import FieldEmbedding
from interhat_tf.models import DNN, FM, LR, MODELS
from tests.models.held_effects import FIDELITY_OF_PAIRS, with_effects
from tests.models.registry_test import MODELS_OF_ANY
from tests.numpy_reference import randomise
from tests.training.runs import run

PAIRS = 6


@pytest.fixture(params=["interhat", "values", "fm"])
def model(request, schema):
    if request.param == "fm":
        return with_effects(randomise(FM(schema, embedding_dim=3)), PAIRS)
    values = {"value_dim": 3} if request.param == "values" else {}
    return with_effects(InterHAt(schema, embedding_dim=4, num_heads=2, **values), PAIRS)


def test_the_effects_are_the_heads(model, batch):
    found = model.explain_effects(batch)
    described = model.describe(batch)
    expected = model.effect_head(described.fields, described.summary)
    np.testing.assert_allclose(found["logits"], model(batch)[:, 0], rtol=1e-5)
    assert list(found) == ["logits", "effects", "pair_effects"]
    assert found["effects"].shape == (16, 4) and found["pair_effects"].shape == (16, PAIRS)
    for name, values in expected.items():
        np.testing.assert_allclose(found[name], values, rtol=1e-4, atol=1e-5)
    if isinstance(model, InterHAt):
        explained = model.explain(batch)
        for name, values in expected.items():
            np.testing.assert_allclose(explained[name], values, rtol=1e-4, atol=1e-5)


def test_the_head_is_no_part_of_the_model_otherwise(model, schema):
    weights, config = len(model.weights), model.get_config()
    assert not any("effect" in weight.path for weight in model.weights)
    assert model.diagnosis["effects"] == FIDELITY_OF_PAIRS
    model.drop_effects()
    assert (len(model.weights), model.get_config()) == (weights, config)
    assert model.effect_head is None and model.diagnosis == {}
    assert type(model).from_config(config).effect_head is None


def test_it_is_saved_and_loaded_with_the_model(model, batch, tmp_path):
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    assert loaded.diagnosis == {"effects": FIDELITY_OF_PAIRS}
    found, expected = loaded.explain_effects(batch), model.explain_effects(batch)
    for name, values in expected.items():
        np.testing.assert_array_equal(found[name], values, err_msg=name)
    loaded.save_weights(tmp_path / "a.weights.h5")
    plain = type(model).from_config(model.get_config())
    plain.load_weights(tmp_path / "a.weights.h5")
    np.testing.assert_array_equal(plain(batch), model(batch))


def test_a_model_without_a_head_is_saved_as_ever(schema, tmp_path):
    model = LR(schema)
    model.save(tmp_path / "model.keras")
    with zipfile.ZipFile(tmp_path / "model.keras") as file:
        assert set(file.namelist()) == {
            *("metadata.json", "config.json", "model.weights.h5", "assets/format.json")
        }


def test_without_a_head_there_is_a_clear_error(schema, batch):
    model = LR(schema)
    with pytest.raises(ValueError, match=r"no effects yet: call fit_effects\(model, data\) first"):
        model.explain_effects(batch)
    assert "effects" not in InterHAt(schema, order=1).explain(batch)


def test_what_a_model_has_of_each_field(schema, batch):
    model = randomise(LR(schema))
    terms = model.field_vectors(batch)
    assert terms.shape == (16, 4, 1)
    np.testing.assert_allclose(
        np.sum(terms, axis=1) + model.linear.bias, model(batch), rtol=1e-5, atol=1e-5
    )
    model = randomise(FM(schema, embedding_dim=3))
    vectors = model.field_vectors(batch)
    np.testing.assert_array_equal(vectors[..., :3], model.embedding(batch))
    np.testing.assert_array_equal(vectors[..., 3:], model.linear.embedding(batch))
    model = DNN(schema, embedding_dim=3, mlp_units=(2,))
    np.testing.assert_array_equal(model.field_vectors(batch), model.embedding(batch))


@pytest.mark.parametrize("kind", [DNN, FM, InterHAt])
def test_embeddings_are_looked_up_once(kind, schema, batch, monkeypatch):
    model, counted, look_up = randomise(kind(schema)), [], FieldEmbedding.call
    monkeypatch.setattr(
        FieldEmbedding,
        "call",
        lambda self, *a, **k: counted.append(self) or look_up(self, *a, **k),
    )
    logits = model.describe(batch).logits
    assert sum(layer is model.embedding for layer in counted) == 1
    np.testing.assert_array_equal(logits, model(batch))


@pytest.mark.slow
@pytest.mark.parametrize("name", MODELS_OF_ANY)
def test_every_model_can_hold_a_head(name, schema, batch):
    crossed = schema.with_crosses([CrossedField(("app", "site"), [[1, 2], [3, 3]])])
    model = with_effects(MODELS[name](crossed))
    found = model.explain_effects(batch)
    assert found["effects"].shape == (16, 5) and np.std(found["effects"]) > 0
    np.testing.assert_allclose(found["logits"], model(batch)[:, 0], rtol=1e-4, atol=1e-6)


def test_training_drops_the_head(rule_data, tmp_path):
    model = with_effects(LR(rule_data.schema))
    run(rule_data, tmp_path / "run", model, max_epochs=1, test=False)
    assert model.effect_head is None and model.diagnosis == {}


def test_the_head_has_the_type_of_the_logits(schema):
    head = FM(schema, embedding_dim=3, dtype="float64").make_effect_head({})
    assert head.compute_dtype == "float64"
    assert (
        FM(schema, embedding_dim=3, dtype="mixed_bfloat16").make_effect_head({}).dtype == "float32"
    )


@pytest.mark.parametrize("how", ["fit", "train_on_batch", "set_weights", "load_weights"])
def test_other_weights_drop_what_was_found_of_those_before(model, batch, how, tmp_path):
    path = tmp_path / "plain.weights.h5"
    type(model).from_config(model.get_config()).save_weights(path)
    model.calibration = Calibration("platt", 100, 2.0, 1.0)
    model.diagnosis = {**model.diagnosis, "attention": {}, "vectors": {"user": {}}}
    model.compile(Adam(1e-3), keras.losses.BinaryCrossentropy(from_logits=True))
    labels = np.arange(16) % 2
    if how == "fit":
        model.fit(batch, labels, verbose=0)
    elif how == "train_on_batch":
        model.train_on_batch(batch, labels)
    elif how == "set_weights":
        model.set_weights(model.get_weights())
    else:
        model.load_weights(path)
    assert model.effect_head is model.calibration is None
    assert model.diagnosis == {"vectors": {"user": {}}}
