"""Fields of several values, in all models of the registry."""

import inspect

import keras
import numpy as np
import pytest

from interhat_tf import Field, InterHAt, Schema
from interhat_tf.explanation import explain_records
from interhat_tf.explanation.attributions import value_effects
from interhat_tf.models import LR, MODELS
from interhat_tf.training.optimizers import Adam, LazyAdam
from tests.models.registry_test import CASES, SMALL, build_small
from tests.numpy_reference import randomise

USER, PRICE = Field("user", "categorical", 5), Field("price", "numerical")


def schema_of(length):
    return Schema([USER, PRICE, Field("genres", "multivalued", 7, max_length=length)])


def lists_of(rng, rows, length, least=0):
    """Random lists of `least` to 4 values, in `length` columns."""
    ids = rng.integers(0, 7, (rows, length))
    ends = rng.integers(least, 5, (rows, 1))
    return np.where(np.arange(length) < ends, ids, -1).astype("int32")


def records(rng, rows=16, length=4):
    return {
        "categorical": rng.integers(0, 5, (rows, 1)),
        "numerical": rng.normal(size=(rows, 1)).astype("float32"),
        "multivalued": lists_of(rng, rows, length),
    }


@pytest.mark.parametrize("case", CASES)
def test_one_value_is_what_a_category_is(case, rng):
    """A field of one value is the last one of either schema, and so has the same weights."""
    lists = Schema([USER, Field("genres", "multivalued", 7, max_length=1)])
    names = Schema([USER, Field("genres", "categorical", 7)])
    ids = rng.integers(0, (5, 7), (16, 2))
    found = build_small(case, lists)({"categorical": ids[:, :1], "multivalued": ids[:, 1:]})
    expected = build_small(case, names)({"categorical": ids})
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-6)


def with_pooling(case, pooling, schema):
    name, arguments = CASES[case]
    if name.startswith("interhat"):  # with weights as large, one field has all attention
        embeddings = keras.initializers.RandomNormal(stddev=0.5, seed=1)
        return MODELS[name](schema, pooling=pooling, embeddings_initializer=embeddings)
    known = inspect.signature(MODELS[name]).parameters
    sizes = {argument: size for argument, size in SMALL.items() if argument in known}
    return randomise(MODELS[name](schema, **{**sizes, **arguments, "pooling": pooling}))


@pytest.mark.parametrize(
    ("case", "pooling"),
    [*((case, "attention") for case in CASES), *(("ffm", way) for way in ("mean", "sum", "max"))],
)
def test_neither_padding_nor_the_order_of_values_counts(case, pooling, rng):
    model, longer = (with_pooling(case, pooling, schema_of(length)) for length in (4, 6))
    longer.set_weights(model.get_weights())
    inputs = records(rng)
    padded = np.pad(inputs["multivalued"], ((0, 0), (0, 2)), constant_values=-1)
    expected = model(inputs).numpy()
    np.testing.assert_allclose(
        longer({**inputs, "multivalued": padded}), expected, rtol=1e-4, atol=1e-5
    )
    turned = np.stack([np.append(row[row >= 0][::-1], row[row < 0]) for row in padded[:, :4]])
    np.testing.assert_allclose(
        model({**inputs, "multivalued": turned}), expected, rtol=1e-4, atol=1e-5
    )
    others = np.where(inputs["multivalued"] >= 0, (inputs["multivalued"] + 1) % 7, -1)
    changed = model({**inputs, "multivalued": others}).numpy() != expected
    assert changed[(inputs["multivalued"] >= 0).any(axis=1)].mean() > 0.5


def history_schema(length=3, shares="movie"):
    movie, genres = (
        Field("movie", "categorical", 7),
        Field("genres", "multivalued", 7, max_length=4),
    )
    history = Field("history", "sequence", 7, max_length=length, shares=shares)
    return Schema([USER, movie, PRICE, genres, history])


def histories(rng, length=3):
    inputs = records(rng)
    inputs["categorical"] = rng.integers(0, (5, 7), (16, 2))
    lists = inputs["multivalued"], lists_of(rng, 16, length)
    return {**inputs, "multivalued": np.concatenate(lists, axis=1)}


@pytest.mark.parametrize("case", CASES)
def test_a_history_has_the_vectors_of_what_it_is_of(case, rng):
    """A model whose history has rows of its own, equal to the movie's, predicts the same."""
    shared, own = (build_small(case, history_schema(shares=shares)) for shares in ("movie", None))
    rows = np.append(np.arange(5 + 7 + 7), 5 + np.arange(7))  # user, movie, genres; movie again
    weights = [
        np.asarray(weight)[rows] if weight.path.endswith("/table") else np.asarray(weight)
        for weight in shared.weights
    ]
    own.set_weights(weights)
    inputs = histories(rng)
    expected = own(inputs).numpy()
    np.testing.assert_allclose(shared(inputs), expected, rtol=1e-5, atol=1e-6)
    others = inputs["multivalued"].copy()
    others[:, 4:] = np.where(others[:, 4:] >= 0, (others[:, 4:] + 1) % 7, -1)
    changed = shared({**inputs, "multivalued": others}).numpy() != expected
    assert changed[(others[:, 4:] >= 0).any(axis=1)].mean() > 0.5


