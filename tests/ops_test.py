"""Which operation computes what layers ask for, and that it is the same whichever does."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from interhat_tf import Adam, InterHAt, kernels
from interhat_tf.explanation.batches import explain_inputs
from interhat_tf.layers import InteractingLayer, MultiHeadSelfAttention
from interhat_tf.models.baselines.pnn import PNN
from interhat_tf.ops import (
    cpu_kernels,
    inner_products,
    multi_head_attention,
    multi_head_self_attention,
    weighted_sum,
)
from interhat_tf.training.evaluation import compile_prediction
from tests.conftest import random_batch
from tests.kernels.reference import needs_kernels

RELEASED = {"activation": "relu", "use_bias": True, "residual": True}


def kernels_in(function, *specs, **arguments):
    """Returns the types of the CPU kernels in the graph of a function, and in those it calls."""
    graph = tf.function(function).get_concrete_function(*specs, **arguments).graph.as_graph_def()
    nodes = [
        *graph.node,
        *(node for function in graph.library.function for node in function.node_def),
    ]
    return [node.op for node in nodes if node.op.startswith("Interhat")]


def step_of(layer, inputs):
    with tf.GradientTape() as tape:
        inputs = tf.constant(inputs)
        tape.watch(inputs)
        output = layer(inputs, training=True)
        loss = tf.reduce_sum(tf.sin(output))
    weights = layer.trainable_weights
    return [output, *tape.gradient(loss, [inputs, *(weight.value for weight in weights)])]


@needs_kernels
@pytest.mark.parametrize(
    "make, fields, operation",
    [
        (lambda: MultiHeadSelfAttention(3, 2), 5, "InterhatAttention"),
        (lambda: MultiHeadSelfAttention(2, 16), 17, "InterhatAttention"),  # folded
        (lambda: MultiHeadSelfAttention(2, 3, **RELEASED), 5, "InterhatAttention"),
        (lambda: MultiHeadSelfAttention(2, 8, **RELEASED), 5, "InterhatSelfAttention"),
        (lambda: MultiHeadSelfAttention(2, 16, **RELEASED), 17, "InterhatSelfAttention"),
        (lambda: MultiHeadSelfAttention(2, 16, activation="tanh"), 17, "InterhatAttention"),
        (lambda: InteractingLayer(2, 3), 5, "InterhatAttention"),
        (lambda: InteractingLayer(2, 16), 17, "InterhatSelfAttention"),
    ],
)
def test_layers_compute_the_same_in_training(rng, monkeypatch, make, fields, operation):
    inputs = rng.normal(size=(19, fields, 4)).astype("float32")
    layer = make()
    layer(inputs)
    monkeypatch.setenv(kernels.SWITCH, "0")
    expected = step_of(layer, inputs)
    monkeypatch.delenv(kernels.SWITCH)
    # What TensorFlow computes the same way would prove nothing.
    spec = tf.TensorSpec((None, fields, 4))
    assert kernels_in(layer, spec, training=True) == [operation]
    for result, exact in zip(step_of(layer, inputs), expected, strict=True):
        np.testing.assert_allclose(result, exact, atol=1e-6 * max(np.abs(exact).max(), 10))


@needs_kernels
@pytest.mark.parametrize(
    "training, dtype, dropout, attention",
    [
        (False, "float32", 0, False),  # a graph that may be exported
        (True, "float64", 0, False),
        (True, "mixed_bfloat16", 0, False),
        (True, None, 0.5, False),
        (True, None, 0, True),
    ],
)
def test_all_else_is_left_to_tensorflow(training, dtype, dropout, attention):
    layer = MultiHeadSelfAttention(2, 3, dropout=dropout, dtype=dtype)
    layer.build((None, 5, 4))
    spec = tf.TensorSpec((None, 5, 4), layer.compute_dtype)
    used = kernels_in(layer, spec, training=training, return_attention=attention)
    assert used == ["InterhatDropout"] * bool(dropout)


@needs_kernels
def test_graphs_that_stay_in_the_process_use_kernels():
    layer = MultiHeadSelfAttention(2, 3)
    layer.build((None, 5, 4))

    def predict(inputs):
        with cpu_kernels():
            return layer(inputs)

    assert kernels_in(predict, tf.TensorSpec((None, 5, 4))) == ["InterhatAttention"]


@needs_kernels
@pytest.mark.slow
def test_all_that_a_model_does_here_uses_kernels(schema, rng, monkeypatch):
    model, batch, labels = InterHAt(schema), random_batch(schema, rng, 8), np.arange(8) % 2
    model.compile(Adam(), keras.losses.BinaryCrossentropy(from_logits=True), jit_compile=False)
    used = set()

    def spy(name, original):
        def call(*args, **kwargs):
            used.add(name)
            return original(*args, **kwargs)

        return call

    names = {"self_attention", "hierarchy"}
    for name in names:
        monkeypatch.setattr(kernels, name, spy(name, getattr(kernels, name)))
    for act in (model.train_on_batch, model.test_on_batch):
        act(batch, labels)
        assert used == names
        used.clear()
    answers = [
        lambda: model(batch),
        lambda: model.explain(batch)["logits"][:, None],
        lambda: model.predict(batch, verbose=0),
        lambda: compile_prediction(model, microbatch_size=4)(batch),
        lambda: explain_inputs(model, batch)["logits"][:, None],
    ]
    expected = tf.function(model)(batch)
    assert not used
    for answer in answers:
        np.testing.assert_allclose(answer(), expected, rtol=1e-5, atol=1e-6)
        assert used == names
        used.clear()


@needs_kernels
@pytest.mark.slow
def test_a_compiled_step_does_without(schema, rng):
    """XLA cannot compile the kernels; the step must not ask for them."""
    model = InterHAt(schema)
    model.compile(Adam(), keras.losses.BinaryCrossentropy(from_logits=True), jit_compile=True)
    batch = random_batch(schema, rng, 8)
    losses = [model.train_on_batch(batch, np.ones(8)) for _ in range(2)]
    assert losses[1] < losses[0]


@needs_kernels
@pytest.mark.parametrize("preset", ["paper", "released", "tuned"])
def test_second_derivatives_of_an_eager_call(schema, rng, monkeypatch, preset):
    model = InterHAt.from_preset(preset, schema, num_heads=2, order=2)
    fields = model.embedding(random_batch(schema, rng, 3))

    def hessian():
        with tf.GradientTape() as outer:
            outer.watch(fields)
            with tf.GradientTape() as inner:
                inner.watch(fields)
                logits = model.predict_embedded(fields)
            gradient = inner.gradient(logits, fields)
        return outer.batch_jacobian(gradient, fields)  # (B, m, d, m, d)

    found = hessian()
    monkeypatch.setenv(kernels.SWITCH, "0")
    expected = hessian()
    np.testing.assert_allclose(found, expected, atol=1e-6 * max(np.abs(expected).max(), 10))


# The orders of InterHAt.

FORMS = [
    {},
    {"preset": "paper"},
    {"order": 1},
    {"self_attention": False, "order": 4},
    {"preset": "tuned", "dropout": 0.0},
    {"score_batch_norm": True},
    {"value_dim": 5, "aggregation_bias": False},
    {"value_dim": 5, "shared_values": True},
    {"value_dim": 5, "pair_values": True},
    {"value_dim": 5, "shared_values": True, "pair_values": True},
]


@needs_kernels
@pytest.mark.parametrize("form", FORMS, ids=str)
def test_orders_are_pooled_alike(schema, rng, monkeypatch, form):
    model = InterHAt.from_preset(form.get("preset", "released"), schema, **_without_preset(form))
    batch = random_batch(schema, rng, 19)
    for weight in model.weights:  # no batch normalisation as it starts
        weight.assign(weight + 0.1 * rng.random(weight.shape))
    before = model.get_weights()
    monkeypatch.setenv(kernels.SWITCH, "0")
    explained, expected = model.explain(batch), gradients_of(model, batch)
    monkeypatch.delenv(kernels.SWITCH)
    name = "InterhatNormalizedHierarchy" if _is_normalized(model) else "InterhatHierarchy"
    assert name in kernels_in(model, specs_of(model), training=True)
    moved = statistics_of(model)
    model.set_weights(before)
    for key, found in model.explain(batch).items():
        np.testing.assert_allclose(found, explained[key], rtol=1e-5, atol=1e-5, err_msg=key)
    for found, right in zip(gradients_of(model, batch), expected, strict=True):
        np.testing.assert_allclose(found, right, atol=1e-4 * max(np.abs(right).max(), 1))
    for found, right in zip(statistics_of(model), moved, strict=True):
        np.testing.assert_allclose(found, right, rtol=1e-5, atol=1e-6)


@needs_kernels
@pytest.mark.parametrize("shared", [True, False])
def test_values_are_summed_and_normalised_by_kernels(schema, shared):
    model = InterHAt(schema, value_dim=5, shared_values=shared, pair_values=True)
    used = kernels_in(model, specs_of(model), training=True)
    assert {"InterhatWeightedSum", "InterhatBatchNorm", "InterhatInnerProducts"} <= set(used)


@needs_kernels
def test_products_of_an_mlp_that_is_told_them_are_a_kernel(schema):
    model = PNN(schema)
    assert "InterhatInnerProducts" in kernels_in(model, specs_of(model), training=True)


@pytest.mark.parametrize("shape", [(4, 3, 2), (4, 3)], ids=str)
def test_weights_of_all_records_alike(rng, shape):
    terms, weights = [tf.constant(rng.normal(size=shape)) for _ in range(2)], [[0.25, 4.0]]
    for dtype in ("float32", "float64"):
        inputs = [tf.cast(term, dtype) for term in terms]
        found = weighted_sum(tf.constant(weights, dtype), inputs, training=True)
        np.testing.assert_allclose(found, terms[0] / 4 + terms[1] * 4, rtol=1e-5)


def test_products_by_weights_of_all_records_alike(rng):
    fields, weights = rng.normal(size=(4, 3, 2)), np.array([[0.25, 4.0, 1.0]])
    products = [fields[:, j] * fields[:, k] for j, k in ((0, 1), (0, 2), (1, 2))]
    right = np.stack([p.sum(axis=-1) for p in products], axis=1) * [4.25, 1.25, 5.0]
    for dtype in ("float32", "float64"):
        inputs = [tf.constant(array, dtype) for array in (fields, weights)]
        found = inner_products(*inputs, training=True)
        np.testing.assert_allclose(found, right, rtol=1e-5)


@needs_kernels
@pytest.mark.parametrize(
    "form",
    [
        {"gated_attention": True},
        {"gated_attention": True, "value_dim": 5},
        {"dtype": "float64"},
        {"dtype": "float64", "value_dim": 5},
    ],
    ids=str,
)
def test_other_orders_are_left_to_layers(schema, form):
    model = InterHAt(schema, **form)
    used = kernels_in(model, specs_of(model), training=True)
    assert not {"InterhatHierarchy", "InterhatNormalizedHierarchy"} & set(used)


@needs_kernels
@pytest.mark.parametrize("frozen", [[0], [0, 1, 2]], ids=["one", "all"])
def test_frozen_normalisations_stay_as_they_are(schema, rng, frozen):
    model = InterHAt(schema, value_dim=5)
    normalizations = [aggregate.normalization for aggregate in model.aggregations]
    for number in frozen:
        normalizations[number].trainable = False
    before = [np.array(of_order.moving_mean) for of_order in normalizations]
    model(random_batch(schema, rng, 19), training=True)
    moved = [
        np.any(of_order.moving_mean.numpy() != mean)
        for of_order, mean in zip(normalizations, before, strict=True)
    ]
    assert moved == [number not in frozen for number in range(3)]


@needs_kernels
def test_orders_with_given_weights_are_left_to_layers(schema, rng):
    model = InterHAt(schema, order=2)
    fields = model.embedding(random_batch(schema, rng, 5))
    given = np.full((2, 4), 0.25, "float32")
    found = model.forward(fields, field_weights=given).field_weights
    np.testing.assert_array_equal(np.stack(found), np.full((2, 1, 4), 0.25))


def statistics_of(model):
    """Returns the moving means and variances."""
    return [np.array(weight) for weight in model.non_trainable_weights if "moving" in weight.name]


def _is_normalized(model):
    return model.aggregations[0].batch_norm


def _without_preset(form):
    return {name: value for name, value in form.items() if name != "preset"}


def specs_of(model):
    return {
        kind: tf.TensorSpec(inputs.shape, inputs.dtype)
        for kind, inputs in model.symbolic_inputs().items()
    }


def gradients_of(model, batch):
    with tf.GradientTape() as tape:
        loss = tf.reduce_sum(tf.sin(model(batch, training=True)))
    weights = [weight.value for weight in model.trainable_weights]
    # One order needs no weights of orders.
    found = tape.gradient(loss, weights, unconnected_gradients="zero")
    return [loss, *map(tf.convert_to_tensor, found)]


# Wide linear heads.


@pytest.mark.parametrize("switch", ["0", "1"], ids=["without kernels", "with them"])
@pytest.mark.parametrize("return_weights", [False, True])
def test_folding_changes_no_result_and_no_gradient(rng, monkeypatch, switch, return_weights):
    monkeypatch.setenv(kernels.SWITCH, switch)
    inputs = tf.constant(rng.normal(size=(6, 5, 4)), "float32")
    projections = [keras.layers.Dense(units, use_bias=False) for units in (14, 14, 14, 3)]
    for projection, width in zip(projections, (4, 4, 4, 14), strict=True):
        projection.build((None, width))
    arguments = {"num_heads": 2, "temperature": 1.7, "return_weights": return_weights}

    def step_by_step(inputs, query, key, value, output):
        projected = [projection(inputs) for projection in (query, key, value)]
        heads, weights = multi_head_attention(*projected, **arguments)
        return output(heads), weights

    def output_and_gradients(function):
        with tf.GradientTape() as tape:
            tape.watch(inputs)
            outputs, weights = function(inputs, *projections)
            loss = tf.reduce_sum(outputs**2)
            loss += tf.reduce_sum(weights**3) if return_weights else 0.0
        sources = [inputs, *(projection.kernel.value for projection in projections)]
        return [outputs, *tape.gradient(loss, sources)]

    found = output_and_gradients(lambda *a: multi_head_self_attention(*a, **arguments))
    for result, expected in zip(found, output_and_gradients(step_by_step), strict=True):
        np.testing.assert_allclose(result, expected, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize(
    "arguments, folded",
    [
        ({}, True),
        ({"key_dim": 3}, False),
        ({"activation": "relu"}, False),
        ({"use_bias": True}, False),
    ],
    ids=str,
)
def test_linear_heads_at_least_as_wide_as_the_fields_are_folded(arguments, folded):
    layer = MultiHeadSelfAttention(**{"num_heads": 3, "key_dim": 7, **arguments})
    layer.build((None, 5, 4))
    graph = tf.function(layer).get_concrete_function(tf.TensorSpec((6, 5, 4))).graph
    shapes = [output.shape for node in graph.get_operations() for output in node.outputs]
    assert ((6 * 5, 3 * layer.key_dim) not in shapes) == folded


def test_a_record_of_one_field_attends_to_it_alone(rng, recwarn):
    inputs = tf.constant(rng.normal(size=(3, 1, 4)), "float32")
    _, attention = MultiHeadSelfAttention(2, 3)(inputs, return_attention=True)
    np.testing.assert_array_equal(attention, np.ones((3, 2, 1, 1)))
    assert not [warning for warning in recwarn if "softmax" in str(warning.message)]
