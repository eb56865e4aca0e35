"""Tests of the loss that pulls order weights toward the orders of what fields do."""

import functools
import itertools

import keras
import numpy as np
import pytest
import tensorflow as tf

from interhat_tf import Adam, Field, InterHAt, Schema
from interhat_tf.models import DNN
from interhat_tf.training import TrainingSettings
from interhat_tf.training.alignment import aligned_forward
from interhat_tf.training.order_alignment import OrderAlignment, check_order_alignment, donors
from interhat_tf.training.step import compile_steps
from tests.numpy_reference import randomise
from tests.training.runs import assert_equal_weights, load, run, run_leaving_copies

SIZES = {"embedding_dim": 4, "num_heads": 2, "attention_size": 3}
FORMS = {
    "released": {"order": 4},
    "two orders": {"order": 2, "self_attention": False, "dropout": 0.5, "mlp_units": (50,)},
    "field-aware": {"order": 3, "value_dim": 6, "self_attention": False},
}


def copy(model):
    """Returns a model with the same weights and random states."""
    other = type(model).from_config(model.get_config())
    for variable, value in zip(other.variables, model.variables, strict=True):
        variable.assign(value)
    return other


def make(schema, every=1, **arguments):
    """Returns an alignment, whose head already knows of something, and its model."""
    model = randomise(InterHAt(schema, **{**SIZES, **arguments}))
    alignment = OrderAlignment(model, 0.5, every=every)
    randomise(alignment.head)
    alignment.after_step([1.5])
    return model, alignment


def test_a_donor_differs_in_every_field_that_can():
    rng = np.random.default_rng(0)
    ids = rng.integers(3, size=(50, 5))
    ids[:, 4] = 7  # a constant field has no other value
    fields = tf.constant(np.stack([ids, ids**2.0], axis=-1), tf.float32)  # (B, m, 2)
    found = donors(fields, every=1).numpy()
    assert found.shape == (50, 5, 2)
    differs = found[:, :, 0] != ids
    assert differs[:, :4].mean() > 0.99 and not differs[:, 4].any()
    np.testing.assert_array_equal(found[:, :, 1], found[:, :, 0] ** 2)  # whole embeddings
    shares = np.stack([(found[:, :4, 0] == value).mean() for value in range(3)])
    assert shares.min() > 0.2, "values must be as frequent as in the batch"


def test_fields_are_drawn_again_in_each_step(schema):
    _, alignment = make(schema, order=2)
    drawn = alignment.draw(400).numpy()
    np.testing.assert_array_equal(drawn, alignment.draw(400))
    assert (drawn[:, 0] < drawn[:, 1]).all() and drawn.max() == 3
    counts = [(drawn == pair).all(axis=1).sum() for pair in itertools.combinations(range(4), 2)]
    assert sum(counts) == 400 and min(counts) > 40
    alignment.optimizer.iterations.assign_add(1)
    assert np.mean(drawn != alignment.draw(400).numpy()) > 0.3


@pytest.mark.parametrize("form", FORMS)
def test_what_is_added_to_the_loss_is_the_equation(schema, batch, form):
    model, alignment = make(schema, **FORMS[form])
    size = min(model.order, 3)
    drawn = alignment.draw(16).numpy()
    plain = copy(model)
    found = plain.forward(model.embedding(batch), training=True)
    seen = plain.forward(model.embedding(batch))  # with statistics that have met the batch
    fields = found.fields.numpy()
    read = model.effect_inputs(seen)
    head = OrderAlignment(model, 1.0).head
    head.set_weights(alignment.head.get_weights())
    outputs = head(*read, training=alignment.normalise)
    psi = np.concatenate([outputs["effects"], outputs["pair_effects"]], axis=1)
    colex = [
        sorted(itertools.combinations(range(4), n), key=lambda s: s[::-1])
        for n in range(1, size + 1)
    ]
    sets = list(itertools.chain(*colex))
    assert psi.shape == (16, len(sets))
    other = donors(found.fields, every=1).numpy()

    @functools.cache  # of a subset of several sets
    def logit(row, inserted):
        record = np.where(np.isin(range(4), inserted)[:, None], fields[row], other[row])
        return float(plain.predict_embedded(tf.constant(record[None]))[0, 0])

    errors, strengths = [], np.zeros((16, size))
    for row in range(16):
        for place, group in enumerate(sets):
            strengths[row, len(group) - 1] += psi[row, place] ** 2
            if set(group) <= set(drawn[row]):
                parts = [t for n in range(len(group) + 1) for t in itertools.combinations(group, n)]
                m = sum((-1) ** (len(group) - len(t)) * logit(row, t) for t in parts)
                errors.append((psi[row, place] - m) ** 2)
    assert len(errors) == 16 * (2**size - 1)
    logs = np.log(found.order_weights.numpy()[:, :size] + 1e-4)
    pulls = -np.sum(strengths / 1.6 * logs, axis=1)
    expected = np.sum(errors) + 0.5 * np.sum(pulls)

    logits, [term] = aligned_forward(model, batch, [alignment], [tf.constant(drawn)])
    np.testing.assert_allclose(term.loss, expected, rtol=1e-3)
    np.testing.assert_allclose(term.sizes, strengths.sum(), rtol=1e-4)
    assert logits.shape == (16,) and np.sum(errors) > 0.1 and np.std(pulls) > 0.01


def test_one_record_in_several_stands_for_all(schema, batch):
    _, alignment = make(schema, every=8, order=2)
    drawn = alignment.draw(16)
    _, [term] = aligned_forward(alignment.model, batch, [alignment], [drawn])
    one_of = {kind: np.repeat(values[::8], 8, axis=0) for kind, values in batch.items()}
    found = alignment.model.forward(alignment.model.embedding(one_of))
    outputs = alignment.head(*alignment.model.effect_inputs(found))
    psi = np.concatenate([outputs["effects"], outputs["pair_effects"]], axis=1)
    np.testing.assert_allclose(term.sizes, np.square(psi).sum(), rtol=1e-4)


