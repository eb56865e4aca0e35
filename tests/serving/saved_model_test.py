"""Tests of the exported SavedModel."""

import os

import keras
import numpy as np
import pytest
import tensorflow as tf

from interhat_tf import CrossedField, Field, Schema
from interhat_tf.models import FM
from interhat_tf.serving import export_saved_model, input_names
from tests.conftest import random_batch
from tests.models.held_effects import with_effects
from tests.serving.served import OUTPUTS, assert_same, chosen, expected, make_model, with_unknown

# None of these may be an argument's name in TensorFlow.
AWKWARD = {"M.ID": "M_ID", "first name": "first_name", "f-1": "f_1", "größe": "gr__e"}
AWKWARD |= {"class": "field_class", "self": "field_self", "2nd": "field_2nd", "": "field_"}


def serve(path, **inputs):
    signature = tf.saved_model.load(str(path)).signatures["serving_default"]
    outputs = signature(**{name: tf.constant(values) for name, values in inputs.items()})
    return {name: value.numpy() for name, value in outputs.items()}


@pytest.fixture(scope="module")
def exported(tmp_path_factory):
    """A model of two categorical and two numerical fields, of no prepared set."""
    keras.utils.set_random_seed(0)
    fields = [Field("app", "categorical", 7), Field("site", "categorical", 4)]
    model = make_model(Schema([*fields, Field("price", "numerical"), Field("age", "numerical")]))
    path = tmp_path_factory.mktemp("exported") / "new" / "model"
    export_saved_model(model, path)
    return model, path


@pytest.mark.parametrize("rows", [1, 100])
def test_ids_give_the_models_own_explanation(exported, rng, rows):
    model, path = exported
    batch = random_batch(model.schema, rng, rows)
    outputs = serve(
        path,
        app=batch["categorical"][:, 0].astype("int32"),
        site=batch["categorical"][:, 1].astype("int32"),
        price=batch["numerical"][:, 0],
        age=batch["numerical"][:, 1],
    )
    assert outputs["probability"].shape == (rows,)
    assert outputs["order_weights"].shape == (rows, 2)
    assert outputs["field_weights"].shape == (rows, 2, 4)
    assert_same(outputs, expected(model, batch))


def test_predicting_alone_gives_the_same_probability(exported):
    _, path = exported
    signatures = tf.saved_model.load(str(path)).signatures
    numbers = tf.constant([0.5, 0.1])
    given = {"app": tf.constant([1, 6]), "site": tf.constant([1, 3])}
    outputs = signatures["predict"](**given, price=numbers, age=numbers)
    explained = signatures["serving_default"](**given, price=numbers, age=numbers)
    assert list(outputs) == ["probability"]
    np.testing.assert_allclose(outputs["probability"], explained["probability"], atol=1e-6)


def test_ids_out_of_range_are_id_0(exported):
    model, path = exported
    sites = np.array([-1, 4, 2**31 - 1, -(2**31)], "int32")
    zeros = np.zeros(4, "float32")
    apps = np.array([7, -1, -7, 2**31 - 1], "int32")
    outputs = serve(path, app=apps, site=sites, price=zeros, age=zeros)
    inputs = {"categorical": np.zeros((4, 2), "int32"), "numerical": np.zeros((4, 2), "float32")}
    assert_same(outputs, expected(model, inputs))


def test_effects_are_served_with_the_weights(tmp_path, rng):
    schema = Schema([Field(name, "categorical", 5) for name in "abc"])
    model = with_effects(make_model(schema), num_pairs=3)
    export_saved_model(model, tmp_path / "model")
    ids = rng.integers(0, 5, (20, 3)).astype("int32")
    outputs = serve(tmp_path / "model", **dict(zip("abc", ids.T, strict=True)))
    explanation = model.explain({"categorical": ids})
    reasons = (*OUTPUTS[1:], "effects", "pair_effects")
    expected = with_unknown(chosen(explanation, reasons), {"categorical": ids})
    assert_same(outputs, expected, tolerance=1e-5)
    assert np.std(outputs["pair_effects"]) > 0.01


