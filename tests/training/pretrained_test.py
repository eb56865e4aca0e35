"""Tests of given vectors: where they go, and that training leaves frozen ones alone."""

import keras
import numpy as np
import pytest

from interhat_tf import InterHAt, explain_records
from interhat_tf.models import LR, MODELS
from interhat_tf.serving import export_onnx
from interhat_tf.training import TrainingSettings, grow_model, load_vectors, train
from tests.input_pipeline.growing_logs import prepare_days
from tests.models.registry_test import CASES, build_small
from tests.training.runs import make_model


@pytest.fixture(scope="module")
def days(tmp_path_factory):
    return prepare_days(tmp_path_factory.mktemp("days"), 2)


@pytest.fixture
def vectors(days, rng):
    """A vector of 4 numbers for every second user, and for one that there is not."""
    users = days[0].vocabularies["user"][::2]
    return dict(zip([*users, "nobody"], rng.normal(size=(len(users) + 1, 4)), strict=True))


def embedded(model, data, users):
    """What the model embeds users as, (users, d)."""
    fields = {"user": users, "app": ["maps"] * len(users), "price": [0.0] * len(users)}
    return np.array(model.embedding(data.encode(fields)))[:, 0]


def test_vectors_to_train_go_into_the_table_and_others_stay(days, vectors):
    data, model = days[0], make_model(days[0].schema)
    loaded = load_vectors(model, data, "user", vectors)
    users = data.vocabularies["user"]
    expected = embedded(model, data, users)
    expected[::2] = [vectors[user] for user in users[::2]]
    np.testing.assert_array_equal(embedded(loaded, data, users), expected)
    assert loaded.diagnosis["vectors"] == {
        "user": {"values": 12, "with_vector": 6, "dim": 4, "trainable": True}
    }
    apps = slice(model.embedding.offsets[1], None)
    np.testing.assert_array_equal(loaded.embedding.table[apps], model.embedding.table[apps])
    assert len(loaded.weights) == len(model.weights)


@pytest.mark.parametrize("trainable", [True, False])
def test_two_fields_have_the_vectors_that_each_was_given(days, rng, trainable):
    data, model = days[0], make_model(days[0].schema)
    records = {name: data.vocabularies[name][:3] for name in ("user", "app")}
    given = rng.normal(size=(2, 3, 4)).astype("float32")
    for (field, values), vectors in zip(records.items(), given, strict=True):
        by_value = dict(zip(values, vectors, strict=True))
        model = load_vectors(model, data, field, by_value, trainable=trainable)
    found = model.embedding(data.encode({**records, "price": [0.0] * 3}))
    np.testing.assert_array_equal(np.swapaxes(found, 0, 1)[:2], given)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("settings", "dim"),
    [
        ({"ema_momentum": 0.9}, 4),
        ({"optimizer": "lazy_adam", "ema_momentum": 0.9, "microbatch_size": 16}, 7),
    ],
    ids=str,
)
def test_frozen_vectors_stay_bit_for_bit(days, rng, tmp_path, settings, dim):
    data = days[0]
    users = data.vocabularies["user"]
    vectors = dict(zip(users[:7], rng.normal(size=(7, dim)), strict=True))
    model = make_model(data.schema, dropout=0.0, embedding_l2=0.1)
    frozen = load_vectors(model, data, "user", vectors, trainable=False)
    before = embedded(frozen, data, users)
    report = train(
        frozen, data, tmp_path, TrainingSettings(batch_size=50, max_epochs=1, **settings)
    )
    layer = keras.models.load_model(tmp_path / "model.keras").embedding.frozen_layers[0]
    expected = np.array([vectors[user] for user in users[:7]], "float32")
    np.testing.assert_array_equal(layer.vectors[1:8], expected)
    after = embedded(frozen, data, users)
    if dim == 4:  # not projected
        np.testing.assert_array_equal(after[:7], before[:7])
        np.testing.assert_array_equal(after[:7], expected)
    assert (after[7:] != before[7:]).any(axis=1).all()
    assert report["vectors"]["user"]["with_vector"] == 7


