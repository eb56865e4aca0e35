import json
import re

import keras
import numpy as np
import pytest

from interhat_tf import Field, InterHAt, Schema
from interhat_tf.models import MODELS, PRESETS
from interhat_tf.training.optimizers import Adam
from tests.conftest import random_batch, run_python
from tests.numpy_reference import (
    aggregate,
    field_aware_interhat,
    inside,
    interhat,
    randomise,
    weights_of,
)

SIZES = {"embedding_dim": 8, "num_heads": 2, "key_dim": 3, "attention_size": 5}

# The structure of `tuned` is among `every_form`: `field_aware`.
every_preset = pytest.mark.parametrize("preset", ["paper", "released"])


def build(schema, preset="released", **arguments):
    """Builds a model of a preset's structure, without penalties and sizes of a data set."""
    return InterHAt(schema, **{**PRESETS[preset].arguments, **arguments})


def make(schema, preset="released", **arguments):
    return randomise(build(schema, preset, **{**SIZES, **arguments}))


def compile_eagerly(model):
    """Compiles without tracing, which takes longer than the few steps of these tests."""
    loss = keras.losses.BinaryCrossentropy(from_logits=True)
    model.compile(Adam(0.01, beta_2=0.98), loss, run_eagerly=True)


def assert_same_explanation(actual, expected, atol=1e-5):
    assert actual.keys() == expected.keys()
    for name in expected:
        np.testing.assert_allclose(actual[name], expected[name], rtol=1e-5, atol=atol, err_msg=name)


# What the model computes.


@every_preset
@pytest.mark.parametrize("order", [1, 2, 3, 5])
def test_equals_numpy(schema, batch, preset, order):
    model = make(schema, preset, order=order)
    expected = interhat(batch, weights_of(model), schema.vocabulary_sizes, 2, order, preset)
    assert_same_explanation(model.explain(batch, return_heads=True), expected)
    np.testing.assert_allclose(model(batch)[:, 0], expected["logits"], rtol=1e-5, atol=1e-5)
    assert np.std(expected["logits"]) > 0.01, "constant logits prove nothing"


field_aware = {"value_dim": 6, "mlp_units": (5,)}
every_form = pytest.mark.parametrize(
    ("preset", "arguments"),
    [
        ("paper", {}),
        ("released", {}),
        ("released", field_aware),
        ("released", {**field_aware, "pair_values": True}),
    ],
    ids=["paper", "released", "field_aware", "pairs"],
)


@pytest.mark.parametrize("gated", [False, True])
@pytest.mark.parametrize(
    ("order", "pairs", "mlp_units"),
    [
        *[(order, False, units) for order in (1, 3) for units in ((), (30, 20))],
        (2, True, ()),
        (2, True, (30, 20)),
        (3, True, ()),
    ],
)
def test_field_aware_values_equal_numpy(schema, batch, order, pairs, mlp_units, gated):
    form = {"order": order, "pair_values": pairs, "gated_attention": gated}
    model = make(schema, value_dim=20, mlp_units=mlp_units, **form)
    first = np.asarray(model.feed_forward(model.attention(model.embedding(batch))), "float64")
    logits, order_weights, field_weights = field_aware_interhat(first, weights_of(model), order)
    explanation = model.explain(batch)
    np.testing.assert_allclose(explanation["logits"], logits, rtol=1e-4, atol=1e-4)
    np.testing.assert_allclose(explanation["order_weights"], order_weights, atol=1e-4)
    np.testing.assert_allclose(explanation["field_weights"], field_weights, atol=1e-4)
    np.testing.assert_allclose(model(batch)[:, 0], logits, rtol=1e-4, atol=1e-4)
    assert np.std(logits) > 0.01, "constant logits prove nothing"


