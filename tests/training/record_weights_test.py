"""Tests of training with weights: steps, runs, resuming, and what is reported."""

import types

import keras
import numpy as np
import pytest
import tensorflow as tf
from sklearn.metrics import log_loss, roc_auc_score

from interhat_tf import Adam, InterHAt, explain_records
from interhat_tf.callbacks import EarlyStopping
from interhat_tf.models import LR, MODELS, FinalNet
from interhat_tf.training import (
    align_attention,
    calibrate,
    metrics,
    predict_logits,
    reliability,
    reliability_by_value,
)
from interhat_tf.training.effect_alignment import EffectAlignment
from interhat_tf.training.evaluation import predict_weighted
from interhat_tf.training.order_alignment import OrderAlignment
from interhat_tf.training.record_weights import RecordWeights, start_logits
from interhat_tf.training.step import compile_steps
from tests.conftest import random_batch
from tests.training.runs import (
    assert_equal_weights,
    load,
    make_model,
    run,
    run_leaving_copies,
    what_must_be_equal,
)
from tests.training.weighted_logs import make_columns, prepare_columns

ROWS = 12


@pytest.fixture(scope="module")
def weighted(tmp_path_factory):
    """A prepared set with weights, some of them 0."""
    columns = make_columns()
    random = np.random.default_rng(1)
    columns["w"] = random.exponential(size=1_500).round(2) * (random.random(1_500) < 0.8)
    return prepare_columns(tmp_path_factory.mktemp("weighted"), columns, weight="w")


def step(build, inputs, labels, weights, positive=1.0, align=(), **how):
    """Returns a model's weights after a step on one batch, and the sum of its losses."""
    keras.utils.set_random_seed(3)
    model = build()
    optimizer = keras.optimizers.SGD(0.5)
    optimizer.build(model.trainable_variables)
    loss_sum = tf.Variable(0.0, dtype=tf.float64)
    of_records = [] if weights is None else [np.float32(weights)]
    if "record_weights" not in how and (weights is not None or positive != 1):
        each = np.where(labels == 1, positive, 1.0) * (1.0 if weights is None else weights)
        how["record_weights"] = RecordWeights(float(np.mean(each)), positive)
    alignments = [kind(model, 2.0) for kind in align]
    steps = compile_steps(model, optimizer, loss_sum, alignments=alignments, **how)
    batch = (inputs, np.float32(labels), *of_records)
    steps(iter(tf.data.Dataset.from_tensors(batch)), tf.constant(1))
    added = [np.asarray(v) for alignment in alignments for v in alignment.variables]
    return [*model.get_weights(), *added], float(loss_sum) / len(labels)


def assert_same(found, expected):
    assert found[1] == pytest.approx(expected[1], rel=1e-5)
    for one, other in zip(found[0], expected[0], strict=True):
        np.testing.assert_allclose(one, other, atol=2e-6)


ALIGNED = {"align": [EffectAlignment, OrderAlignment]}
# What all steps have, and what the steps of records that come twice have besides.
CASES = {
    "plain": ({}, [{}, {"microbatch_size": 5}, {"jit_compile": True}]),
    "aligned": (ALIGNED, [{"microbatch_size": ROWS}]),
    "distilled": ({"self_distillation": 1.0}, [{}]),
}