@pytest.mark.parametrize("case", [case for case in CASES if case != "lr"])
def test_every_model_with_embeddings_takes_frozen_vectors(days, vectors, case, tmp_path):
    data = days[0].with_crosses([("user", "app")])
    frozen = load_vectors(build_small(case, data.schema), data, "user", vectors, trainable=False)
    users = data.vocabularies["user"]
    width = frozen.embedding.embedding_dim
    assert hasattr(frozen.embedding.frozen_layers[0], "projection") == (width != 4)
    inputs = data.encode({"user": users, "app": ["maps"] * 12, "price": [0.5] * 12})
    frozen.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    np.testing.assert_array_equal(loaded(inputs), frozen(inputs))
    other = dict.fromkeys(vectors, np.ones(4))
    changed = load_vectors(loaded, data, "user", other, trainable=False)
    moved = np.ravel(changed(inputs)) != np.ravel(frozen(inputs))
    assert moved[::2].any() and not moved[1::2].any()  # units may be dead


def test_frozen_vectors_can_be_trained_again(days, vectors):
    data = days[0]
    frozen = load_vectors(make_model(data.schema), data, "user", vectors, trainable=False)
    loaded = load_vectors(frozen, data, "user", vectors)
    assert not loaded.embedding.frozen_layers
    users = data.vocabularies["user"]
    np.testing.assert_array_equal(embedded(loaded, data, users), embedded(frozen, data, users))


def test_a_grown_model_keeps_frozen_vectors(days, vectors):
    first, second = days
    frozen = load_vectors(make_model(first.schema), first, "user", vectors, trainable=False)
    grown = grow_model(frozen, second)
    known = first.vocabularies["user"]
    np.testing.assert_array_equal(embedded(grown, second, known), embedded(frozen, first, known))
    new = second.vocabularies["user"][12:]
    unknown = np.asarray(frozen.embedding.table[0])
    np.testing.assert_array_equal(embedded(grown, second, new), np.tile(unknown, (len(new), 1)))


def test_frozen_vectors_are_exported_and_explained(days, vectors, tmp_path):
    ort = pytest.importorskip("onnxruntime")
    data = days[0]
    frozen = load_vectors(make_model(data.schema), data, "user", vectors, trainable=False)
    inputs = data.encode({"user": ["u1", "u2"], "app": ["maps"] * 2, "price": [0.5] * 2})
    explanation = explain_records(frozen, inputs, values=data.decode(inputs))
    logits = np.ravel(frozen(inputs))
    np.testing.assert_allclose(
        explanation.probabilities, 1 / (1 + np.exp(-logits)), rtol=0, atol=1e-6
    )
    export_onnx(frozen, tmp_path / "model.onnx")
    session = ort.InferenceSession(tmp_path / "model.onnx")
    found = session.run(["probability"], {k: np.asarray(v) for k, v in inputs.items()})[0]
    np.testing.assert_allclose(found, explanation.probabilities, rtol=0, atol=1e-6)


def test_what_is_no_vector(days):
    data = days[0]
    model = make_model(data.schema)

    def refused(message, vectors, model=model, field="user", **options):
        with pytest.raises(ValueError, match=message):
            load_vectors(model, data, field, vectors, **options)

    refused("no categorical field 'price'; there are user, app", {}, field="price")
    refused("none of its values has a vector; they are written as 'u", {"1": [0.5] * 4})
    refused("the vectors have 3 numbers, the embeddings 4; trained", {"u1": [0.5] * 3})
    uneven = dict.fromkeys(data.vocabularies["user"], [0.5] * 3) | {"u1": [0.5] * 2}
    refused("the vector of 'u.*' is not [23] finite numbers", uneven, trainable=False)
    refused("the vector of 'u1' is not 4 finite", {"u1": [np.nan] * 4})
    refused("the vector of 'u1' is not a list of numbers", {"u1": 3.0})
    refused("LR has no embeddings that the vectors", {"u1": [0.5]}, model=LR(data.schema))
    assert "lr" in MODELS
    other = InterHAt(days[1].schema)
    refused("the model's schema is not that of", {"u1": [0.5]}, model=other)
