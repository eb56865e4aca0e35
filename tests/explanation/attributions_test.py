import keras
import numpy as np
import pytest
from keras import ops

from interhat_tf import Field, InterHAt, Schema
from interhat_tf.explanation import attributions as attribution
from interhat_tf.explanation import batches, field_sets
from interhat_tf.explanation.batches import predict
from interhat_tf.models import FM, LR
from tests.numpy_reference import randomise

SCHEMA = Schema(
    [Field(f"f{i}", "categorical", 6) for i in range(1, 4)] + [Field("price", "numerical")]
)


def make(**arguments):
    keras.utils.set_random_seed(2)
    return InterHAt(SCHEMA, order=2, embeddings_initializer="random_normal", **arguments)


@pytest.fixture
def inputs(rng):
    return records(rng, 20)


@pytest.fixture
def background(rng):
    return records(rng, 8)


def records(rng, rows):
    return {
        "categorical": rng.integers(0, 6, (rows, 3)),
        "numerical": rng.normal(size=(rows, 1)).astype("float32"),
    }


@pytest.mark.parametrize(
    "types", [{"categorical": "uint8"}, {"numerical": "int32"}, {"numerical": "float64"}], ids=str
)
def test_effects_do_not_depend_on_the_types_of_arrays(types, rng):
    schema = Schema([Field("user", "categorical", 400), Field("price", "numerical")])
    model = randomise(FM(schema, embedding_dim=3))
    wide = rng.integers(256, 400, (8, 1)), rng.random((8, 1)).astype("float32")
    background = dict(zip(("categorical", "numerical"), wide, strict=True))
    inputs = {"categorical": np.array([[3], [7]]), "numerical": np.array([[2.0], [5.0]], "float32")}
    narrow = {kind: values.astype(types.get(kind, values.dtype)) for kind, values in inputs.items()}
    found, expected = (attribution.occlusion(model, x, background) for x in (narrow, inputs))
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-6)


def test_attention_by_hand(inputs):
    model = make()
    explained = {name: np.asarray(value) for name, value in model.explain(inputs).items()}
    found = attribution.attention(model, inputs)
    for record in range(20):
        expected = sum(
            explained["order_weights"][record, i] * explained["field_weights"][record, i]
            for i in range(2)
        )
        np.testing.assert_allclose(found[record], expected, atol=1e-6)
    np.testing.assert_allclose(found.sum(axis=1), 1, atol=1e-5)


def test_rolled_out_attention_by_hand(inputs):
    model = make(num_heads=3)
    heads = np.asarray(model.explain(inputs, return_heads=True)["heads"])
    weights = attribution.attention(model, inputs)
    found = attribution.rolled_out_attention(model, inputs)
    for record in range(20):
        step = (np.eye(4) + heads[record].mean(axis=0)) / 2
        np.testing.assert_allclose(found[record], weights[record] @ step, atol=1e-6)
    alone = make(self_attention=False)
    np.testing.assert_array_equal(
        attribution.rolled_out_attention(alone, inputs), attribution.attention(alone, inputs)
    )


def test_contributions_and_the_bias_are_the_logit(inputs):
    model = make(mlp_bias=True)
    bias = np.asarray(model.explain(inputs)["bias"])
    found = attribution.contributions(model, inputs)
    np.testing.assert_allclose(found.sum(axis=1) + bias, predict(model, inputs), atol=1e-4)


def test_the_gradient_is_that_of_differences(inputs):
    model = make(residual=False, attention_activation=None, order_activation=None)
    fields = np.asarray(model.embedding(inputs), "float32")
    found = attribution.gradient_times_input(model, inputs)
    step = 1e-2
    for field in range(4):
        ends = []
        for sign in (1, -1):
            moved = fields.copy()
            moved[:, field] *= 1 + sign * step
            ends.append(np.asarray(model.predict_embedded(ops.convert_to_tensor(moved)))[:, 0])
        expected = (ends[0] - ends[1]) / (2 * step)
        np.testing.assert_allclose(found[:, field], expected, atol=2e-3)


def test_integrated_gradients_add_up_to_the_difference_from_the_base(inputs, background):
    # A layer norm of almost nothing, at the base, would need more steps.
    model = make(residual=False)
    base = np.asarray(model.embedding(background)).mean(axis=0, keepdims=True)
    start = float(model.predict_embedded(ops.convert_to_tensor(base))[0, 0])
    expected = predict(model, inputs) - start
    errors = [
        np.abs(
            attribution.integrated_gradients(model, inputs, background, steps).sum(axis=1)
            - expected
        ).max()
        for steps in (4, 32, 512)
    ]
    assert errors[2] < 1e-3 and errors[2] < errors[0]


def test_one_step_is_right_where_gradients_are_linear(inputs, background):
    class Squares:
        def embedding(self, inputs):
            return ops.cast(inputs["categorical"], "float32")[..., np.newaxis]  # (B, 3, 1)

        def predict_embedded(self, fields):
            return ops.sum(ops.square(fields), axis=1)  # (B, 1)

    found = attribution.integrated_gradients(Squares(), inputs, background, steps=1)
    base = background["categorical"].mean(axis=0)
    np.testing.assert_allclose(found, inputs["categorical"] ** 2 - base**2, rtol=1e-4, atol=1e-4)


def test_what_occlusion_says_of_a_linear_model_is_exact(inputs, background):
    model = LR(SCHEMA)
    rng = np.random.default_rng(1)
    model.set_weights([rng.normal(size=weight.shape) for weight in model.weights])
    found = attribution.occlusion(model, inputs, background)

    def terms(given):
        """What each field adds to the logit, up to a constant that all records share."""
        first = {kind: values[:1] for kind, values in inputs.items()}
        columns = []
        for kind, column in (*(("categorical", i) for i in range(3)), ("numerical", 0)):
            one = {k: np.repeat(v, len(given["categorical"]), axis=0) for k, v in first.items()}
            one[kind][:, column] = given[kind][:, column]
            columns.append(predict(model, one))
        return np.stack(columns, axis=1)

    expected = terms(inputs) - terms(background).mean(axis=0)
    np.testing.assert_allclose(found, expected, atol=1e-4)


def test_occlusion_sees_both_members_of_an_interaction_and_nobody_else(inputs, background):
    model = FM(SCHEMA, embedding_dim=2)
    model.set_weights([np.zeros(weight.shape) for weight in model.weights])
    table = next(weight for weight in model.weights if weight.shape == (18, 2))
    values = np.zeros(table.shape, "float32")
    values[6 * 0 + 3] = values[6 * 1 + 4] = (2.0, 0.0)  # f1 = 3 and f2 = 4 meet
    table.assign(values)
    inputs["categorical"][:] = (3, 4, 5)
    background["categorical"][:] = (0, 0, 0)
    found = attribution.occlusion(model, inputs, background)
    np.testing.assert_allclose(found, np.tile([4.0, 4.0, 0.0, 0.0], (20, 1)), atol=1e-5)


def test_more_records_than_go_through_the_model_at_a_time(inputs, background, monkeypatch):
    model = make()
    together = {
        name: getattr(attribution, name)(model, inputs)
        for name in ("attention", "rolled_out_attention", "gradient_times_input")
    }
    occluded = attribution.occlusion(model, inputs, background)
    for module in (attribution, batches, field_sets):
        monkeypatch.setattr(module, "ROWS", 7)
    for name, expected in together.items():
        np.testing.assert_allclose(getattr(attribution, name)(model, inputs), expected, atol=1e-5)
    np.testing.assert_allclose(
        attribution.occlusion(model, inputs, background), occluded, atol=1e-5
    )