def test_the_pull_teaches_the_order_weights_and_the_error_the_head(schema, batch):
    model, alignment = make(schema, order=3)
    drawn = alignment.draw(16)

    def gradients(variables):
        with tf.GradientTape() as tape:
            _, [term] = aligned_forward(model, batch, [alignment], [drawn])
        return tape.gradient(term.loss, variables)

    of_context, of_field = gradients(
        [model.order_aggregation.context, model.aggregations[0].context]
    )
    assert np.abs(of_context).max() > 1e-3 and np.abs(of_field).max() > 0
    assert all(np.any(gradient) for gradient in gradients(alignment.head_weights))
    alignment.weight = 0.0
    for gradient in gradients(model.trainable_variables):
        assert gradient is None or not np.any(tf.convert_to_tensor(gradient))


def test_an_empty_part_of_a_batch_adds_nothing(schema, batch):
    _, alignment = make(schema, order=2, value_dim=6)
    none = {kind: values[:0] for kind, values in batch.items()}
    _, [term] = aligned_forward(alignment.model, none, [alignment], [tf.zeros((0, 2), tf.int32)])
    assert float(term.loss) == float(term.sizes[0]) == 0


@pytest.mark.parametrize(("batch_size", "every"), [(4096, 12), (384, 12), (256, 8), (20, 1)])
def test_of_a_small_batch_enough_records_are_asked(schema, batch_size, every):
    settings = TrainingSettings(order_weight=0.05, batch_size=batch_size)
    (alignment,) = settings.make_alignments(InterHAt(schema, **SIZES, order=2))
    assert alignment.every == every


def learnt_order_weights(rule, steps, seed=0):
    """Returns alpha_f of records that match a planted rule of three values a field, (k,)."""
    schema = Schema([Field(f"f{i}", "categorical", 3) for i in range(5)])
    rng = np.random.default_rng(seed)
    ids = rng.integers(3, size=(256 * steps, 5)).astype("int32")
    match = (ids[:, rule] == 0).all(axis=1)
    labels = (rng.random(len(ids)) < np.where(match, 0.95, 0.1)).astype("float32")
    keras.utils.set_random_seed(seed)
    model = InterHAt(schema, **{**SIZES, "embedding_dim": 8}, order=2, mlp_units=(16,))
    optimizer, loss_sum = Adam(1e-2), tf.Variable(0.0, dtype=tf.float64)
    optimizer.build(model.trainable_variables)
    run_steps = compile_steps(model, optimizer, loss_sum, alignments=[OrderAlignment(model, 0.2)])
    data = tf.data.Dataset.from_tensor_slices(({"categorical": ids}, labels)).batch(256)
    run_steps(iter(data), tf.constant(steps))
    found = model.forward(model.embedding({"categorical": ids[match][:100]}))
    return found.order_weights.numpy().mean(axis=0)


@pytest.mark.slow
def test_aligned_weights_name_the_order_of_a_rule():
    alone, pair = learnt_order_weights([1], 300), learnt_order_weights([1, 3], 300)
    assert alone[0] > 0.8 and pair[1] > pair[0] + 0.1, (alone, pair)


@pytest.mark.slow
def test_a_run_goes_on_bit_for_bit(rule_data, tmp_path, monkeypatch):
    settings = {"effect_weight": 0.05, "order_weight": 0.05, "max_epochs": 2, "test": False}
    unbroken, copies = tmp_path / "unbroken", tmp_path / "copies"
    report = run_leaving_copies(monkeypatch, rule_data, unbroken, copies, **settings)
    for name in ("effect_weight", "order_weight"):
        assert report["config"]["training"][name] == 0.05
    resumed = run(rule_data, copies / "7", resume=True, **settings)
    assert resumed["history"] == report["history"]
    assert_equal_weights(load(copies / "7"), load(unbroken))
    one, other = (np.load(folder / "checkpoint.npz") for folder in (copies / "7", unbroken))
    variables = [name for name in one if name.startswith("variable")]
    assert len(variables) > 30
    for name in variables:  # those of both alignments too
        np.testing.assert_array_equal(one[name], other[name], err_msg=name)


def test_what_cannot_be_aligned(schema, rule_data, tmp_path):
    one = InterHAt(rule_data.schema, order=1)
    with pytest.raises(ValueError, match="at least two orders, to weigh them; this one has"):
        run(rule_data, tmp_path, one, order_weight=0.05)
    with pytest.raises(ValueError, match=r"order_weight needs a model with attention .* DNN"):
        run(rule_data, tmp_path, DNN(rule_data.schema), order_weight=0.05)
    with pytest.raises(ValueError, match="order_weight and self_distillation do not go"):
        run(rule_data, tmp_path, order_weight=0.05, self_distillation=1.0)
    assert not list(tmp_path.iterdir())
    single = InterHAt(Schema([Field("f", "categorical", 2)]), **SIZES, order=2)
    with pytest.raises(ValueError, match="order_weight needs records of at least two fields"):
        check_order_alignment(single)
    many = Schema([Field(f"f{i}", "categorical", 2) for i in range(60)])
    with pytest.raises(ValueError, match=r"60 fields have 36,050.*10,000; .*, or order=2"):
        check_order_alignment(InterHAt(many, **SIZES))
    check_order_alignment(InterHAt(many, **SIZES, order=2))
    with pytest.raises(ValueError, match="order_weight must be at least 0, got -1"):
        TrainingSettings(order_weight=-1)
