"""The models that InterHAt is compared with, each against its paper written out in NumPy."""

import json

import keras
import numpy as np
import pytest
import tensorflow as tf

from interhat_tf import Field, Schema, models
from interhat_tf.models import MODELS
from interhat_tf.training.optimizers import Adam
from tests.conftest import random_batch, run_python
from tests.layers import reference
from tests.numpy_reference import dense, field_embedding, inside, randomise, weights_of

MLP = {"mlp_units": (6, 5)}
DEEP = {"embedding_dim": 4, **MLP}
SIZES = {
    "lr": {},
    "fm": {"embedding_dim": 4},
    "dnn": DEEP,
    "wide_deep": DEEP,
    "dcn": {**DEEP, "num_cross_layers": 2},
    "dcn_v2": {**DEEP, "num_cross_layers": 2},
    "dcn_v2_stacked": {**DEEP, "num_cross_layers": 2, "structure": "stacked"},
    "deepfm": DEEP,
    "ipnn": DEEP,
    "opnn": DEEP,
    "pnn": DEEP,
    "xdeepfm": {**DEEP, "cin_units": (3, 2)},
    "autoint": {"embedding_dim": 4, "num_layers": 2, "num_heads": 2, "key_dim": 3},
    "autoint_plus": {**DEEP, "num_layers": 2, "num_heads": 2, "key_dim": 3},
    "afm": {"embedding_dim": 4, "attention_size": 3},
    "ffm": {"embedding_dim": 4},
}
VARIANTS = {"dcn_v2_stacked": "dcn_v2", "autoint_plus": "autoint"}
DEEP_MODELS = [name for name, sizes in SIZES.items() if "mlp_units" in sizes]
INTERACTIONS = [name for name in SIZES if name != "lr"]

every_model = pytest.mark.parametrize("name", SIZES)


def build(name, schema, **arguments):
    return MODELS[VARIANTS.get(name, name)](schema, **{**SIZES[name], **arguments})


def make(name, schema, **arguments):
    return randomise(build(name, schema, **arguments))


def test_every_baseline_of_the_registry_is_tested_here():
    assert set(MODELS) - {"interhat", "interhat_s"} == set(SIZES) - set(VARIANTS)


# What the models compute.


def forward(name, batch, weights, sizes):
    """Returns the logits, (B, 1), from the papers' equations."""

    def part(of):
        return inside(weights, of)

    batch = {kind: v.astype("float64") if v.dtype.kind == "f" else v for kind, v in batch.items()}
    linear = reference.first_order(batch, part("linear"), sizes) if part("linear") else 0
    if name == "lr":
        return linear
    x = field_embedding(batch, part("embedding"), sizes)
    flat = np.concatenate([x[:, i] for i in range(x.shape[1])], axis=1)

    def deep(of):
        return reference.mlp(of, part("mlp"), 2)

    if name == "fm":
        return linear + reference.factorization_machine(x)
    if name in ("dnn", "wide_deep"):
        return linear + dense(deep(flat), weights, "logit")
    if name == "dcn":
        crossed = reference.cross_network(flat, part("cross"), 2)
        return dense(np.concatenate([crossed, deep(flat)], axis=1), weights, "logit")
    if name == "dcn_v2":
        crossed = reference.cross_network_v2(flat, weights, 2)
        return dense(np.concatenate([crossed, deep(flat)], axis=1), weights, "logit")
    if name == "dcn_v2_stacked":
        return dense(deep(reference.cross_network_v2(flat, weights, 2)), weights, "logit")
    if name == "deepfm":
        return linear + reference.factorization_machine(x) + dense(deep(flat), weights, "logit")
    if name in ("ipnn", "opnn", "pnn"):
        products = {"ipnn": [reference.inner_product], "opnn": [reference.outer_product]}
        products["pnn"] = products["ipnn"] + products["opnn"]
        signals = [flat, *(product(x) for product in products[name])]
        return dense(deep(np.concatenate(signals, axis=1)), weights, "logit")
    if name == "xdeepfm":
        cin = reference.compressed_interaction_network(x, part("cin"), (3, 2))
        return linear + dense(cin, weights, "cin_logit") + dense(deep(flat), weights, "logit")
    if name in ("autoint", "autoint_plus"):
        for layer in (1, 2):
            x = reference.interacting_layer(x, part(f"interaction_{layer}"), 2)
        logit = dense(x.reshape(len(x), -1), weights, "logit")
        if name == "autoint_plus":
            logit = logit + dense(deep(flat), weights, "mlp_logit")
        return logit
    if name == "afm":
        pairs = reference.elementwise_product(x)
        pooled = []
        for row in pairs:
            hidden = np.maximum(dense(row, part("attention"), "projection"), 0)
            scores = np.exp(hidden @ weights["attention/context"][:, 0])
            pooled.append((scores / scores.sum()) @ row)
        return linear + dense(np.stack(pooled), weights, "logit")
    assert name == "ffm"
    return linear + reference.field_aware_factorization_machine(x)


