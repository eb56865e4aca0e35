"""Tests of our own operations against TensorFlow's."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from interhat_tf import Adam, InterHAt, kernels
from interhat_tf.explanation.batches import explain_inputs
from interhat_tf.layers import InteractingLayer, MultiHeadSelfAttention
from interhat_tf.serving import export_saved_model
from interhat_tf.training.step import compile_prediction
from tests.conftest import random_batch, run_python

needs_kernels = pytest.mark.skipif(
    not kernels.LIBRARY.exists(), reason="not built: python -m interhat_tf.kernels"
)
SHAPES = [  # B, m, h, d_K: less and more than a vector of records, fields and widths of all kinds
    (1, 1, 1, 1),
    (5, 3, 2, 1),
    (33, 7, 3, 5),
    (40, 36, 12, 1),
    (17, 11, 2, 30),
    (16, 23, 12, 3),
]
PROJECTED = [  # B, m, d, h, d_K
    (1, 1, 1, 1, 1),
    (5, 3, 2, 2, 1),
    (3, 17, 16, 2, 16),
    (33, 36, 12, 3, 30),
    (19, 40, 5, 1, 50),
    (70, 21, 8, 2, 20),
]


def attention_by_tensorflow(query, key, value, num_heads, scale):
    """The same by TensorFlow's operations, in the inputs' precision."""
    fields, width = query.shape[1], query.shape[2] // num_heads

    def split(x):
        heads = x.shape[2] // width
        return tf.transpose(tf.reshape(x, (-1, fields, heads, width)), (0, 2, 1, 3))

    scores = tf.matmul(split(query) * tf.cast(scale, query.dtype), split(key), transpose_b=True)
    heads = tf.matmul(tf.nn.softmax(scores), split(value))  # (B, h, m, d_K)
    return tf.reshape(tf.transpose(heads, (0, 2, 1, 3)), query.shape)


def output_and_gradients(function, inputs, gradient):
    with tf.GradientTape() as tape:
        tape.watch(inputs)
        output = function(*inputs)
    return [output, *tape.gradient(output, inputs, gradient)]


@needs_kernels
@pytest.mark.parametrize("spread", [1.0, 30.0], ids=["even weights", "weights of 0 and 1"])
@pytest.mark.parametrize("shared", [False, True], ids=["keys of heads", "shared keys"])
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_attention_and_its_gradient(rng, shape, shared, spread):
    batch, fields, num_heads, width = shape
    whole, of_keys = num_heads * width, width if shared else num_heads * width
    query, key, value, gradient = (
        tf.constant(rng.normal(size=(batch, fields, size)) * times, "float32")
        for size, times in ((whole, spread), (of_keys, 1), (of_keys, 1), (whole, 1))
    )
    arguments = {"num_heads": num_heads, "scale": width**-0.5}
    found = output_and_gradients(
        lambda *inputs: kernels.attention(*inputs, **arguments), [query, key, value], gradient
    )
    expected = output_and_gradients(
        lambda *inputs: attention_by_tensorflow(*inputs, **arguments),
        [tf.cast(x, "float64") for x in (query, key, value)],
        tf.cast(gradient, "float64"),
    )
    for result, exact in zip(found, expected, strict=True):
        scale = max(np.abs(exact).max(), 1)
        np.testing.assert_allclose(result, exact, atol=2e-6 * spread**0.5 * scale)


@needs_kernels
@pytest.mark.parametrize("outputs", [0, 1, 12, 20])
@pytest.mark.parametrize("form", ["plain", "biases", "relu"])
@pytest.mark.parametrize("batch, fields, dim, num_heads, width", PROJECTED, ids=str)
def test_self_attention_and_its_gradient(rng, batch, fields, dim, num_heads, width, form, outputs):
    whole, biased = num_heads * width, form != "plain"
    inputs = [rng.normal(size=(batch, fields, dim))]
    inputs += [rng.normal(size=(dim, whole)) * dim**-0.5 for _ in range(3)]
    inputs += [rng.normal(size=whole) for _ in range(3 * biased)]
    inputs += [rng.normal(size=(whole, outputs)) * whole**-0.5] if outputs else []
    inputs = [tf.constant(x, "float32") for x in inputs]
    gradient = tf.constant(rng.normal(size=(batch, fields, outputs or whole)), "float32")
    arguments = {"num_heads": num_heads, "scale": width**-0.5}

    def by_tensorflow(x, query, key, value, *others):
        projected = [tf.matmul(x, kernel) for kernel in (query, key, value)]
        if biased:
            projected = [y + bias for y, bias in zip(projected, others[:3], strict=True)]
        if form == "relu":
            projected = [tf.nn.relu(y) for y in projected]
        heads = attention_by_tensorflow(*projected, **arguments)
        return tf.matmul(heads, others[-1]) if outputs else heads

    def by_ours(x, query, key, value, *others):
        return kernels.self_attention(
            x,
            [query, key, value],
            others[:3] if biased else None,
            others[-1] if outputs else None,
            **arguments,
            relu=form == "relu",
        )

    found = output_and_gradients(by_ours, inputs, gradient)
    expected = output_and_gradients(
        by_tensorflow, [tf.cast(x, "float64") for x in inputs], tf.cast(gradient, "float64")
    )
    np.testing.assert_allclose(found[0], expected[0], atol=3e-6 * np.abs(expected[0]).max())
    # Softmax does not change with the keys' bias: its gradient, 0, is a sum of what is not small.
    largest = max(np.abs(exact).max() for exact in expected[1:])
    for result, exact in zip(found[1:], expected[1:], strict=True):
        np.testing.assert_allclose(result, exact, atol=3e-6 * largest)


@needs_kernels
def test_the_gradient_of_shared_weights_can_be_repeated(rng):
    """Whatever the threads, parts of a batch are added up in the same order."""
    shapes = [(300, 17, 12), *[(12, 32)] * 3]
    inputs = [tf.constant(rng.normal(size=shape), "float32") for shape in shapes]
    first, second = (
        output_and_gradients(
            lambda x, *weights: kernels.self_attention(x, weights, None, None, 2, 0.25, relu=True),
            inputs,
            tf.ones((300, 17, 32)),
        )
        for _ in range(2)
    )
    for one, other in zip(first, second, strict=True):
        np.testing.assert_array_equal(one, other)


@needs_kernels
def test_weights_that_underflow_are_zero_and_nothing_is_hidden():
    query = tf.constant([[[1e4], [-1e4]]])
    output = kernels.attention(query, query, tf.constant([[[1.0], [5.0]]]), 1, 1.0)
    np.testing.assert_array_equal(output, [[[1.0], [5.0]]])
    not_a_number = tf.constant([[[np.nan], [1.0]]])
    assert np.isnan(kernels.attention(not_a_number, query, query, 1, 1.0)[0, 0, 0])
    assert np.isnan(kernels.attention(query, query, not_a_number, 1, 1.0)).all()


@needs_kernels
def test_an_empty_batch_has_an_empty_result():
    nothing = tf.zeros((0, 3, 4))
    found = output_and_gradients(
        lambda *inputs: kernels.attention(*inputs, 2, 1.0), [nothing] * 3, nothing
    )
    assert all(result.shape == (0, 3, 4) for result in found)
    weights = [tf.ones((4, 6))] * 3
    output, *gradients = output_and_gradients(
        lambda x, *weights: kernels.self_attention(x, weights, None, None, 2, 1.0, relu=False),
        [nothing, *weights],
        tf.zeros((0, 3, 6)),
    )
    assert output.shape == (0, 3, 6) and gradients[0].shape == nothing.shape
    np.testing.assert_array_equal(gradients[1:], np.zeros((3, 4, 6)))


@needs_kernels
@pytest.mark.parametrize(
    "shapes, message",
    [
        (((2, 3), (2, 3), (2, 3)), r"query must be \(B, m, 2 \* d_K\)"),
        (((2, 3, 5), (2, 3, 5), (2, 3, 5)), r"query must be \(B, m, 2 \* d_K\)"),
        (((2, 3, 4), (2, 4, 4), (2, 4, 4)), "key and value must both be"),
        (((2, 3, 4), (2, 3, 4), (2, 3, 2)), "key and value must both be"),
    ],
)
def test_shapes_that_do_not_fit(shapes, message):
    with pytest.raises(tf.errors.InvalidArgumentError, match=message):
        kernels.attention(*map(tf.zeros, shapes), 2, 1.0)


@needs_kernels
@pytest.mark.parametrize(
    "inputs, kernel, last_kernel, bias, output_kernel, scale, message",
    [
        ((3, 4), (4, 6), (4, 6), (6,), (6, 4), 1.0, r"be \(B, m, d\) and \(d, 2 \* d_K\)"),
        ((2, 3, 4), (5, 6), (5, 6), (6,), (6, 4), 1.0, r"be \(B, m, d\) and \(d, 2 \* d_K\)"),
        ((2, 3, 4), (4, 5), (4, 5), (5,), (5, 4), 1.0, r"be \(B, m, d\) and \(d, 2 \* d_K\)"),
        ((2, 3, 4), (4, 6), (4, 8), (6,), (6, 4), 1.0, "kernels must be alike"),
        ((2, 3, 4), (4, 6), (4, 6), (4,), (6, 4), 1.0, r"biases \(h \* d_K\)"),
        ((2, 3, 4), (4, 6), (4, 6), (6,), (5, 4), 1.0, r"output's kernel must be \(h \* d_K, d"),
        ((2, 3, 4), (4, 6), (4, 6), (6,), (6, 4), 0.0, "scale must be positive, got 0"),
    ],
)
def test_projections_that_do_not_fit(
    inputs, kernel, last_kernel, bias, output_kernel, scale, message
):
    weights = [tf.zeros(shape) for shape in (kernel, kernel, last_kernel)]
    with pytest.raises(tf.errors.InvalidArgumentError, match=message):
        kernels.self_attention(
            *(tf.zeros(inputs), weights, [tf.zeros(bias)] * 3, tf.zeros(output_kernel)),
            *(2, scale, False),
        )


def step_of(layer, inputs):
    with tf.GradientTape() as tape:
        inputs = tf.constant(inputs)
        tape.watch(inputs)
        output = layer(inputs, training=True)
        loss = tf.reduce_sum(tf.sin(output))
    weights = layer.trainable_weights
    return [output, *tape.gradient(loss, [inputs, *(weight.value for weight in weights)])]


RELEASED = {"activation": "relu", "use_bias": True, "residual": True}


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
    graph = tf.function(layer).get_concrete_function(spec, training=True).graph
    ours = [o.type for o in graph.get_operations() if o.type.startswith("Interhat")]
    assert ours == [operation]
    for result, exact in zip(step_of(layer, inputs), expected, strict=True):
        np.testing.assert_allclose(result, exact, atol=1e-6 * max(np.abs(exact).max(), 10))


@needs_kernels
@pytest.mark.parametrize(
    "training, dtype, dropout",
    [(False, "float32", 0), (True, "float64", 0), (True, "mixed_bfloat16", 0), (True, None, 0.5)],
)
def test_all_else_is_left_to_tensorflow(training, dtype, dropout):
    layer = MultiHeadSelfAttention(2, 3, dropout=dropout, dtype=dtype)
    layer.build((None, 5, 4))
    spec = tf.TensorSpec((None, 5, 4), layer.compute_dtype)
    graph = tf.function(layer).get_concrete_function(spec, training=training).graph
    assert not [o for o in graph.get_operations() if o.type.startswith("Interhat")]


@needs_kernels
@pytest.mark.slow
def test_predictions_use_them_and_exported_models_do_not(schema, rng, monkeypatch, tmp_path):
    model, batch = InterHAt(schema), random_batch(schema, rng, 8)
    used, original = [], kernels.self_attention

    def spy(*args, **kwargs):
        used.append("self_attention")
        return original(*args, **kwargs)

    monkeypatch.setattr(kernels, "self_attention", spy)
    answers = [
        lambda: model.predict_on_batch(batch),
        lambda: compile_prediction(model, microbatch_size=4)(batch),
        lambda: explain_inputs(model, batch)["logits"][:, None],
    ]
    for answer in answers:
        logits = answer()
        assert used
        used.clear()
        np.testing.assert_allclose(logits, model(batch), atol=1e-6)
        assert not used
    export_saved_model(model, tmp_path / "ours")
    specs = {kind: tf.TensorSpec((None, *v.shape[1:]), v.dtype) for kind, v in batch.items()}
    model.export(tmp_path / "keras", verbose=False, input_signature=[specs])
    for folder in ("ours", "keras"):
        assert b"Interhat" not in (tmp_path / folder / "saved_model.pb").read_bytes()


@needs_kernels
@pytest.mark.slow
def test_a_compiled_step_does_without(schema, rng):
    """XLA cannot compile our operations; the step must not ask for them."""
    model = InterHAt(schema)
    model.compile(Adam(), keras.losses.BinaryCrossentropy(from_logits=True), jit_compile=True)
    batch = random_batch(schema, rng, 8)
    losses = [model.train_on_batch(batch, np.ones(8)) for _ in range(2)]
    assert losses[1] < losses[0]


def steps_of_adam(table, batches, l2, whole=False, **arguments):
    """Returns a table and its moments after a step for each batch of rows' gradients."""
    variable = keras.Variable(table)
    optimizer = Adam(1e-2, beta_2=0.98, **arguments)
    optimizer.build([variable])
    for ids, values in batches:
        gradient = tf.IndexedSlices(values, ids, tf.constant(table.shape, "int64"))
        if whole:
            gradient = tf.convert_to_tensor(gradient) + 2 * l2 * variable.value
        optimizer.apply([gradient], [variable], None if whole else [l2])
    return [variable.numpy(), *(moment.numpy() for moment in optimizer.variables[2:])]