@pytest.mark.slow
@pytest.mark.parametrize("case", CASES)
def test_weights_of_equal_records_add_up(schema, rng, monkeypatch, case):
    # Where records come twice, each has the same neighbour and the same fields replaced.
    monkeypatch.setattr(EffectAlignment, "draw", lambda self, rows: tf.range(rows) % 2)
    monkeypatch.setattr(OrderAlignment, "draw", lambda self, rows: tf.tile([[0, 1]], [rows, 1]))
    inputs, labels = random_batch(schema, rng, ROWS), np.arange(ROWS) % 2
    first = rng.exponential(size=ROWS)
    again = first * (np.arange(ROWS) % 3)  # nothing, the same or more
    twice = {name: np.concatenate([values, values]) for name, values in inputs.items()}

    def build():
        if case == "distilled":
            return FinalNet(schema, embedding_dim=4)
        return InterHAt(schema, embedding_dim=4, order=2, dense_l2=0.1)

    how, hows_of_twice = CASES[case]
    once = step(build, inputs, labels, first + again, **how)
    weights = np.concatenate([first, again])
    for other in hows_of_twice:
        assert_same(step(build, twice, np.tile(labels, 2), weights, **how, **other), once)
    plain = step(build, inputs, labels, None, **how)
    pairs = zip(once[0], plain[0], strict=True)
    assert any(np.abs(one - other).max() > 1e-4 for one, other in pairs)


def test_a_weight_of_two_is_a_record_twice(schema, rng):
    def build():
        return InterHAt(schema, embedding_dim=4, order=2, embedding_l2=0.1)

    inputs, labels = random_batch(schema, rng, ROWS), np.arange(ROWS) % 2
    times = np.arange(ROWS) % 3
    repeated = {name: np.repeat(values, times, axis=0) for name, values in inputs.items()}
    found = step(build, inputs, labels, times)
    assert_same(found, step(build, repeated, np.repeat(labels, times), None))


def test_a_positive_weight_is_a_weight_of_clicks(schema, rng):
    inputs, labels = random_batch(schema, rng, ROWS), np.arange(ROWS) % 3 == 0
    weights = rng.exponential(size=ROWS)
    found = step(lambda: InterHAt(schema, order=1), inputs, labels, weights, positive=4.0)
    expected = step(
        lambda: InterHAt(schema, order=1), inputs, labels, np.where(labels, 4 * weights, weights)
    )
    assert_same(found, expected)


def test_factors_have_a_mean_of_one_over_the_training_records():
    labels, weights = np.float32([1, 0, 0, 1, 0]), np.float32([1, 10, 10, 3, 10])
    data = types.SimpleNamespace(
        weighted=True,
        negative_sampling_rate=0.1,
        label_weights=lambda split: (weights[labels == 0].sum(), weights[labels == 1].sum()),
        num_rows=lambda split: len(labels),
    )
    factors = RecordWeights.of_training(data, positive=2.0).factors(labels, weights)
    assert np.mean(factors) == pytest.approx(1)


@pytest.mark.parametrize("how", [{}, {"microbatch_size": 5}, {"self_distillation": 1.0}])
def test_sampled_negatives_shift_the_logit_in_the_loss_alone(schema, rng, how):
    inputs, labels = random_batch(schema, rng, ROWS), np.arange(ROWS) % 3 == 0
    rate, weights = 0.25, rng.exponential(size=ROWS)

    def build(bias=0.0):
        model = (
            FinalNet(schema, embedding_dim=4)
            if "self_distillation" in how
            else InterHAt(schema, embedding_dim=4, order=2, mlp_bias=True)
        )
        for variable in model.trainable_variables:
            if variable.shape == (1,):
                variable.assign([bias])
        return model

    plain = step(build, inputs, labels, weights, **how)
    # As prepared, and with logits that are lower by log(4).
    given = np.where(labels, weights, weights / rate)
    how = {**how, "record_weights": RecordWeights(float(np.mean(weights)), negative=rate)}
    found = step(lambda: build(np.log(rate)), inputs, labels, given, **how)
    biases = [i for i, v in enumerate(build().trainable_variables) if v.shape == (1,)]
    assert biases
    for i in biases:
        found[0][i] = found[0][i] - np.log(rate)
    assert_same(found, plain)