@every_model
@pytest.mark.parametrize("kind", ["mixed", "categorical", "numerical"])
def test_equals_numpy(schema, batch, name, kind):
    if kind != "mixed":
        schema, batch = Schema(getattr(schema, kind)), {kind: batch[kind]}
    model = make(name, schema)
    expected = forward(name, batch, weights_of(model), schema.vocabulary_sizes)
    assert expected.shape == model(batch).shape == (16, 1)
    np.testing.assert_allclose(model(batch), expected, rtol=1e-4, atol=1e-4)
    assert np.std(expected) > 0.01, "constant logits prove nothing"


@every_model
def test_takes_a_record_of_one_field(name):
    model = make(name, Schema([Field("app", "categorical", 5)]))
    logits = model({"categorical": np.arange(5)[:, None]})
    assert np.isfinite(logits).all()
    assert len(np.unique(logits)) == 5


def parameters(name, n, m, d=4, first=6, second=5):
    """The papers' numbers of weights, for n values and numerical fields, m fields."""
    width, pairs = m * d, m * (m - 1) // 2
    linear, embeddings = n, n * d

    def deep(inputs):
        return inputs * first + first + first * second + second

    logit = second + 1
    return {
        "lr": linear + 1,
        "fm": 1 + n + n * d,
        "dnn": embeddings + deep(width) + logit,
        "wide_deep": linear + embeddings + deep(width) + logit,
        "dcn": embeddings + 2 * 2 * width + deep(width) + width + logit,
        "dcn_v2": embeddings + 2 * (width**2 + width) + deep(width) + width + logit,
        "dcn_v2_stacked": embeddings + 2 * (width**2 + width) + deep(width) + logit,
        "deepfm": linear + embeddings + deep(width) + logit,
        "ipnn": embeddings + deep(width + pairs) + logit,
        "opnn": embeddings + deep(width + d * d) + logit,
        "pnn": embeddings + deep(width + pairs + d * d) + logit,
        "xdeepfm": linear + embeddings + 3 * (1 + m * m) + 2 * (1 + 3 * m) + deep(width) + logit,
        "autoint": embeddings + 4 * d * 6 + 4 * 6 * 6 + m * 6 + 1,
        "autoint_plus": embeddings + 4 * d * 6 + 4 * 6 * 6 + m * 6 + 1 + deep(width) + second,
        "afm": 1 + n + n * d + (3 * d + 2 * 3) + d,
        "ffm": 1 + n + n * m * d,
    }[name]


@every_model
def test_number_of_parameters_follows_the_formula(schema, name):
    assert build(name, schema).count_params() == parameters(name, n=7 + 4 + 2, m=4)
    categorical = Schema(schema.categorical)
    assert build(name, categorical).count_params() == parameters(name, n=7 + 4, m=2)


@pytest.mark.parametrize(
    ("name", "arguments", "public"),
    [
        ("fm", {}, 59280),
        ("afm", {}, 60826),
        ("dcn", {"num_cross_layers": 3, "batch_norm": True}, 418591),
        ("dcn_v2", {"batch_norm": True}, 458391),
        ("deepfm", {"batch_norm": True}, 423280),
        # Without the biases that FuxiCTR gives each feature map and their sum.
        ("xdeepfm", {"cin_units": (64,), "batch_norm": True}, 429809 - 64 - 1),
    ],
)
def test_number_of_parameters_is_that_of_the_public_benchmark(name, arguments, public):
    """BARS' logs for Frappe, whose 10 fields have 5,389 ids there."""
    schema = Schema(Field(f"f{i}", "categorical", 538 + 9 * (i == 0)) for i in range(10))
    trained = MODELS[name](schema, **arguments).trainable_weights
    assert sum(int(np.prod(weight.shape)) for weight in trained) == public


def test_order_of_fields_does_not_matter_where_no_weight_depends_on_it(schema, batch):
    """FM, AFM and LR treat fields alike; swapping fields with their rows changes nothing."""
    swapped = {kind: values[:, ::-1] for kind, values in batch.items()}
    for name in ("lr", "fm", "afm"):
        model, mirror = make(name, schema), make(name, Schema(schema.fields[::-1]))
        weights = weights_of(model)
        for path, values in weights.items():
            if path.endswith("numerical_table"):
                weights[path] = values[::-1]
            elif path.endswith("table"):
                weights[path] = np.concatenate(np.split(values, [7])[::-1])
        mirror.set_weights(list(weights.values()))
        np.testing.assert_allclose(mirror(swapped), model(batch), rtol=1e-4, atol=1e-5)