@pytest.mark.parametrize(("order", "pairs"), [(1, False), (3, False), (3, True)])
def test_shared_values_are_those_of_all_orders(schema, batch, order, pairs):
    form = {**field_aware, "order": order, "pair_values": pairs}
    shared, own = make(schema, **form, shared_values=True), make(schema, **form)
    weights = weights_of(shared)
    assert not any(path.startswith("field_values_2") for path in weights)
    for weight in own.weights:
        path = weight.path.split("/", 1)[1]
        weight.assign(weights[re.sub(r"field_values_\d", "field_values_1", path)])
    for training in (False, True):
        np.testing.assert_allclose(
            shared(batch, training=training), own(batch, training=training), rtol=1e-5, atol=1e-5
        )
    found, expected = shared.explain(batch), own.explain(batch)
    assert np.std(expected["logits"]) > 0.01, "constant logits prove nothing"
    for name, values in expected.items():
        np.testing.assert_allclose(found[name], values, rtol=1e-4, atol=1e-5, err_msg=name)


@pytest.mark.parametrize(("fields", "order"), [(1, 2), (3, 1)])
def test_one_field_and_one_order_have_no_pairs(rng, fields, order):
    schema = Schema([Field(f"f{i}", "categorical", 5) for i in range(fields)])
    batch, found = random_batch(schema, rng, 4), {}
    for pairs in (False, True):
        keras.utils.set_random_seed(1)
        model = make(schema, order=order, value_dim=3, pair_values=pairs)
        assert model.values_of_pairs is None
        assert model.get_config()["pair_values"] == pairs
        found[pairs] = model(batch)
    np.testing.assert_array_equal(found[True], found[False])


def test_values_that_are_shared_must_be_there(schema):
    with pytest.raises(ValueError, match="shared_values needs value_dim"):
        make(schema, shared_values=True)


def test_pairs_have_values(schema):
    with pytest.raises(ValueError, match="pair_values needs value_dim, the size of the values"):
        make(schema, pair_values=True, order=2)


def test_what_values_bring_with_them_can_be_left_out(schema):
    with_all = weights_of(make(schema, **field_aware))
    bare = weights_of(
        make(schema, **field_aware, score_batch_norm=False, mlp_batch_norm=False, order=3)
    )
    norms = {path.split("/")[0] for path in with_all if "moving_mean" in path}
    aggregations = {"aggregation_1", "aggregation_2", "aggregation_3", "order_aggregation"}
    assert norms == aggregations | {"mlp_normalization_0", "mlp_normalization_1"}
    assert "mlp_2/bias" in with_all and "mlp_1/bias" not in with_all
    assert not [path for path in bare if "moving" in path or path == "mlp_2/bias"]
    assert {"field_values_1/kernel", "field_values_3/kernel"} < bare.keys()
    assert make(schema, value_dim=6).mlp_units == (6,)


@every_preset
@pytest.mark.parametrize("kind", ["categorical", "numerical"])
def test_equals_numpy_on_fields_of_one_kind(schema, batch, preset, kind):
    schema, batch = Schema(getattr(schema, kind)), {kind: batch[kind]}
    model = make(schema, preset)
    expected = interhat(batch, weights_of(model), schema.vocabulary_sizes, 2, 3, preset)
    assert_same_explanation(model.explain(batch, return_heads=True), expected)


@every_preset
def test_permuting_the_fields_permutes_the_explanation_and_leaves_the_logit(schema, batch, preset):
    swapped = make(Schema(schema.fields[::-1]), preset)
    model = make(schema, preset)
    weights = weights_of(model)
    app, site = np.split(weights["embedding/table"], [7])
    weights["embedding/table"] = np.concatenate([site, app])
    weights["embedding/numerical_table"] = weights["embedding/numerical_table"][::-1]
    swapped.set_weights(list(weights.values()))

    actual = swapped.explain({k: v[:, ::-1] for k, v in batch.items()}, return_heads=True)
    expected = {k: np.array(v) for k, v in model.explain(batch, return_heads=True).items()}
    order = [schema.field_names.index(name) for name in swapped.schema.field_names]
    for name in ("field_weights", "contributions"):
        expected[name] = expected[name][:, :, order]
    expected["heads"] = expected["heads"][:, :, order][..., order]
    assert_same_explanation(actual, expected)