@needs_kernels
@pytest.mark.parametrize("l2", [0.0, 0.3])
@pytest.mark.parametrize("shape", [(7, 3), (5000, 12), (3000,), (40, 3, 2)], ids=str)
def test_table_adam_takes_the_steps_of_the_dense_one(rng, shape, l2):
    table = rng.normal(size=shape).astype("float32")
    batches = []
    for places in (200, 1, 0):  # ids stand several times in the first, and in the last is none
        ids = rng.integers(shape[0], size=places).astype("int32")
        batches.append((ids, rng.normal(size=(places, *shape[1:])).astype("float32")))
    found = steps_of_adam(table, batches, l2)
    for result, exact in zip(found, steps_of_adam(table, batches, l2, whole=True), strict=True):
        np.testing.assert_allclose(result, exact, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("switch", ["0", None], ids=["without kernels", "with them"])
@pytest.mark.parametrize("arguments", [{}, {"clipnorm": 0.1}, {"amsgrad": True}], ids=str)
def test_a_penalty_that_the_optimizer_adds(rng, monkeypatch, switch, arguments):
    if switch:
        monkeypatch.setenv(kernels.SWITCH, switch)
    table = rng.normal(size=(6, 3)).astype("float32")
    batches = [(np.array([1, 4, 1], "int32"), rng.normal(size=(3, 3)).astype("float32"))] * 2
    found = steps_of_adam(table, batches, 0.3, **arguments)
    expected = steps_of_adam(table, batches, 0.3, whole=True, **arguments)
    for result, exact in zip(found, expected, strict=True):
        np.testing.assert_allclose(result, exact, rtol=1e-5, atol=1e-6)


@needs_kernels
def test_an_update_that_does_not_fit_changes_nothing():
    table, first, second = (tf.Variable(tf.ones((4, 2))) for _ in range(3))

    def update(ids, values):
        gradient = tf.IndexedSlices(tf.constant(values), tf.constant(ids))
        kernels.table_adam(
            table, first, second, 0.1, gradient, beta_1=0.9, beta_2=0.9, epsilon=1e-8, l2=0.0
        )

    with pytest.raises(tf.errors.InvalidArgumentError, match="id 4 is outside a table of 4 rows"):
        update([0, 4], [[1.0, 1.0], [1.0, 1.0]])
    with pytest.raises(tf.errors.InvalidArgumentError, match="are no rows of 2 ids"):
        update([0, 1], [[1.0, 1.0]])
    for variable in (table, first, second):
        np.testing.assert_array_equal(variable, np.ones((4, 2)))


@needs_kernels
def test_a_value_that_was_read_before_the_update_stays(rng):
    """The operation writes in place; what somebody else holds must not change under them."""
    table, first, second = (tf.Variable(tf.ones((4, 2))) for _ in range(3))
    held = table.read_value()
    gradient = tf.IndexedSlices(tf.ones((1, 2)), tf.constant([1]))
    kernels.table_adam(
        table, first, second, 0.1, gradient, beta_1=0.9, beta_2=0.9, epsilon=1e-8, l2=0.0
    )
    np.testing.assert_array_equal(held, np.ones((4, 2)))
    assert (table.numpy()[1] < 1).all()


@pytest.mark.parametrize(
    "compiler, message",
    [("no-such-compiler -x", "no C\\+\\+ compiler 'no-such-compiler'"), ("false", "false failed")],
)
def test_a_build_that_fails_says_why_and_leaves_nothing(monkeypatch, tmp_path, compiler, message):
    monkeypatch.setattr(kernels, "FOLDER", tmp_path)
    monkeypatch.setattr(kernels, "LIBRARY", tmp_path / "kernels-new.so")
    (tmp_path / "kernels-old.so").write_bytes(b"")
    monkeypatch.setenv("CXX", compiler)
    with pytest.raises(RuntimeError, match=message):
        kernels.build()
    assert [path.name for path in tmp_path.iterdir()] == ["kernels-old.so"]


def test_a_library_that_cannot_be_loaded_says_what_to_do(monkeypatch, tmp_path):
    (tmp_path / "kernels.so").write_bytes(b"nothing of the kind")
    monkeypatch.setattr(kernels, "LIBRARY", tmp_path / "kernels.so")
    with pytest.raises(RuntimeError, match="build it again with `python -m"):
        kernels._operations.__wrapped__()


@needs_kernels
@pytest.mark.slow
@pytest.mark.parametrize("lanes", [4, 8])
def test_processors_with_narrower_vectors(lanes):
    """The other branches of the same library, each in a process of its own."""
    tests = (
        f"{__file__}::{test.__name__}"
        for test in (
            test_attention_and_its_gradient,
            test_self_attention_and_its_gradient,
            test_weights_that_underflow_are_zero_and_nothing_is_hidden,
            test_table_adam_takes_the_steps_of_the_dense_one,
        )
    )
    run_python("-m", "pytest", "-q", "-p", "no:xdist", *tests, INTERHAT_LANES=str(lanes))