@pytest.mark.parametrize("name", ["interhat", "lr", "deepfm", "dcn_v2"])
def test_logits_start_at_the_rate_of_sampling(tmp_path, name):
    data = prepare_columns(tmp_path, make_columns(300), negative_sampling_rate=0.2)
    model = MODELS[name](data.schema)
    inputs, *_ = next(iter(data.evaluation_batches("test", 100)))
    before, weights = model.predict_on_batch(inputs), model.get_weights()
    start_logits(model, data)
    shift = 0.0 if name == "interhat" else np.log(0.2)  # as released it has no such bias
    np.testing.assert_allclose(model.predict_on_batch(inputs) - before, shift, atol=1e-5)
    start_logits(model, data)  # not again
    np.testing.assert_allclose(model.predict_on_batch(inputs) - before, shift, atol=1e-5)
    for one, other in zip(model.get_weights(), weights, strict=True):
        assert one.shape == (1,) or (one == other).all()


@pytest.mark.parametrize("kind", [EffectAlignment, OrderAlignment])
def test_what_pulls_attention_is_weighted(schema, rng, kind):
    model = InterHAt(schema, embedding_dim=4, order=2)
    alignment = kind(model, 2.0)
    for weight in alignment.head_weights:  # which says 0 at first
        weight.assign(rng.normal(size=weight.shape))
    inputs = random_batch(schema, rng, 2 * ROWS)
    found, drawn = model.forward(model.embedding(inputs)), alignment.draw(2 * ROWS)
    factors = np.repeat([[0.25], [3.0]], ROWS, axis=1).ravel().astype("float32")
    first = np.where(factors < 1, factors, 0)
    whole, part, rest, none = (
        alignment.term(found, drawn, tf.constant(f))
        for f in (factors, first, factors - first, 0 * factors)
    )
    equal, plain = alignment.term(found, drawn, tf.ones(2 * ROWS)), alignment.term(found, drawn)
    for sums in zip(whole, part, rest, none, equal, plain, strict=True):
        whole_sum, part_sum, rest_sum, none_sum, equal_sum, plain_sum = map(np.asarray, sums)
        np.testing.assert_allclose(whole_sum, part_sum + rest_sum, rtol=1e-5)
        np.testing.assert_array_equal(equal_sum, plain_sum)
        assert not none_sum.any()
        assert (whole_sum != plain_sum).any()


def test_equal_weights_change_no_bit(schema, rng):
    inputs, labels = random_batch(schema, rng, ROWS), np.arange(ROWS) % 2
    plain = step(lambda: InterHAt(schema), inputs, labels, None)
    equal = step(lambda: InterHAt(schema), inputs, labels, np.full(ROWS, 0.5))
    assert equal[1] == plain[1]
    for one, other in zip(equal[0], plain[0], strict=True):
        np.testing.assert_array_equal(one, other)


def test_weights_that_nobody_asked_for_are_refused(schema, rng):
    model, optimizer = InterHAt(schema, order=1), Adam()
    batch = (random_batch(schema, rng, 4), np.ones(4, "float32"), np.ones(4, "float32"))
    steps = compile_steps(model, optimizer, tf.Variable(0.0, dtype=tf.float64))
    with pytest.raises(ValueError, match="give compile_steps the record_weights"):
        steps(iter(tf.data.Dataset.from_tensors(batch)), tf.constant(1))


def test_loss_and_metrics_are_weighted(weighted, tmp_path):
    model = make_model(weighted.schema, dropout=0.0)
    report = run(weighted, tmp_path, model, max_epochs=1, learning_rate=1e-9)
    weights = np.concatenate([w for *_, w in weighted.evaluation_batches("train", 500)])
    loss = metrics.logloss(*predict_logits(model, weighted, "train"), weights)
    assert report["history"][0]["loss"] == pytest.approx(loss, rel=1e-5)
    for split in ("validation", "test"):
        ((inputs, labels, weights),) = weighted.evaluation_batches(split, 1_000)
        logits = load(tmp_path).predict_on_batch(inputs)[:, 0].astype("float64")
        probabilities = 1 / (1 + np.exp(-logits))
        expected = {
            "auc": roc_auc_score(labels, logits, sample_weight=weights),
            "logloss": log_loss(labels, probabilities, sample_weight=weights),
        }
        assert report[split] == pytest.approx(expected, rel=0, abs=1e-9)
        rate = np.average(labels, weights=weights)
        assert report["weights"][split]["click_rate"] == pytest.approx(rate)