@every_preset
def test_a_record_does_not_change_another(schema, batch, rng, preset):
    model = make(schema, preset)
    other = random_batch(schema, rng)
    mixed = {kind: np.concatenate([batch[kind][:8], other[kind][8:]]) for kind in batch}
    before, after = (model.explain(inputs, return_heads=True) for inputs in (batch, mixed))
    assert not np.allclose(before["logits"][8:], after["logits"][8:])
    assert_same_explanation(
        {name: values[:8] for name, values in after.items()},
        {name: values[:8] for name, values in before.items()},
        atol=1e-6,
    )


def test_two_heads_are_not_one_wide_head(schema, batch):
    two = make(schema, num_heads=2, key_dim=3)
    one = make(schema, num_heads=1, key_dim=6)
    one.set_weights(two.get_weights())
    assert np.abs(two(batch) - one(batch)).max() > 1e-3


@every_preset
@pytest.mark.parametrize("order", [1, 2, 3, 5])
def test_every_attention_sums_to_one(schema, batch, preset, order):
    explanation = make(schema, preset, order=order).explain(batch, return_heads=True)
    shapes = {"order_weights": (order,), "field_weights": (order, 4), "heads": (2, 4, 4)}
    for name, shape in shapes.items():
        assert explanation[name].shape == (16, *shape)
        np.testing.assert_allclose(np.sum(explanation[name], axis=-1), 1, rtol=1e-5)


def test_explain_has_the_logits_of_the_call_and_heads_only_on_request(schema, batch):
    model = make(schema, dropout=0.5)
    explanation = model.explain(batch)
    weights = {"order_weights", "field_weights"}
    assert explanation.keys() == {"logits", "contributions", "bias"} | weights
    np.testing.assert_array_equal(explanation["logits"], model(batch)[:, 0])


def test_dropout_acts_in_training_only(schema, batch):
    model = make(schema, dropout=0.5)
    np.testing.assert_array_equal(model(batch), model(batch))
    assert not np.allclose(model(batch, training=True), model(batch, training=True))


@every_preset
def test_interhat_s_has_no_self_attention(schema, batch, preset):
    model = MODELS["interhat_s"](schema, **SIZES, **PRESETS[preset].arguments)
    assert not [path for path in weights_of(model) if path.startswith(("attention", "feed"))]
    assert "heads" not in model.explain(batch, return_heads=True)
    # The hierarchy stands on the embeddings themselves.
    weights = inside(weights_of(randomise(model)), "aggregation_1")
    _, alpha = aggregate(np.asarray(model.embedding(batch)), weights)
    np.testing.assert_allclose(model.explain(batch)["field_weights"][:, 0], alpha, atol=1e-5)


# What the presets are made of.


def test_presets_are_the_two_published_models(schema):
    paper, released = (weights_of(make(schema, preset)) for preset in ("paper", "released"))

    def biased(weights):
        return {path.removesuffix("/bias") for path in weights if path.endswith("/bias")}

    aggregations = {f"aggregation_{i}/projection" for i in (1, 2, 3)}
    aggregations |= {"order_aggregation/projection"}
    projections = {f"attention/{name}" for name in ("query", "key", "value", "output")}
    assert biased(paper) == {"feed_forward/output", "mlp_1", "mlp_2"}
    assert biased(released) == aggregations | projections | {
        "feed_forward/hidden",
        "feed_forward/output",
    }
    assert not [path for path in paper if "normalization" in path or "hidden" in path]
    assert {path for path in released if "gamma" in path} == {
        "attention/normalization/gamma",
        "feed_forward/normalization/gamma",
    }
    assert released["feed_forward/hidden/kernel"].shape == (8, 32)
    assert paper["order_aggregation/context"].shape == (5, 1)
    assert released["order_aggregation/context"].shape == (16, 1)
    assert paper["mlp_1/kernel"].shape == released["mlp_1/kernel"].shape == (8, 4)


def test_the_default_is_released_without_penalties(schema):
    default = InterHAt(schema).get_config()
    penalties = {"embedding_l2": 0.0, "aggregation_l2": 0.0}
    released = InterHAt.from_preset("released", schema, name=default["name"], **penalties)
    assert default == released.get_config()


