"""Tests of the loss that pulls attention weights toward effects that are measured in a step."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from interhat_tf import Adam, CrossedField, Field, InterHAt, Schema
from interhat_tf.training import TrainingSettings
from interhat_tf.training.alignment import aligned_forward
from interhat_tf.training.continuation import EarlierRun
from interhat_tf.training.effect_alignment import EffectAlignment, combined_weights
from interhat_tf.training.exact_effect_alignment import ExactEffectAlignment
from interhat_tf.training.step import compile_steps
from tests.numpy_reference import randomise
from tests.training.runs import assert_equal_weights, load, make_model, run, run_leaving_copies

SIZES = {"embedding_dim": 4, "num_heads": 2, "attention_size": 3, "order": 2, "mlp_units": (50,)}
FORMS = {
    "released": {},
    "field-aware": {"value_dim": 6, "self_attention": False, "dropout": 0.3},
}
DONORS = 2  # of 16 records of 4 fields, the first and the ninth are asked


def make(schema, form="released", weight=0.5, donors=DONORS):
    model = randomise(InterHAt(schema, **{**SIZES, **FORMS[form]}))
    return model, ExactEffectAlignment(model, weight, donors)


def added(alignment, batch, factors=None):
    """Returns what is added to the sum of the losses."""
    rows = tf.shape(next(iter(batch.values())))[0]
    drawn = [alignment.draw(rows)]
    _, [term] = aligned_forward(alignment.model, batch, [alignment], drawn, factors)
    assert term.sizes.shape == (0,)
    return term.loss


def pulls_of(model, batch, chosen):
    """Returns each chosen record's pull, by replacing each field of it in turn."""
    fields = model.embedding(batch).numpy()  # (B, m, d)
    weights = combined_weights(model.forward(tf.constant(fields))).numpy()
    pulls = []
    for row in chosen:
        effects = np.zeros(fields.shape[1])
        for field in range(fields.shape[1]):
            for donor in range(row + 1, row + 1 + DONORS):
                changed = fields[row : row + 1].copy()
                changed[0, field] = fields[donor % len(fields), field]
                records = tf.constant(np.concatenate([fields[row : row + 1], changed]))
                own, without = model.forward(records).logits.numpy()[:, 0]
                effects[field] += (own - without) / DONORS
        targets = np.abs(effects) / (np.abs(effects).sum() + 1e-3)
        pulls.append(-np.sum(targets * np.log(weights[row] + 1e-6)))
    return np.array(pulls)


def test_what_is_added_to_the_loss_is_the_equation(schema, batch):
    model, alignment = make(schema)
    expected = pulls_of(model, batch, chosen=[0, 8])
    assert np.ptp(expected) > 1e-3
    np.testing.assert_allclose(added(alignment, batch), 0.5 * 8 * expected.sum(), rtol=1e-4)


def test_records_count_by_their_factors(schema, batch):
    model, alignment = make(schema)
    factors = np.ones(16, "float32")
    factors[[0, 8]] = [3.0, 0.0]
    expected = 0.5 * 8 * 3 * pulls_of(model, batch, chosen=[0]).sum()
    np.testing.assert_allclose(added(alignment, batch, tf.constant(factors)), expected, rtol=1e-4)


def test_the_last_records_donors_are_the_first_ones(schema, batch):
    model, alignment = make(schema)
    few = {kind: values[:9] for kind, values in batch.items()}
    expected = 0.5 * 9 / 2 * pulls_of(model, few, chosen=[0, 8]).sum()
    np.testing.assert_allclose(added(alignment, few), expected, rtol=1e-4)


def test_effects_are_those_of_inference(schema, batch):
    model, alignment = make(schema, "field-aware")
    fields = model.embedding(batch)
    first, second = (alignment._effects(fields, 8) for _ in range(2))
    np.testing.assert_array_equal(first, second)  # under no dropout mask
    assert np.abs(first).min() > 0
    states = [v.numpy() for v in model.non_trainable_variables]
    alignment._effects(fields, 8)
    for variable, state in zip(model.non_trainable_variables, states, strict=True):
        np.testing.assert_array_equal(variable, state)


def test_weights_follow_effects_and_not_the_other_way_round(schema, batch):
    model, alignment = make(schema)
    values = model.mlp[-1].kernel  # decides on effects, and on no weight
    with tf.GradientTape() as tape:
        loss = added(alignment, batch)
    of_context, of_values = tape.gradient(loss, [model.aggregations[0].context, values])
    assert np.abs(of_context).max() > 1e-3 and of_values is None


def test_an_empty_part_of_a_batch_adds_nothing(schema, batch):
    _, alignment = make(schema, "field-aware")
    none = {kind: values[:0] for kind, values in batch.items()}
    assert float(added(alignment, none)) == 0