@pytest.mark.slow
def test_only_the_ratios_of_weights_matter(tmp_path):
    columns = make_columns(600)
    weights = np.random.default_rng(1).integers(0, 5, 600)
    reports, models = [], []
    for scale in (1, 8):
        folder = tmp_path / str(scale)
        data = prepare_columns(folder, {**columns, "w": weights * scale}, weight="w")
        models.append(LR(data.schema))
        reports.append(run(data, folder / "run", models[-1], max_epochs=2))
        reports[-1].pop("weights")
        reports[-1].pop("config")  # which says that these are two sets
    assert what_must_be_equal(reports[0]) == what_must_be_equal(reports[1])
    assert_equal_weights(*models)


@pytest.mark.slow
def test_a_set_of_equal_weights_trains_as_one_without(tmp_path):
    columns, models = make_columns(600), []
    for name, more, options in (("plain", {}, {}), ("ones", {"w": [1.0] * 600}, {"weight": "w"})):
        data = prepare_columns(tmp_path, {**columns, **more}, name, **options)
        models.append(make_model(data.schema, value_dim=8))
        run(data, tmp_path / "runs" / name, models[-1], max_epochs=2)
    plain, ones = (model.trainable_variables for model in models)
    for one, other in zip(plain, ones, strict=True):
        np.testing.assert_array_equal(one, other)
    np.testing.assert_allclose(models[0].average_terms, models[1].average_terms, atol=1e-7)


RUN = {"batch_size": 20, "max_epochs": 2, "effect_weight": 0.05, "positive_weight": 3.0}


@pytest.fixture(scope="module")
def whole(weighted, tmp_path_factory):
    """The folder and the report of a run, and the folder of what it left within an epoch."""
    folder, copies = tmp_path_factory.mktemp("whole"), tmp_path_factory.mktemp("copies")
    with pytest.MonkeyPatch.context() as patch:
        report = run_leaving_copies(patch, weighted, folder, copies, **RUN)
    return folder, report, copies / "2"


@pytest.mark.slow
def test_a_run_resumes_within_an_epoch_with_the_same_bits(weighted, whole):
    folder, report, stopped = whole
    again = run(weighted, stopped, make_model(weighted.schema, seed=1), resume=True, **RUN)
    assert what_must_be_equal(again) == what_must_be_equal(report)
    assert_equal_weights(load(stopped), load(folder))


@pytest.mark.slow
def test_a_trained_model_is_aligned_with_weights(weighted, whole):
    history = align_attention(load(whole[0]), weighted, epochs=1, batch_size=100)
    assert len(history) == 2 and np.isfinite(history[-1]["logloss"])


def test_the_average_record_is_weighted(schema, rng):
    model = InterHAt(schema, value_dim=4, order=1)
    inputs, times = random_batch(schema, rng, 10), np.arange(10) % 3
    repeated = {name: np.repeat(values, times, axis=0) for name, values in inputs.items()}
    model.adapt([repeated])
    expected = np.array(model.average_terms)
    model.adapt([(inputs, np.zeros(10), times.astype("float32"))])
    np.testing.assert_allclose(model.average_terms, expected, atol=1e-6)