@pytest.mark.parametrize("case", CASES)
def test_padding_of_a_history_changes_nothing(case, rng):
    model, longer = (build_small(case, history_schema(length)) for length in (3, 6))
    longer.set_weights(model.get_weights())
    inputs = histories(rng)
    padded = np.pad(inputs["multivalued"], ((0, 0), (0, 3)), constant_values=-1)
    np.testing.assert_allclose(
        longer({**inputs, "multivalued": padded}),
        model(inputs),
        rtol=1e-4,
        atol=1e-5,
    )


@pytest.mark.parametrize("optimizer", [Adam, LazyAdam])
def test_a_step_moves_the_shared_rows_of_both_fields_and_no_others(optimizer, rng):
    model = MODELS["dnn"](history_schema(), embedding_dim=4, mlp_units=(5,))
    inputs = {kind: values[:2] for kind, values in histories(rng).items()}
    inputs["categorical"][:, 1] = [1, 3]
    inputs["multivalued"][:, 4:] = [[3, 5, -1], [3, 3, -1]]
    before = np.array(model.embedding.table)
    model.compile(optimizer(0.01), keras.losses.MeanSquaredError())
    model.train_on_batch(inputs, np.array([0.0, 1.0]))
    moved = (np.array(model.embedding.table) != before).any(axis=1)[5 : 5 + 7]
    assert np.flatnonzero(moved).tolist() == [1, 3, 5]


@pytest.mark.parametrize("name", ["interhat", "deepfm", "ffm"])
def test_survives_a_file(name, rng, tmp_path):
    model = MODELS[name](schema_of(4), pooling={"genres": "attention"})
    randomise(model).save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    inputs = records(rng)
    np.testing.assert_array_equal(loaded(inputs), model(inputs))
    assert loaded.schema == model.schema
    assert loaded.get_config() == model.get_config()


@pytest.mark.parametrize("name", ["interhat", "deepfm", "ffm"])
def test_a_model_of_a_history_survives_a_file(name, rng, tmp_path):
    model = build_small(name, history_schema())
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    inputs = histories(rng)
    np.testing.assert_array_equal(loaded(inputs), model(inputs))
    assert loaded.schema == model.schema and loaded.schema.shared == ((3, 1),)


def test_explaining_models_attend_to_values_and_others_take_the_mean():
    assert InterHAt(schema_of(4)).pooling == ["attention"]
    assert MODELS["deepfm"](schema_of(4)).pooling == ["mean"]
    model = MODELS["deepfm"](schema_of(4), pooling="attention")
    assert [pooling.pooling for pooling in model.linear.embedding.poolings] == ["mean"]
    assert [pooling.pooling for pooling in model.embedding.poolings] == ["attention"]
    assert LR(schema_of(4), pooling="sum").linear.embedding.poolings[0].pooling == "sum"


@pytest.mark.parametrize(
    ("pooling", "message"),
    [
        ("last", "pooling must be one of mean, sum, max, attention, target; got 'last'"),
        (
            {"genres": "last"},
            "pooling must be one of mean, sum, max, attention, target; got 'last'",
        ),
        (
            {"user": "mean"},
            "names 'user', which is not a multivalued field or a sequence; there are: genres",
        ),
        (
            {"genres": "target"},
            "only a field that shares .* can have pooling 'target'; 'genres' shares none",
        ),
    ],
)
def test_wrong_poolings_are_refused(pooling, message):
    with pytest.raises(ValueError, match=message):
        LR(schema_of(4), pooling=pooling)


@pytest.mark.parametrize("act", ["fit", "predict", "call"])
@pytest.mark.parametrize("wrong", [7, -2])
def test_an_id_out_of_range_inside_a_list_is_refused(act, wrong, rng):
    model, inputs = LR(schema_of(4)), records(rng)
    inputs["multivalued"][3, :2] = [1, wrong]
    model.compile("adam", keras.losses.BinaryCrossentropy(from_logits=True))
    calls = {
        "fit": lambda: model.fit(inputs, np.zeros(16), verbose=0),
        "predict": lambda: model.predict(inputs, verbose=0),
        "call": lambda: model(inputs),
    }
    with pytest.raises(ValueError, match=rf"field 'genres'.*: id {wrong} is outside .* \[0, 7\)"):
        calls[act]()


@pytest.fixture(scope="module")
def planted():
    """A model of records that are clicked if, and only if, genre 3 is in their list."""
    keras.utils.set_random_seed(0)
    rng = np.random.default_rng(0)
    inputs = {"categorical": rng.integers(0, 5, (2000, 1)), "multivalued": lists_of(rng, 2000, 4)}
    labels = (inputs["multivalued"] == 3).any(axis=1).astype("float32")
    genres = Field("genres", "multivalued", 7, max_length=4)
    model = InterHAt(Schema([USER, genres]), embedding_dim=8, order=2)
    model.compile(Adam(0.01), keras.losses.BinaryCrossentropy(from_logits=True))
    model.fit(inputs, labels, epochs=8, batch_size=100, verbose=0)
    some = {kind: values[:200] for kind, values in inputs.items()}
    assert ((model.predict(some, verbose=0)[:, 0] > 0) == labels[:200]).mean() > 0.98
    return model, some