def test_a_cross_is_replaced_by_itself(rng):
    fields = [Field("a", "categorical", 5), Field("b", "categorical", 4)]
    schema = Schema(fields, [CrossedField(("a", "b"), [[1, 1], [2, 3], [4, 2]])])
    model = randomise(InterHAt(schema, **SIZES))
    alignment = ExactEffectAlignment(model, 0.5, donors=1)
    batch = {"categorical": np.array([[1, 1], [2, 3], [4, 2]], "int32")}
    embedded = model.embedding(batch).numpy()
    changed = embedded.copy()
    changed[0, 2] = embedded[1, 2]
    own, without = (model.predict_embedded(tf.constant(x))[0, 0] for x in (embedded, changed))
    effects = alignment._effects(tf.constant(embedded), 3)
    np.testing.assert_allclose(effects[0, 2], own - without, rtol=1e-4)


@pytest.mark.slow
def test_xla_takes_the_same_steps(schema, batch):
    labels = np.arange(16) % 2
    weights = []
    for jit_compile in (False, True):
        model = randomise(InterHAt(schema, **{**SIZES, **FORMS["field-aware"], "dropout": 0.0}))
        alignments = [ExactEffectAlignment(model, 0.5, DONORS)]
        optimizer, loss_sum = Adam(1e-2, epsilon=1e-3), tf.Variable(0.0, dtype=tf.float64)
        optimizer.build(model.trainable_variables)
        data = tf.data.Dataset.from_tensors((batch, labels.astype("float32"))).repeat(3)
        steps = compile_steps(model, optimizer, loss_sum, jit_compile, alignments=alignments)
        steps(iter(data), tf.constant(3))
        weights.append(model.get_weights())
    for one, other in zip(*weights, strict=True):
        np.testing.assert_allclose(one, other, atol=1e-4)


# After 200 steps the released form is near the bounds yet.
@pytest.mark.parametrize(
    ("form", "number"),
    [pytest.param("released", 400, marks=pytest.mark.slow), ("field-aware", 200)],
)
def test_aligned_weights_name_the_fields_that_decide(form, number):
    keras.utils.set_random_seed(0)
    schema = Schema([Field(f"f{i}", "categorical", 3) for i in range(5)])
    rng = np.random.default_rng(0)
    ids = rng.integers(3, size=(256 * number, 5)).astype("int32")
    match = (ids[:, [1, 3]] == 0).all(axis=1)
    labels = (rng.random(len(ids)) < np.where(match, 0.9, 0.2)).astype("float32")
    model = InterHAt(schema, **{**SIZES, **FORMS[form]})
    optimizer, loss_sum = Adam(1e-2), tf.Variable(0.0, dtype=tf.float64)
    optimizer.build(model.trainable_variables)
    steps = compile_steps(
        model, optimizer, loss_sum, alignments=[ExactEffectAlignment(model, 0.1, donors=8)]
    )
    data = tf.data.Dataset.from_tensor_slices(({"categorical": ids}, labels)).batch(256)
    steps(iter(data), tf.constant(number))
    found = model.forward(model.embedding({"categorical": ids[match][:100]}))
    mean = combined_weights(found).numpy().mean(axis=0)
    assert mean[[1, 3]].min() > 0.25 and mean[[0, 2, 4]].max() < 0.1, mean


@pytest.mark.slow
def test_a_run_goes_on_bit_for_bit(rule_data, tmp_path, monkeypatch):
    settings = {"effect_weight": 0.2, "effect_donors": 4, "max_epochs": 2, "test": False}
    unbroken, copies = tmp_path / "unbroken", tmp_path / "copies"
    report = run_leaving_copies(monkeypatch, rule_data, unbroken, copies, **settings)
    assert report["config"]["training"]["effect_donors"] == 4
    resumed = run(rule_data, copies / "7", resume=True, **settings)
    assert resumed["history"] == report["history"]
    assert_equal_weights(load(copies / "7"), load(unbroken))


def test_settings_choose_what_says_the_effects(schema):
    model = make_model(schema)
    for donors, kind in ((0, EffectAlignment), (8, ExactEffectAlignment)):
        settings = TrainingSettings(effect_weight=0.2, effect_donors=donors)
        (alignment,) = settings.make_alignments(model)
        assert type(alignment) is kind
    assert TrainingSettings(effect_donors=8).make_alignments(model) == []


def test_donors_of_no_alignment_do_not_keep_a_run_from_going_on(rule_data, tmp_path):
    aligned = {"effect_weight": 0.05, "effect_donors": 8, "alignment_epochs": 1}
    model = make_model(rule_data.schema)
    run(rule_data, tmp_path / "first", model, max_epochs=1, test=False, **aligned)
    run(rule_data, tmp_path / "second", model, start_from=tmp_path / "first", max_epochs=1,
        test=False, effect_donors=8)  # fmt: skip
    with pytest.raises(ValueError, match=r"effect_weight was 0\.0 in .* and is 0\.05"):
        EarlierRun(tmp_path / "second").check(
            model, rule_data, TrainingSettings(effect_weight=0.05, effect_donors=8)
        )