# Configuration, saving and training, Keras' own ways.


def through_json(model):
    return type(model).from_config(json.loads(json.dumps(model.get_config())))


@pytest.mark.parametrize(
    ("name", "copy"),
    [
        *((name, through_json) for name in SIZES),
        ("xdeepfm", keras.models.clone_model),
        ("xdeepfm", lambda model: keras.models.model_from_json(model.to_json())),
    ],
)
def test_copies_from_the_configuration_alone(schema, batch, name, copy):
    arguments = {"embedding_l2": 0.1}
    if name != "lr":
        arguments["embeddings_initializer"] = keras.initializers.RandomNormal(stddev=0.1, seed=1)
    if name in DEEP_MODELS:
        arguments |= {"dropout": 0.2, "batch_norm": True, "dense_l2": 0.01}
    model = build(name, schema, **arguments)
    same = copy(model)
    same.set_weights(model.get_weights())
    np.testing.assert_array_equal(same(batch), model(batch))
    np.testing.assert_allclose(sum(same.losses), sum(model.losses), rtol=1e-6)
    assert same.schema == schema
    assert same.get_config() == model.get_config()


@every_model
def test_saved_model_loads(schema, batch, name, tmp_path):
    model = make(name, schema, embedding_l2=0.1)
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    assert type(loaded) is type(model)
    assert loaded.schema == schema
    np.testing.assert_array_equal(loaded(batch), model(batch))
    np.testing.assert_allclose(sum(loaded.losses), sum(model.losses), rtol=1e-6)


FRESH_PROCESS = """
import sys
import interhat_tf, keras, numpy as np
folder = sys.argv[1]
batch = dict(np.load(f"{folder}/batch.npz"))
models = {name: keras.saving.load_model(f"{folder}/{name}.keras") for name in sys.argv[2:]}
call = lambda: {name: model(batch) for name, model in models.items()}
if keras.backend.backend() == "jax":
    import jax
    call = jax.jit(call)  # One compilation instead of one for each small operation.
np.savez(f"{folder}/logits.npz", **{name: np.asarray(v) for name, v in call().items()})
"""


@pytest.mark.slow
@pytest.mark.parametrize(("backend", "tolerance"), [("tensorflow", 0), ("jax", 1e-4)])
def test_saved_models_load_in_a_fresh_process(schema, batch, tmp_path, backend, tolerance):
    """Bit for bit on the same backend; Keras' JAX backend computes the same logits."""
    np.savez(tmp_path / "batch.npz", **batch)
    built = {name: make(name, schema, embedding_l2=0.1) for name in SIZES}
    for name, model in built.items():
        model.save(tmp_path / f"{name}.keras")
    run_python("-c", FRESH_PROCESS, tmp_path, *built, KERAS_BACKEND=backend)
    logits = np.load(tmp_path / "logits.npz")
    for name, model in built.items():
        np.testing.assert_allclose(
            logits[name], model(batch), rtol=tolerance, atol=tolerance, err_msg=name
        )


@every_model
def test_each_l2_penalises_its_own_weights(schema, batch, name):
    strengths = {"embedding_l2": 0.1}
    if name in (*DEEP_MODELS, "autoint", "afm"):
        strengths["dense_l2"] = 0.01
    model = make(name, schema, **strengths)
    model(batch)
    expected = 0
    for path, values in weights_of(model).items():
        if path == "linear/bias":
            continue
        table = path.startswith(("embedding/", "linear/weights/"))
        expected += strengths["embedding_l2" if table else "dense_l2"] * (values**2).sum()
    np.testing.assert_allclose(float(sum(model.losses)), expected, rtol=1e-4)
    assert not make(name, schema).losses


@every_model
def test_every_weight_gets_a_gradient(schema, batch, name):
    """A weight that training never moves is a weight that the equations do not use."""
    model = make(name, schema)
    with tf.GradientTape() as tape:
        loss = tf.reduce_sum(tf.square(model(batch, training=True)))
    gradients = tape.gradient(loss, model.trainable_variables)
    assert len(gradients) == len(model.weights)
    for weight, gradient in zip(model.trainable_variables, gradients, strict=True):
        assert gradient is not None, weight.path
        assert np.abs(tf.convert_to_tensor(gradient)).max() > 1e-6, weight.path


