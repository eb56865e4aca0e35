"""Every model with each embedding of numbers, and what training, growth and exports make of it."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import ops

from interhat_tf import Field, InterHAt, Schema
from interhat_tf.layers import NUMBER_EMBEDDINGS
from interhat_tf.models import LR
from interhat_tf.serving import export_onnx, export_saved_model
from interhat_tf.training import Adam
from tests.conftest import random_batch
from tests.models.registry_test import MIXED_NUMBERS, MODELS_OF_ANY, SMALL, build_small
from tests.numpy_reference import randomise
from tests.serving.onnx_test import run_onnx
from tests.serving.saved_model_test import serve
from tests.serving.served import assert_same, expected

CHOICES = [*NUMBER_EMBEDDINGS, *MIXED_NUMBERS, {"age": "buckets"}]


def make(kind, schema, batch, chosen, **arguments):
    model = randomise(kind(schema, numerical_embedding=chosen, **arguments))
    model.adapt_numbers([batch])
    return model


@pytest.fixture
def missing(schema, batch):
    """The schema with numbers that may be missing, and a batch in which the first price is."""
    fields = [Field(f.name, f.kind, may_be_missing=True) for f in schema.numerical]
    numbers = batch["numerical"].copy()
    numbers[0, 0] = np.nan
    return Schema([*schema.categorical, *fields]), {**batch, "numerical": numbers}


@pytest.mark.parametrize("name", MODELS_OF_ANY)
def test_every_model_takes_them_and_is_saved_with_them(name, missing, tmp_path, monkeypatch):
    schema, batch = missing
    chosen = {"price": "piecewise", "age": "periodic"}
    monkeypatch.setitem(SMALL, "numerical_embedding", chosen)
    model = build_small(name, schema)
    model.adapt_numbers([batch])
    logits = np.asarray(model(batch))
    assert np.isfinite(logits).all()
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    np.testing.assert_array_equal(loaded(batch), logits)
    assert loaded.get_config()["numerical_embedding"] == chosen
    weights = {weight.path.split("/", 1)[1] for weight in model.weights}
    assert any(path.endswith("piecewise/edges") for path in weights)
    assert not any(path.endswith("numerical_table") for path in weights)


@pytest.mark.parametrize("linear", [False, True])
@pytest.mark.parametrize("chosen", [name for name in NUMBER_EMBEDDINGS if name != "autodis"])
def test_numbers_that_bfloat16_does_not_tell_apart_are_told_apart(chosen, linear, rng):
    schema = Schema([Field("app", "categorical", 3), Field("visits", "numerical")])
    numbers = np.arange(1000, 1064, dtype="float32")[:, None]
    assert len(np.unique(ops.cast(numbers, "bfloat16"))) < 20
    batch = {"categorical": rng.integers(0, 3, (64, 1)), "numerical": numbers}
    kind, arguments = (LR, {}) if linear else (InterHAt, {"embedding_dim": 4})
    exact = make(kind, schema, batch, chosen, **arguments)
    half = make(kind, schema, batch, chosen, dtype="mixed_bfloat16", **arguments)
    half.set_weights(exact.get_weights())
    logits, expected = half(batch), exact(batch)
    np.testing.assert_allclose(logits, expected, atol=0.03 * np.abs(expected).max() + 0.05)


@pytest.mark.parametrize("chosen", CHOICES, ids=str)
def test_each_field_has_its_own_embedding_in_its_own_place(chosen, schema, batch):
    model = make(InterHAt, schema, batch, chosen, embedding_dim=4)
    vectors = np.asarray(model.embedding(batch))
    for place, field in enumerate(schema.numerical):
        name = chosen if isinstance(chosen, str) else chosen.get(field.name, "product")
        fields = model.embedding.columns_by_name[name]
        numbers = batch["numerical"][:, fields]
        if name == "product":
            found = numbers[..., np.newaxis] * model.embedding.numerical_table
        else:
            found = model.embedding.number_layers[name](numbers)
        np.testing.assert_array_equal(vectors[:, 2 + place], found[:, fields.index(place)])


@pytest.mark.parametrize("chosen", CHOICES, ids=str)
def test_a_missing_number_has_a_vector_of_its_own(chosen, missing):
    schema, batch = missing
    model = make(InterHAt, schema, batch, chosen, embedding_dim=4)
    before = np.asarray(model.embedding(batch))
    np.testing.assert_array_equal(before[0, 2], np.asarray(model.embedding.missing_table)[0])
    model.embedding.missing_table.assign(model.embedding.missing_table + 1.0)
    after = np.asarray(model.embedding(batch))
    assert [tuple(place) for place in np.argwhere((after != before).any(axis=-1))] == [(0, 2)]


@pytest.mark.parametrize("chosen", MIXED_NUMBERS, ids=str)
def test_contributions_add_up(chosen, missing):
    schema, batch = missing
    model = make(InterHAt, schema, batch, chosen, value_dim=4)
    model.adapt([batch])
    found = model.explain(batch)
    total = np.sum(found["contributions"], axis=(1, 2)) + found["bias"]
    np.testing.assert_allclose(total, found["logits"], rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("chosen", CHOICES, ids=str)
def test_every_weight_gets_a_gradient(chosen, missing):
    schema, batch = missing
    embedding = make(InterHAt, schema, batch, chosen).embedding
    with tf.GradientTape() as tape:
        loss = tf.reduce_sum(tf.square(embedding(batch)))
    gradients = tape.gradient(loss, embedding.trainable_variables)
    for weight, gradient in zip(embedding.trainable_variables, gradients, strict=True):
        gradient = np.asarray(tf.convert_to_tensor(gradient))
        assert np.isfinite(gradient).all(), weight.path
        assert np.abs(gradient).max() > 1e-6, weight.path


@pytest.mark.parametrize("name", ["product", *NUMBER_EMBEDDINGS])
def test_a_sum_of_terms_learns_what_is_not_monotonic(name, rng):
    """Clicks are where |x| > 1: the mean of x is the same for either label."""
    schema = Schema([Field("x", "numerical")])
    numbers = rng.normal(size=(4096, 1)).astype("float32")
    clicks = (np.abs(numbers[:, 0]) > 1).astype("float32")
    model = LR(schema, numerical_embedding=name)
    batch = {"numerical": numbers}
    model.adapt_numbers([batch])
    model.compile(Adam(0.05), keras.losses.BinaryCrossentropy(from_logits=True))
    losses = model.fit(batch, clicks, batch_size=256, epochs=12, verbose=0).history["loss"]
    assert losses[-1] > 0.6 if name == "product" else losses[-1] < 0.4


@pytest.mark.parametrize("chosen", MIXED_NUMBERS, ids=str)
def test_exports_give_the_models_own_explanation(chosen, missing, rng, tmp_path):
    schema, batch = missing
    sizes = {"embedding_dim": 4, "num_heads": 2, "attention_size": 4, "order": 2}
    model = make(InterHAt, schema, batch, chosen, **sizes)
    batch = random_batch(schema, rng, 50)
    batch["numerical"][::7] = np.nan
    export_onnx(model, tmp_path / "model.onnx")
    assert_same(run_onnx(tmp_path / "model.onnx", batch), expected(model, batch), 1e-5)
    export_saved_model(model, tmp_path / "saved")
    columns = dict(zip([f.name for f in schema.categorical], batch["categorical"].T, strict=True))
    columns = {name: ids.astype("int32") for name, ids in columns.items()}
    columns |= dict(zip([f.name for f in schema.numerical], batch["numerical"].T, strict=True))
    assert_same(serve(tmp_path / "saved", **columns), expected(model, batch), 1e-5)


@pytest.mark.parametrize("chosen", [None, "product", "periodic", "autodis"])
def test_records_are_read_for_bins_alone(chosen, schema):
    def refuse():
        raise AssertionError("read")
        yield

    LR(schema, numerical_embedding=chosen).adapt_numbers(refuse())


def test_products_by_name_are_the_default(schema):
    default, named = LR(schema), LR(schema, numerical_embedding={"age": "product"})
    assert [weight.path.split("/", 1)[1] for weight in default.weights] == [
        weight.path.split("/", 1)[1] for weight in named.weights
    ]


@pytest.mark.parametrize(
    ("chosen", "message"),
    [
        ("linear", "one of product, buckets, piecewise, periodic, autodis; got 'linear'"),
        ({"age": "spline"}, "autodis; got 'spline'"),
        ({"app": "buckets"}, "there is no numerical field 'app'; there are: price, age"),
    ],
)
def test_what_is_refused(chosen, message, schema):
    with pytest.raises(ValueError, match=message):
        LR(schema, numerical_embedding=chosen)
