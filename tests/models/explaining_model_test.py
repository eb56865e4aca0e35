"""Contributions against the average training record, and how a model meets it."""

import keras
import numpy as np
import pytest

from interhat_tf import InterHAt
from interhat_tf.training.optimizers import Adam
from tests.conftest import random_batch
from tests.numpy_reference import randomise

SIZES = {"embedding_dim": 4, "num_heads": 2, "key_dim": 3, "attention_size": 3}


def in_batches(inputs, size):
    rows = len(inputs["categorical"])
    for start in range(0, rows, size):
        yield {kind: values[start : start + size] for kind, values in inputs.items()}


def total(explanation):
    return np.sum(explanation["contributions"], axis=(1, 2), dtype="float64") + explanation["bias"]


@pytest.fixture
def records(schema, rng):
    return random_batch(schema, rng, rows=100)


@pytest.fixture
def model(schema, records):
    model = randomise(InterHAt(schema, order=2, value_dim=6, mlp_units=(5,), **SIZES))
    model.adapt([records])
    return model


@pytest.mark.parametrize(
    "arguments",
    [
        {"order": 1, "mlp_units": ()},
        {"order": 3, "mlp_units": (30, 20), "gated_attention": True},
        {"order": 2, "self_attention": False, "mlp_batch_norm": False, "mlp_bias": True},
        {"order": 2, "value_dim": None, "contribution_base": "average"},
        {"order": 2, "contribution_base": "zero", "mlp_units": ()},
        {"order": 2, "self_attention": False, "pair_values": True},
        {"order": 3, "shared_values": True, "pair_values": True},
        {"order": 2, "contribution_base": "zero", "pair_values": True},
    ],
    ids=str,
)
def test_contributions_and_bias_add_up_to_the_logit(schema, records, arguments):
    model = randomise(
        InterHAt(schema, **{"value_dim": 40, "mlp_units": (30,), **SIZES, **arguments})
    )
    model.adapt([records])
    explanation = model.explain(records)
    np.testing.assert_allclose(total(explanation), explanation["logits"], rtol=1e-5, atol=1e-5)
    assert np.std(explanation["logits"]) > 0.01, "constant logits prove nothing"


def test_the_base_is_the_mean_term_of_the_training_records(schema, model, records):
    explanation = model.explain(records)
    alpha, order = explanation["field_weights"], explanation["order_weights"]
    features = model.forward(model.embedding(records)).features
    terms = np.einsum("bk,bkm,kbmd->bkmd", order, alpha, np.array(features))
    np.testing.assert_allclose(model.average_terms, terms.mean(axis=0), atol=1e-5)


def test_the_base_of_pairs_is_their_mean_term(schema, records):
    model = randomise(InterHAt(schema, order=2, value_dim=6, pair_values=True, **SIZES))
    model.adapt([records])
    found = model.forward(model.embedding(records))
    first, alpha = np.array(found.features[0]), np.array(found.field_weights[1])
    terms = np.einsum("b,bj,bjd,bld->bjl", found.order_weights[:, 1], alpha, first, first)
    np.testing.assert_allclose(model.average_pairs, terms.mean(axis=0), atol=1e-5)


def test_what_a_pair_adds_is_its_fields(schema, records, rng):
    model = randomise(InterHAt(schema, order=2, value_dim=30, pair_values=True, **SIZES))
    for values in model.field_values:
        values.kernel.assign(np.zeros_like(values.kernel))
    of_pairs = np.zeros_like(model.values_of_pairs.kernel)
    of_pairs[0] = rng.normal(size=30)  # the first two fields
    model.values_of_pairs.kernel.assign(of_pairs)
    model.adapt([records])
    spread = np.std(model.explain(records)["contributions"], axis=0)  # (k, m)
    assert not spread[0].any() and not spread[1, 2:].any() and (spread[1, :2] > 1e-4).all()


@pytest.mark.parametrize("pairs", [False, True])
def test_a_record_like_the_average_has_no_contributions(schema, records, pairs):
    model = randomise(InterHAt(schema, order=2, value_dim=6, pair_values=pairs, **SIZES))
    one = {kind: values[:1] for kind, values in records.items()}
    model.adapt([one])
    explanation = model.explain(one)
    np.testing.assert_allclose(explanation["contributions"], 0, atol=1e-5)
    np.testing.assert_allclose(explanation["bias"], explanation["logits"], atol=1e-5)


def test_adapt_takes_batches_of_any_size_with_labels_or_without(model, records):
    once = np.array(model.average_terms)
    model.adapt((batch, np.zeros(7)) for batch in in_batches(records, 7))
    np.testing.assert_allclose(model.average_terms, once, atol=1e-6)


def test_adapt_needs_records(model):
    with pytest.raises(ValueError, match="at least one training record"):
        model.adapt([])


def test_without_adapt_there_is_no_number(schema, records):
    explanation = InterHAt(schema, value_dim=6, **SIZES).explain(records)
    assert np.isnan(explanation["contributions"]).all() and np.isnan(explanation["bias"]).all()
    assert np.isfinite(explanation["field_weights"]).all()


def test_a_base_of_zeros_needs_no_adapt(schema, records):
    model = randomise(InterHAt(schema, **SIZES))
    before = model.get_weights()
    model.adapt([records])
    for old, new in zip(before, model.get_weights(), strict=True):
        np.testing.assert_array_equal(old, new)
    assert model.average_terms is None


def test_the_average_is_saved_with_the_model(model, records, tmp_path):
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    np.testing.assert_array_equal(loaded.average_terms, model.average_terms)
    for name, values in model.explain(records).items():
        np.testing.assert_array_equal(loaded.explain(records)[name], values, err_msg=name)


def test_contributions_of_a_trained_model_are_exact_on_ten_thousand_records(schema, rng):
    records = random_batch(schema, rng, rows=10_000)
    labels = (records["categorical"][:, 0] > 3) ^ (records["numerical"][:, 0] > 0)
    model = InterHAt(schema, order=2, value_dim=32, dropout=0.1, **SIZES)
    loss = keras.losses.BinaryCrossentropy(from_logits=True)
    model.compile(Adam(0.01), loss, jit_compile=False)
    model.fit(records, labels.astype("float32"), batch_size=500, epochs=2, verbose=0)
    model.adapt([records])
    explanation = model.explain(records)
    np.testing.assert_allclose(total(explanation), explanation["logits"], rtol=0, atol=1e-5)
    assert np.std(explanation["logits"]) > 0.5


def test_an_effect_head_reads_what_the_forward_pass_has_made(schema, records):
    model = randomise(InterHAt(schema, order=2, **SIZES))
    found = model.forward(model.embedding(records))
    fields, summary = model.effect_inputs(found)
    np.testing.assert_array_equal(fields, model.embedding(records))
    pairs = zip(found.field_weights, found.features, strict=True)
    pooled = [np.einsum("bm,bmd->bd", *pair) for pair in pairs]
    expected = np.concatenate([*pooled, found.output, model(records)], axis=1)
    np.testing.assert_allclose(summary, expected, rtol=1e-4, atol=1e-5)