@every_model
def test_double_precision_all_the_way(schema, batch, name):
    exact, double = make(name, schema), make(name, schema, dtype="float64")
    double.set_weights(exact.get_weights())
    logits = double(batch)
    assert keras.backend.standardize_dtype(logits.dtype) == "float64"
    assert {w.dtype for w in double.weights} == {"float64"}
    np.testing.assert_allclose(logits, exact(batch), atol=1e-5)


@every_model
def test_half_precision_gives_float32_logits_near_the_exact_ones(schema, batch, name):
    batch = {**batch, "numerical": np.round(batch["numerical"] * 4) / 4}  # Exact in bfloat16.
    exact, half = make(name, schema), make(name, schema, dtype="mixed_bfloat16")
    logits = half(batch)
    assert keras.backend.standardize_dtype(logits.dtype) == "float32"
    assert {w.dtype for w in half.weights} == {"float32"}
    np.testing.assert_allclose(logits, exact(batch), atol=0.03 * np.abs(exact(batch)).max() + 0.05)


@pytest.mark.parametrize("name", [*DEEP_MODELS, "afm"])
def test_dropout_acts_in_training_only(schema, batch, name):
    model = make(name, schema, dropout=0.5)
    np.testing.assert_array_equal(model(batch), model(batch))
    assert not np.allclose(model(batch, training=True), model(batch, training=True))


@pytest.mark.parametrize("name", DEEP_MODELS)
def test_batch_norm_reaches_the_mlp(schema, batch, name):
    model = build(name, schema, batch_norm=True)
    more = 4 * sum(SIZES[name]["mlp_units"])
    assert model.count_params() == build(name, schema).count_params() + more
    moving = model.mlp.normalizations[0].moving_mean.numpy()
    model(batch, training=True)
    assert not np.array_equal(model.mlp.normalizations[0].moving_mean, moving)


@every_model
def test_learns_a_planted_pair_if_it_has_interactions(name):
    """Clicks are the exclusive or of two fields: no sum of single fields predicts them."""
    schema = Schema(Field(f"f{i}", "categorical", 2) for i in range(3))
    records = {"categorical": np.stack(np.indices((2, 2, 2)), -1).reshape(-1, 3)}
    clicks = (records["categorical"][:, :1] ^ records["categorical"][:, 1:2]).astype("float32")
    model, loss = build(name, schema), keras.losses.BinaryCrossentropy(from_logits=True)
    optimizer = Adam(0.05)
    optimizer.build(model.trainable_variables)

    @tf.function
    def train():
        for _ in tf.range(200):
            with tf.GradientTape() as tape:
                logloss = loss(clicks, model(records, training=True))
            gradients = tape.gradient(logloss, model.trainable_variables)
            optimizer.apply_gradients(zip(gradients, model.trainable_variables, strict=True))

    train()
    logloss = float(loss(clicks, model(records)))
    assert logloss > 0.69 if name == "lr" else logloss < 0.1


def test_rejects_what_it_does_not_know(schema):
    with pytest.raises(ValueError, match="one of inner, outer, both, got 'cross'"):
        models.PNN(schema, product="cross")
    with pytest.raises(ValueError, match="'parallel' or 'stacked', got 'both'"):
        models.DCNv2(schema, structure="both")


@every_model
def test_compiled_prediction_of_any_number_of_rows(name, rng):
    """As a saved model's signature calls it: the number of rows is not known when traced."""
    schema = Schema([Field("app", "categorical", 7), Field("price", "numerical")])
    batch, model = random_batch(schema, rng), make(name, schema)
    specs = {
        "categorical": tf.TensorSpec((None, 1), "int32"),
        "numerical": tf.TensorSpec((None, 1), "float32"),
    }
    traced = tf.function(model, input_signature=[specs], autograph=False)
    as_prepared = {**batch, "categorical": batch["categorical"].astype("int32")}
    np.testing.assert_allclose(traced(as_prepared), model(batch), rtol=1e-4, atol=1e-4)


def test_compile_fit_evaluate_predict(schema, rng):
    batch = random_batch(schema, rng, rows=256)
    labels = (batch["categorical"][:, 0] > 3).astype("float32")
    model = build("deepfm", schema)
    model.compile(Adam(0.05), keras.losses.BinaryCrossentropy(from_logits=True), jit_compile=False)
    before = model.evaluate(batch, labels, verbose=0)
    model.fit(batch, labels, batch_size=32, epochs=5, verbose=0)
    assert model.evaluate(batch, labels, verbose=0) < 0.5 * before
    np.testing.assert_allclose(model.predict(batch, verbose=0), model(batch), atol=1e-4)