def test_a_model_without_attention_is_served_with_its_effects(tmp_path, rng):
    schema = Schema([Field(name, "categorical", 5) for name in "abc"])
    model = FM(schema, embedding_dim=3, embeddings_initializer="random_normal")
    with pytest.raises(ValueError, match="no effects yet: call fit_effects"):
        export_saved_model(model, tmp_path / "model")
    assert not os.listdir(tmp_path)
    with_effects(model)
    export_saved_model(model, tmp_path / "model")
    ids = rng.integers(0, 5, (20, 3)).astype("int32")
    outputs = serve(tmp_path / "model", **dict(zip("abc", ids.T, strict=True)))
    explanation = model.explain_effects({"categorical": ids})
    expected = with_unknown(chosen(explanation, ["effects"]), {"categorical": ids})
    assert_same(outputs, expected, tolerance=1e-5)


def test_awkward_names_are_mapped(tmp_path):
    schema = Schema([Field(name, "categorical", 4) for name in [*AWKWARD, "site"]])
    names = {**AWKWARD, "site": "site"}
    assert input_names(schema.field_names) == names
    model = make_model(schema)
    export_saved_model(model, tmp_path / "model")
    outputs = serve(tmp_path / "model", **{name: np.array([2], "int32") for name in names.values()})
    assert_same(outputs, expected(model, {"categorical": np.full((1, 9), 2)}))


@pytest.mark.parametrize("names", [("a.b", "a_b"), ("M", "m")])
def test_names_that_collide_are_refused(tmp_path, names):
    model = make_model(Schema([Field(name, "categorical", 4) for name in names]))
    with pytest.raises(ValueError, match=r"would both be the input .*; rename one"):
        export_saved_model(model, tmp_path / "model")
    assert not os.listdir(tmp_path)


def test_numerical_fields_alone(tmp_path):
    model = make_model(Schema([Field("price", "numerical"), Field("age", "numerical")]))
    export_saved_model(model, tmp_path / "model")
    outputs = serve(tmp_path / "model", price=np.float32([0.1, 1]), age=np.float32([0.5, -2]))
    assert_same(outputs, expected(model, {"numerical": np.float32([[0.1, 0.5], [1, -2]])}))


def test_missing_numbers(tmp_path):
    model = make_model(Schema([Field("price", "numerical", may_be_missing=True)]))
    export_saved_model(model, tmp_path / "model")
    outputs = serve(tmp_path / "model", price=np.float32([0.1, np.nan]))
    assert np.isfinite(outputs["probability"]).all()
    assert_same(outputs, expected(model, {"numerical": np.float32([[0.1], [np.nan]])}))


def test_a_missing_number_is_refused_where_none_may_be(tmp_path):
    model = make_model(Schema([Field("price", "numerical")]))
    export_saved_model(model, tmp_path / "model")
    with pytest.raises(tf.errors.InvalidArgumentError, match="price: a number must be finite"):
        serve(tmp_path / "model", price=np.float32([0.1, np.nan]))


def test_an_existing_folder_is_left_alone(exported):
    model, path = exported
    before = sorted(path.rglob("*"))
    with pytest.raises(FileExistsError, match=r"exists; choose another folder"):
        export_saved_model(model, path)
    assert sorted(path.rglob("*")) == before


def test_a_failed_export_leaves_nothing(schema, tmp_path, monkeypatch):
    def fail(_, path, **__):
        (tmp_path / path / "half").touch()
        raise OSError("No space left on device")

    monkeypatch.setattr(tf.saved_model, "save", fail)
    with pytest.raises(OSError, match="No space left"):
        export_saved_model(make_model(schema), tmp_path / "model")
    assert not os.listdir(tmp_path)


@pytest.mark.parametrize("counts", [None, np.arange(24).reshape(2, 6, 2)])
def test_a_cross_is_made_of_the_fields_that_are_served(schema, tmp_path, rng, counts):
    cross = CrossedField(("app", "site"), [[1, 2], [3, 3]], counts=counts)
    model = make_model(schema.with_crosses([cross]))
    export_saved_model(model, tmp_path / "model")
    batch = {kind: np.repeat(array, 2, axis=0) for kind, array in random_batch(schema, rng).items()}
    batch["categorical"][::2] = (3, 3)
    columns = dict(zip(["app", "site"], batch["categorical"].astype("int32").T, strict=True))
    columns |= dict(zip(["price", "age"], batch["numerical"].T, strict=True))
    outputs = serve(tmp_path / "model", **columns)
    assert outputs["field_weights"].shape == (32, 2, 5)
    assert_same(outputs, expected(model, batch))