def test_keras_fit_takes_the_batches(weighted):
    model = make_model(weighted.schema, dropout=0.0)
    model.compile(Adam(1e-2), keras.losses.BinaryCrossentropy(from_logits=True))
    ((inputs, labels, weights),) = weighted.evaluation_batches("validation", 1_000)
    logits = model.predict_on_batch(inputs)[:, 0]
    losses = np.logaddexp(0, logits) - labels * logits
    found = model.evaluate(weighted.evaluation_batches("validation", 1_000), verbose=0)
    assert found == pytest.approx(np.mean(weights * losses), rel=1e-5)
    stopping = EarlyStopping(weighted.evaluation_batches("validation", 1_000))
    batches, steps = weighted.training_batches(100, seed=0), weighted.num_batches(100)
    history = model.fit(
        batches, epochs=1, steps_per_epoch=steps, callbacks=[stopping], verbose=0
    ).history
    logits = model.predict_on_batch(inputs)[:, 0]
    assert history["validation_auc"] == [metrics.auc(labels, logits, weights)]


@pytest.mark.slow
def test_a_model_of_sampled_negatives_predicts_the_rate_of_all(tmp_path):
    def log(rows, seed):
        columns = make_columns(rows, seed)
        kept = np.random.default_rng([seed, 1]).random(rows) < 0.08  # clicks are rare
        return {name: values[kept | (columns["click"] == 0)] for name, values in columns.items()}

    whole, fresh = log(40_000, seed=0), log(20_000, seed=100)
    drawn = np.random.default_rng(2).random(len(whole["click"]))
    kept = (whole["click"] == 1) | (drawn < 0.2)
    sampled = {name: values[kept] for name, values in whole.items()}
    data = prepare_columns(tmp_path, sampled, negative_sampling_rate=0.2)
    model = make_model(data.schema, dropout=0.0, value_dim=16)
    settings = {"batch_size": 256, "max_epochs": 6, "learning_rate": 2e-3}
    report = run(data, tmp_path / "run", model, **settings)
    rate, rows = np.mean(fresh["click"]), len(fresh["click"])
    assert np.mean(sampled["click"]) > 3 * rate  # what a model of the rows as they are would say
    inputs = data.encode({name: fresh[name] for name in ("user", "app", "day")})
    found = np.mean(explain_records(load(tmp_path / "run"), inputs).probabilities)
    # The deviations of the rates of both logs, and as much for the model.
    noise = np.sqrt(rate * (1 - rate) * 2 / rows) + np.sqrt(rate / len(whole["click"]))
    assert abs(found - rate) < 3 * noise, (found, rate, noise)
    assert report["weights"]["train"]["click_rate"] == pytest.approx(rate, rel=0.2)


@pytest.mark.parametrize("method", ["platt", "isotonic"])
def test_calibration_is_weighted(weighted, tmp_path, method):
    model = LR(weighted.schema)
    run(weighted, tmp_path, model, max_epochs=2)
    model.set_weights([3 * weight for weight in model.get_weights()])
    labels, logits, weights = predict_weighted(model, weighted, "validation")
    before = reliability(model, weighted, "validation")
    probabilities = 1 / (1 + np.exp(-logits.astype("float64")))
    rate = np.average(labels, weights=weights)
    assert before.base_rate == pytest.approx(rate)
    assert before.ratio == pytest.approx(np.average(probabilities, weights=weights) / rate)
    found = calibrate(model, weighted, method)
    loss = metrics.logloss(labels, logits, weights)
    assert found["none"]["logloss"] == pytest.approx(loss)
    assert found["records"] == len(labels)
    after = reliability(model, weighted, "validation")
    assert after.ratio == pytest.approx(1, abs=0.02)
    assert after.ratio != pytest.approx(before.ratio, abs=0.02)


def test_values_have_weighted_rates(weighted):
    table = reliability_by_value(make_model(weighted.schema), weighted, "train", ["app"], 1)
    ((inputs, labels, weights),) = weighted.evaluation_batches("train", 2_000)
    for row in table.itertuples():
        chosen = np.asarray(inputs["categorical"])[:, 1] == weighted.id_of("app", row.value)
        expected = np.average(np.asarray(labels)[chosen], weights=np.asarray(weights)[chosen])
        assert row.observed == pytest.approx(expected)
        assert row.records == chosen.sum()
