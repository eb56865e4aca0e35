"""Tests of the loss that pulls attention weights toward effects, and of training with it."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from interhat_tf import Adam, CrossedField, Field, InterHAt, LazyAdam, Schema
from interhat_tf.models import DNN
from interhat_tf.training import TrainingSettings, effect_alignment
from interhat_tf.training.alignment import aligned_forward, check_alignment
from interhat_tf.training.averaged_weights import AveragedWeights
from interhat_tf.training.effect_alignment import (
    EffectAlignment,
    alignment_loss,
    combined_weights,
)
from interhat_tf.training.step import compile_steps
from tests.conftest import random_batch
from tests.numpy_reference import randomise
from tests.training.loop_test import script
from tests.training.runs import make_model, run

SIZES = {"embedding_dim": 4, "num_heads": 2, "attention_size": 3}
PAPER = {"residual": False, "attention_activation": None, "attention_bias": False}
FORMS = {
    "released": {"order": 3},
    "paper": {"order": 2, **PAPER},
    "one order": {"order": 1, "self_attention": False},
    "field-aware": {"order": 2, "value_dim": 6, "self_attention": False},
    "field-aware with self-attention": {"order": 1, "value_dim": 6},
}


def make(schema, weight=0.5, **arguments):
    """Returns a model and its alignment, whose head already knows of effects."""
    model = randomise(InterHAt(schema, **{**SIZES, **arguments}))
    alignment = EffectAlignment(model, weight)
    randomise(alignment.head)
    alignment.after_step([1.5, 1.0, 2.0, 3.0, 4.0])
    return model, alignment


def forward(alignment, batch, drawn):
    """Returns the logits, what is added to the sum of the losses, and the sizes."""
    logits, [term] = aligned_forward(alignment.model, batch, [alignment], [drawn])
    return logits, term.loss, term.sizes


def copy(model):
    """Returns a model with the same weights and random states."""
    other = type(model).from_config(model.get_config())
    for variable, value in zip(other.variables, model.variables, strict=True):
        variable.assign(value)
    return other


def test_loss_worked_by_hand():
    weights, targets = tf.constant([[0.25, 0.75], [1.0, 0.0]]), tf.constant([[2.0, 1.0], [0.0, 3]])
    expected = [-2 * np.log(0.25) - np.log(0.75), -3 * np.log(1e-6)]
    np.testing.assert_allclose(alignment_loss(weights, targets), expected, rtol=1e-5)


@pytest.fixture
def each_record(monkeypatch):
    """Asks about each record, not one in two."""
    monkeypatch.setattr(effect_alignment, "EVERY", 1)


@pytest.mark.parametrize("form", FORMS)
def test_what_is_added_to_the_loss_is_the_equation(each_record, schema, batch, rng, form):
    model, alignment = make(schema, **FORMS[form])
    replaced = rng.integers(4, size=16).astype("int32")
    # The model's fields: two categorical ones, two numerical ones.
    other = {kind: values.copy() for kind, values in batch.items()}
    for row, field in enumerate(replaced):
        kind, column = [("categorical", 0), ("categorical", 1), ("numerical", 0), ("numerical", 1)][
            field
        ]
        other[kind][row, column] = batch[kind][row - 1, column]
    plain = copy(model)
    found = plain.forward(model.embedding(batch), training=True)
    seen = plain.forward(model.embedding(batch))  # with statistics that have met the batch
    z, other_z = seen.logits[:, 0], plain(other)[:, 0]
    head = EffectAlignment(model, 1.0).head
    head.set_weights(alignment.head.get_weights())
    read = model.effect_inputs(seen)
    scales = np.sqrt(alignment.squares) + 1e-3
    outputs = head(*read, training="value_dim" in FORMS[form])["effects"].numpy()
    phi = outputs * scales
    targets = np.abs(phi) / (1.5 + 0.1)
    weights = np.einsum("bk,kbm->bm", found.order_weights, np.array(found.field_weights))
    pulls = -np.sum(targets * np.log(weights + 1e-6), axis=1)
    rows = np.arange(16)
    errors = (outputs[rows, replaced] - (z - other_z) / scales[replaced]) ** 2
    squares = np.zeros(4)
    np.add.at(squares, replaced, 4 * (z - other_z) ** 2)

    logits, added, sizes = forward(alignment, batch, replaced)
    np.testing.assert_allclose(logits, found.logits[:, 0], rtol=1e-5)
    np.testing.assert_allclose(added, np.sum(0.5 * pulls + errors), rtol=1e-4)
    np.testing.assert_allclose(sizes[0], np.abs(phi).sum(), rtol=1e-4)
    np.testing.assert_allclose(sizes[1:], squares, rtol=1e-3)
    assert np.std(errors) > 0.01 and np.std(pulls) > 0.001, "constant terms prove nothing"


def test_one_record_in_two_stands_for_all(schema, batch):
    _, alignment = make(schema, order=2)
    twice = {kind: np.repeat(values[::2], 2, axis=0) for kind, values in batch.items()}
    found = alignment.model.forward(alignment.model.embedding(twice))
    phi = alignment.head(*alignment.model.effect_inputs(found))["effects"]
    phi *= np.sqrt(alignment.squares) + 1e-3
    _, _, sizes = forward(alignment, batch, tf.zeros(16, tf.int32))
    np.testing.assert_allclose(sizes[0], np.abs(phi).sum(), rtol=1e-4)


def test_scales_follow_the_differences(schema):
    _, alignment = make(schema, order=2)
    before = alignment.squares.numpy()
    alignment.after_step([2.0, 1.0, 2.0, 3.0, 4.0])
    assert float(alignment.mean_size) == 2
    np.testing.assert_allclose(alignment.squares, 0.95 * before + 0.05 * np.arange(1, 5))


def test_a_cross_is_replaced_by_itself(each_record, rng):
    fields = [Field("a", "categorical", 5), Field("b", "categorical", 4)]
    schema = Schema(fields, [CrossedField(("a", "b"), [[1, 1], [2, 3], [4, 2]])])
    model = randomise(InterHAt(schema, **SIZES, order=2, mlp_units=(50,)))
    alignment = EffectAlignment(model, 0.5)
    batch = {"categorical": np.array([[1, 1], [2, 3], [4, 2]], "int32")}
    _, _, sizes = forward(alignment, batch, tf.constant([2, 2, 2]))
    fields = model.embedding(batch).numpy()
    fields[:, 2] = np.roll(fields[:, 2], 1, axis=0)
    expected = (model(batch) - model.predict_embedded(tf.constant(fields)))[:, 0] ** 2
    np.testing.assert_allclose(sizes[1:], [0, 0, 3 * np.sum(expected)], rtol=1e-4)
    assert np.std(expected) > 1e-4


def test_differences_are_those_of_inference(each_record, schema, batch):
    same = {kind: np.repeat(values[:1], 16, axis=0) for kind, values in batch.items()}
    model = randomise(InterHAt(schema, **SIZES, order=2, dropout=0.5, mlp_units=(50,)))
    alignment = EffectAlignment(model, 0.5)
    logits, _, sizes = forward(alignment, same, tf.zeros(16, tf.int32))
    assert np.std(logits) > 0.01, "dropout must tell equal records apart"
    np.testing.assert_allclose(sizes[1:], 0, atol=1e-8)


def test_the_second_pass_leaves_no_trace_in_the_model(schema, batch):
    model, alignment = make(schema, order=2, value_dim=6, dropout=0.5)
    plain = copy(model)
    plain(batch, training=True)
    forward(alignment, batch, tf.zeros(16, tf.int32))
    for variable, expected in zip(model.variables, plain.variables, strict=True):
        np.testing.assert_array_equal(variable, expected, err_msg=variable.path)


def gradients(alignment, batch, variables):
    with tf.GradientTape() as tape:
        _, added, _ = forward(alignment, batch, tf.zeros(16, tf.int32))
    return tape.gradient(added, variables)


def test_the_pull_teaches_the_model_and_the_error_the_head(schema, batch):
    model, alignment = make(schema, order=2)
    pulled = gradients(alignment, batch, model.trainable_variables)
    of_context = pulled[
        [v is model.aggregations[0].context for v in model.trainable_variables].index(True)
    ]
    assert np.abs(of_context).max() > 1e-3
    of_head = gradients(alignment, batch, alignment.head_weights)
    assert all(np.any(gradient) for gradient in of_head)

    alignment.weight = 0.0
    for gradient in gradients(alignment, batch, model.trainable_variables):
        assert gradient is None or not np.any(tf.convert_to_tensor(gradient))
    for gradient, expected in zip(
        gradients(alignment, batch, alignment.head_weights), of_head, strict=True
    ):
        np.testing.assert_array_equal(gradient, expected)


def test_an_empty_part_of_a_batch_adds_nothing(schema, batch):
    _, alignment = make(schema, order=2, value_dim=6)
    none = {kind: values[:0] for kind, values in batch.items()}
    logits, added, sizes = forward(alignment, none, tf.zeros(0, tf.int32))
    assert logits.shape == (0,) and float(added) == 0
    np.testing.assert_array_equal(sizes, np.zeros(5))


def test_fields_are_drawn_anew_in_each_step(schema):
    _, alignment = make(schema, order=1)
    drawn = alignment.draw(400).numpy()
    np.testing.assert_array_equal(drawn, alignment.draw(400))
    assert np.bincount(drawn, minlength=4).min() > 60 and drawn.max() == 3
    alignment.optimizer.iterations.assign_add(1)
    assert np.mean(drawn != alignment.draw(400).numpy()) > 0.5


def trained(schema, batches, optimizer=Adam, momentum=None, **how):
    """Returns a model and its alignment after a step on each batch."""
    keras.utils.set_random_seed(3)
    model = InterHAt(schema, **SIZES, order=2)
    optimizer = optimizer(1e-2, epsilon=1e-3)
    optimizer.build(model.trainable_variables)
    alignment, loss_sum = EffectAlignment(model, 5.0), tf.Variable(0.0, dtype=tf.float64)
    averaged = AveragedWeights(model, momentum, lazy=True) if momentum else None
    how |= {"alignments": [alignment], "averaged": averaged}
    steps = compile_steps(model, optimizer, loss_sum, **how)
    spec = keras.tree.map_structure(
        lambda x: tf.TensorSpec((None, *x.shape[1:]), x.dtype), batches[0]
    )
    data = tf.data.Dataset.from_generator(lambda: batches, output_signature=spec)
    steps(iter(data), tf.constant(len(batches)))
    return model, alignment


def periodic_batches(schema, rng):
    """Batches of four records each, over and over, with labels of their own."""
    parts = [random_batch(schema, rng, 4) for _ in range(6)]
    return [
        (
            {kind: np.tile(values, (3, 1)) for kind, values in part.items()},
            rng.integers(2, size=12).astype("float32"),
        )
        for part in parts
    ]


@pytest.mark.slow
def test_microbatches_take_the_steps_of_whole_batches(schema, rng):
    batches = periodic_batches(schema, rng)  # so that the neighbours are the same
    whole, alignment = trained(schema, batches, LazyAdam)
    parts, alignment_of_parts = trained(schema, batches, LazyAdam, microbatch_size=4)
    variables = [*whole.weights, *alignment.variables]
    for one, other in zip(variables, [*parts.weights, *alignment_of_parts.variables], strict=True):
        np.testing.assert_allclose(one, other, atol=2e-5)
    assert float(alignment.mean_size) > 0


@pytest.mark.slow
def test_xla_takes_the_same_steps_and_averages_go_with_it(schema, rng, monkeypatch):
    # XLA draws other random numbers.
    monkeypatch.setattr(EffectAlignment, "draw", lambda self, rows: tf.range(rows) % 4)
    batches = periodic_batches(schema, rng)
    plain, _ = trained(schema, batches)
    compiled, _ = trained(schema, batches, jit_compile=True, momentum=0.5)
    for one, other in zip(plain.weights, compiled.weights, strict=True):
        np.testing.assert_allclose(one, other, atol=1e-4)


@pytest.mark.parametrize("form", [pytest.param("released", marks=pytest.mark.slow), "field-aware"])
def test_aligned_weights_name_the_fields_that_decide(form):
    schema = Schema([Field(f"f{i}", "categorical", 3) for i in range(5)])
    rng = np.random.default_rng(0)
    ids = rng.integers(3, size=(256 * 200, 5)).astype("int32")
    match = (ids[:, [1, 3]] == 0).all(axis=1)
    labels = (rng.random(len(ids)) < np.where(match, 0.9, 0.2)).astype("float32")
    model = InterHAt(schema, **SIZES, **{**FORMS[form], "order": 2, "dropout": 0.1})
    optimizer, loss_sum = Adam(1e-2), tf.Variable(0.0, dtype=tf.float64)
    optimizer.build(model.trainable_variables)
    steps = compile_steps(model, optimizer, loss_sum, alignments=[EffectAlignment(model, 0.05)])
    data = tf.data.Dataset.from_tensor_slices(({"categorical": ids}, labels)).batch(256)
    steps(iter(data), tf.constant(200))
    found = model.forward(model.embedding({"categorical": ids[match][:100]}))
    weights = combined_weights(found).numpy()
    np.testing.assert_allclose(weights.sum(axis=1), 1, rtol=1e-5)
    mean = weights.mean(axis=0)
    assert mean[[1, 3]].min() > 0.25 and mean[[0, 2, 4]].max() < 0.1, mean


def test_the_heads_learning_rate_falls_with_the_models(schema):
    _, alignment = make(schema, order=1)
    alignment.follow_learning_rate(0.1)
    assert float(alignment.optimizer.learning_rate) == pytest.approx(3e-4)


def test_the_heads_learning_rate_is_the_models_share_at_each_drop(rule_data, tmp_path, monkeypatch):
    shares = []
    monkeypatch.setattr(
        EffectAlignment, "follow_learning_rate", lambda _, share: shares.append(share)
    )
    script(monkeypatch, 0.6, 0.5, 0.5)
    how = {"batch_size": 1600, "max_epochs": 3, "patience": 3, "test": False}
    run(rule_data, tmp_path, effect_weight=0.05, **how)
    assert shares == pytest.approx([0.1, 0.01])


def test_what_cannot_be_aligned(schema, rule_data, tmp_path):
    with pytest.raises(ValueError, match="with attention weights, and DNN has none"):
        run(rule_data, tmp_path, DNN(rule_data.schema), effect_weight=0.05)
    with pytest.raises(ValueError, match="self_distillation do not go together"):
        run(rule_data, tmp_path, effect_weight=0.05, self_distillation=1.0)
    assert not list(tmp_path.iterdir())
    check_alignment(make_model(schema))
    with pytest.raises(ValueError, match="effect_weight must be at least 0, got -1"):
        TrainingSettings(effect_weight=-1)
    assert TrainingSettings().make_alignments(make_model(schema)) == []