@pytest.mark.parametrize("order", [0, -1])
def test_rejects_an_order_below_one(schema, order):
    with pytest.raises(ValueError, match=f"order must be at least 1, got {order}"):
        InterHAt(schema, order=order)


def test_number_of_parameters_follows_the_formula(schema):
    d, h, s, k, features = 12, 4, 16, 3, 7 + 4 + 2
    width, hidden = h * s, 4 * d
    paper = (
        features * d
        + 4 * d * width
        + (d * d + d)
        + (k + 1) * (d * s + s)
        + (d * d // 2 + d // 2 + d // 2 + 1)
    )
    released = (
        features * d
        + 3 * (d * width + width)
        + (width * d + d)
        + (d * hidden + hidden + hidden * d + d)
        + 2 * 2 * d
        + (k + 1) * (d * s + s + s)
        + (d * d // 2 + d // 2)
    )
    assert build(schema, "paper").count_params() == paper
    assert build(schema, "released").count_params() == released


def aggregation_projections(path):
    return path.startswith("aggregation_") and "/projection/" in path


def embeddings(path):
    return path.startswith("embedding/")


def anything_else(path):
    others = not (aggregation_projections(path) or embeddings(path))
    return others and "normalization" not in path


@every_preset
@pytest.mark.parametrize(
    "penalised",
    [
        {},
        {"aggregation_l2": aggregation_projections},
        {"embedding_l2": embeddings},
        {"dense_l2": anything_else},
        {
            "aggregation_l2": aggregation_projections,
            "embedding_l2": embeddings,
            "dense_l2": anything_else,
        },
    ],
    ids="+".join,
)
def test_each_l2_penalises_its_own_weights(schema, batch, preset, penalised):
    strengths = {"aggregation_l2": 0.1, "embedding_l2": 0.01, "dense_l2": 0.001}
    model = make(schema, preset, **{name: strengths[name] for name in penalised})
    model(batch)
    expected = sum(
        strengths[name] * (w**2).sum()
        for name, belongs in penalised.items()
        for path, w in weights_of(model).items()
        if belongs(path)
    )
    np.testing.assert_allclose(float(sum(model.losses)), expected, rtol=1e-5)


# Keras' own ways of copying, saving and training a model.


@pytest.mark.parametrize(
    "copy",
    [
        keras.models.clone_model,
        lambda model: InterHAt.from_config(model.get_config()),
        lambda model: InterHAt.from_config(json.loads(json.dumps(model.get_config()))),
        lambda model: keras.models.model_from_json(model.to_json()),
    ],
    ids=["clone_model", "from_config", "json_of_config", "model_from_json"],
)
@every_form
def test_copies_from_the_configuration_alone(schema, batch, preset, arguments, copy):
    arguments = {"embedding_l2": 0.1, "dropout": 0.2, "embeddings_initializer": "zeros"} | arguments
    model = make(schema, preset, **arguments)
    same = copy(model)
    same.set_weights(model.get_weights())
    np.testing.assert_array_equal(same(batch), model(batch))
    assert same.schema == schema
    assert same.get_config() == model.get_config()


FRESH_PROCESS = """
import sys
import interhat_tf, keras, numpy as np
folder = sys.argv[1]
batch = dict(np.load(f"{folder}/batch.npz"))
for preset in sys.argv[2:]:
    model = keras.saving.load_model(f"{folder}/{preset}.keras")
    np.savez(f"{folder}/{preset}.npz", called=model(batch), **model.explain(batch, True))
"""


@pytest.mark.usefixtures("quick_processes")
@pytest.mark.slow
def test_saved_model_loads_in_a_fresh_process_bit_for_bit(schema, batch, tmp_path):
    np.savez(tmp_path / "batch.npz", **batch)
    models = {preset: make(schema, preset, embedding_l2=0.1) for preset in PRESETS}
    for preset, model in models.items():
        compile_eagerly(model)
        model.fit(batch, np.arange(16) % 2, verbose=0)
        model.save(tmp_path / f"{preset}.keras")
    run_python("-c", FRESH_PROCESS, tmp_path, *PRESETS)
    for preset, model in models.items():
        loaded = np.load(tmp_path / f"{preset}.npz")
        expected = {"called": model(batch), **model.explain(batch, return_heads=True)}
        assert set(loaded) == set(expected)
        for name in expected:
            np.testing.assert_array_equal(loaded[name], expected[name], err_msg=name)


def test_loading_restores_the_optimizer(schema, batch, tmp_path):
    """The loaded model goes on training as the one that was saved."""
    labels = np.arange(16) % 2
    model = make(schema)
    compile_eagerly(model)
    model.fit(batch, labels, verbose=0)
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    for each in (model, loaded):
        each.fit(batch, labels, verbose=0)
    np.testing.assert_allclose(loaded(batch), model(batch), atol=1e-6)


@every_form
def test_double_precision_all_the_way(schema, batch, preset, arguments):
    exact, double = (make(schema, preset, dtype=d, **arguments) for d in ("float32", "float64"))
    double.set_weights(exact.get_weights())
    explanation = double.explain(batch)
    for name, values in explanation.items():
        assert keras.backend.standardize_dtype(values.dtype) == "float64", name
        np.testing.assert_allclose(values, exact.explain(batch)[name], atol=1e-5)
    total = keras.ops.sum(explanation["contributions"], axis=(1, 2)) + explanation["bias"]
    np.testing.assert_allclose(total, explanation["logits"], atol=1e-12)


@pytest.mark.parametrize("dtype", ["mixed_bfloat16", "mixed_float16"])
@every_form
def test_half_precision_gives_float32_logits_near_the_exact_ones(
    schema, batch, preset, arguments, dtype
):
    exact, half = (make(schema, preset, dtype=d, **arguments) for d in ("float32", dtype))
    logits = half(batch)
    assert keras.backend.standardize_dtype(logits.dtype) == "float32"
    assert {w.dtype for w in half.weights} == {"float32"}
    # bfloat16 has less than three digits, and the weights of the test are large.
    np.testing.assert_allclose(logits, exact(batch), atol=0.15)
    assert np.abs(logits - exact(batch)).mean() < 0.02


@pytest.mark.parametrize(
    ("preset", "arguments", "labels_shape"),
    [("paper", {}, (256, 1)), ("released", {}, (256,)), ("released", field_aware, (256,))],
    ids=["paper", "released", "field_aware"],
)
def test_compile_fit_evaluate_predict(schema, rng, preset, arguments, labels_shape):
    batch = random_batch(schema, rng, rows=256)
    labels = (batch["categorical"][:, 0] > 3).astype("float32").reshape(labels_shape)
    model = build(schema, preset, **arguments)
    model.compile(Adam(0.01), keras.losses.BinaryCrossentropy(from_logits=True), jit_compile=False)
    before = model.evaluate(batch, labels, verbose=0)
    model.fit(batch, labels, batch_size=32, epochs=5, verbose=0)
    after = model.evaluate(batch, labels, verbose=0)
    assert after < 0.5 * before
    predictions = model.predict(batch, verbose=0)
    assert predictions.shape == (256, 1)
    np.testing.assert_allclose(predictions, model(batch), rtol=1e-5, atol=1e-4)


@pytest.mark.parametrize("dtype", ["float64", "bfloat16"])
@every_form
def test_keras_fit_adds_penalties_in_every_type(schema, batch, preset, arguments, dtype):
    labels = np.arange(16) % 2
    plain, penalised = (
        make(schema, preset, dtype=dtype, **{**arguments, "embedding_l2": strength})
        for strength in (0.0, 0.1)
    )
    penalised.set_weights(plain.get_weights())
    for model in (plain, penalised):
        compile_eagerly(model)
    added = sum(float(penalty) for penalty in penalised.losses)
    assert added > 0.1
    expected = plain.evaluate(batch, labels, verbose=0) + added
    assert penalised.evaluate(batch, labels, verbose=0) == pytest.approx(expected, rel=1e-5)
    history = penalised.fit(batch, labels, epochs=2, verbose=0).history
    assert history["loss"][1] < history["loss"][0]


@pytest.mark.parametrize("arguments", [{}, {**field_aware, "gated_attention": True}], ids=str)
def test_every_weight_gets_a_gradient(schema, batch, arguments):
    """A weight that training never moves is a weight that the equations do not use."""
    model = make(schema, **arguments)
    before = weights_of(model)
    compile_eagerly(model)
    model.fit(batch, np.arange(16) % 2, epochs=3, verbose=0)
    after = weights_of(model)
    unmoved = [path for path in before if np.array_equal(before[path], after[path])]
    assert unmoved == [path for path in before if path == "average_terms"]


def test_wide_models_keep_their_fields_apart():
    """Records of many fields: each field's id reaches its own rows of the shared table."""
    schema = Schema(Field(f"f{i}", "categorical", 2) for i in range(30))
    model = make(schema)
    weights = inside(weights_of(model), "embedding")
    ids = np.ones((1, 30), int)
    np.testing.assert_allclose(
        model.embedding({"categorical": ids})[0], weights["table"][1::2], rtol=1e-6
    )


# Contributions.


@every_preset
@pytest.mark.parametrize("mlp_units", [(), (6,), (6, 4)])
def test_contributions_and_bias_add_up_to_the_logit(schema, rng, preset, mlp_units):
    model = make(schema, preset, mlp_units=mlp_units)
    explanation = model.explain(random_batch(schema, rng, rows=500))
    total = np.sum(explanation["contributions"], axis=(1, 2)) + explanation["bias"]
    np.testing.assert_allclose(total, explanation["logits"], rtol=1e-4, atol=1e-4)
    assert np.min(explanation["contributions"]) < 0 < np.max(explanation["contributions"])


@every_form
def test_contributions_of_narrow_weights_add_up_as_well(schema, rng, preset, arguments):
    records = random_batch(schema, rng, rows=50)
    explanation = make(schema, preset, dtype="bfloat16", **arguments).explain(records)
    total = np.sum(explanation["contributions"], axis=(1, 2)) + explanation["bias"]
    np.testing.assert_allclose(total, explanation["logits"], rtol=1e-5, atol=1e-5)


@every_form
def test_no_record_has_no_explanation(schema, batch, preset, arguments):
    model = make(schema, preset, **arguments)
    explained = model.explain({kind: values[:0] for kind, values in batch.items()})
    expected = {name: np.shape(values)[1:] for name, values in model.explain(batch).items()}
    assert {name: np.shape(values)[1:] for name, values in explained.items()} == expected
    assert len(explained["contributions"]) == 0


@pytest.mark.parametrize("dtype", ["mixed_bfloat16", "mixed_float16"])
@every_form
def test_contributions_in_half_precision_add_up_as_well(schema, rng, preset, arguments, dtype):
    records = random_batch(schema, rng, rows=200)
    exact, half = (make(schema, preset, dtype=d, **arguments) for d in ("float32", dtype))
    half.set_weights(exact.get_weights())
    explanation, expected = half.explain(records), exact.explain(records)
    for name in ("contributions", "bias"):
        assert keras.backend.standardize_dtype(explanation[name].dtype) == "float32"
    total = np.sum(explanation["contributions"], axis=(1, 2)) + explanation["bias"]
    np.testing.assert_allclose(total, explanation["logits"], rtol=1e-5, atol=1e-5)
    np.testing.assert_array_equal(explanation["logits"], half(records)[:, 0])
    np.testing.assert_allclose(explanation["bias"], expected["bias"], atol=1e-5)
    off = np.abs(explanation["contributions"] - expected["contributions"])
    assert off.mean() < 0.1 * np.abs(expected["contributions"]).mean()


def test_contributions_of_a_linear_output_are_its_terms(schema, batch):
    model = make(schema, "paper", mlp_units=(), order=1)
    explanation = model.explain(batch)
    features = model.feed_forward(model.attention(model.embedding(batch)))  # (B, m, d)
    kernel = np.asarray(model.mlp[-1].kernel)[:, 0]
    expected = np.asarray(explanation["field_weights"])[:, 0] * (np.asarray(features) @ kernel)
    np.testing.assert_allclose(explanation["contributions"][:, 0], expected, rtol=1e-4, atol=1e-5)