def test_an_explanation_names_the_value_inside_the_field(planted):
    model, inputs = planted
    background = {kind: values[:20] for kind, values in inputs.items()}
    explanation = explain_records(model, inputs, background=background)
    ids = inputs["multivalued"]
    several = np.flatnonzero(((ids == 3).sum(axis=1) == 1) & ((ids >= 0).sum(axis=1) > 1))
    of_attention = [explanation.value_shares(i, "genres")[0][0] for i in several]
    of_effects = [explanation.value_moves(i, "genres")[0][0] for i in several]
    assert np.mean(np.array(of_attention) == "3") > 0.9
    assert np.mean(np.array(of_effects) == "3") > 0.95
    assert explanation.label(several[0], 1).startswith("genres: 3 0.")
    assert "genres: 3 0." in explanation.sentences()[several[0]]
    assert explanation.value_to_draw(several[0], 1).startswith("3 0.")
    (record,) = explanation[[several[0]]].to_dict()["records"]
    (first, weight), *_ = record["value_weights"]["genres"]
    assert first == "3" and weight > 0.5
    assert record["value_effects"]["genres"][0][0] == "3"
    assert explanation.plot(several[0])


def test_value_effects_are_those_of_leaving_a_value_out(planted):
    model, inputs = planted
    effects = value_effects(model, inputs)
    lists = inputs["multivalued"]
    assert not effects[lists == -1].any()
    for row in range(5):
        for column in np.flatnonzero(lists[row] >= 0):
            kept = np.delete(lists[row], column)
            without = {k: v[row : row + 1] for k, v in inputs.items()}
            without["multivalued"] = np.append(kept, -1)[None]
            record = {kind: values[row : row + 1] for kind, values in inputs.items()}
            expected = model(record) - model(without)
            np.testing.assert_allclose(effects[row, column], expected[0, 0], atol=1e-5)


TARGET = {"genres": "mean", "history": "target"}


@pytest.mark.parametrize("name", ["interhat", "deepfm", "ffm"])
def test_a_history_may_be_pooled_by_what_it_is_of(name, rng, tmp_path):
    model = randomise(MODELS[name](history_schema(), pooling=TARGET))
    inputs = histories(rng)
    weights = np.asarray(model.embedding.value_weights(inputs))[:, 4:]
    present = inputs["multivalued"][:, 4:] >= 0
    assert not weights[~present].any()
    np.testing.assert_allclose(weights.sum(axis=1), present.any(axis=1), rtol=1e-5)
    movies = (inputs["categorical"] + [0, 1]) % [5, 7]
    others = np.asarray(model.embedding.value_weights({**inputs, "categorical": movies}))[:, 4:]
    several = present.sum(axis=1) > 1
    assert (np.abs(weights - others).max(axis=1) > 1e-5)[several].all()
    # A copy, with a longer history, from a file.
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    np.testing.assert_array_equal(loaded(inputs), model(inputs))
    longer = MODELS[name](history_schema(6), pooling=TARGET)
    longer.set_weights(model.get_weights())
    padded = np.pad(inputs["multivalued"], ((0, 0), (0, 3)), constant_values=-1)
    np.testing.assert_allclose(
        longer({**inputs, "multivalued": padded}), model(inputs), rtol=1e-4, atol=1e-5
    )


def test_an_explanation_names_the_value_that_counts_for_what_is_at_hand():
    """Records are clicked if their movie is in the history, which its own value tells."""
    rng, rows = np.random.default_rng(0), 3000
    schema = Schema(
        [
            Field("movie", "categorical", 7),
            Field("history", "sequence", 7, max_length=4, shares="movie"),
        ]
    )
    inputs = {"categorical": rng.integers(0, 7, (rows, 1)), "multivalued": lists_of(rng, rows, 4)}
    labels = (inputs["multivalued"] == inputs["categorical"]).any(axis=1).astype("float32")
    model = InterHAt(schema, embedding_dim=8, order=2, pooling="target")
    model.compile(Adam(0.01), keras.losses.BinaryCrossentropy(from_logits=True))
    model.fit(inputs, labels, epochs=15, batch_size=100, verbose=0)
    some = {kind: values[:200] for kind, values in inputs.items()}
    assert ((model.predict(some, verbose=0)[:, 0] > 0) == labels[:200]).mean() > 0.95
    background = {kind: values[:20] for kind, values in some.items()}
    explanation = explain_records(model, some, background=background)
    ids = some["multivalued"]
    once = (ids == some["categorical"]).sum(axis=1) == 1
    found = np.flatnonzero(once & ((ids >= 0).sum(axis=1) > 1))
    named = [explanation.value_shares(i, "history")[0][0] for i in found]
    movies = some["categorical"][found, 0].astype(str)
    assert np.mean(np.array(named) == movies) > 0.9
