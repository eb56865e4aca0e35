"""Tests of what probabilities say beside what comes of it."""

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from interhat_tf import prepare_click_log
from interhat_tf.calibration import Calibration, probability
from interhat_tf.models import LR
from interhat_tf.training import (
    Reliability,
    plot_reliability,
    predict_logits,
    reliability,
    reliability_by_value,
)
from tests.training.runs import make_model


def test_errors_are_weighted_by_records():
    shares, records = np.array([[0.1, 0.5], [0.2, 0.5]]), np.array([300, 100])
    found = Reliability(*shares, records, weights=records)
    assert found.expected_calibration_error == pytest.approx(0.075)
    assert found.ratio == pytest.approx((30 + 50) / (60 + 50))
    assert found.base_rate == pytest.approx(110 / 400)


def test_bins_have_equally_many_records(rng):
    p = rng.random(1003) ** 3
    found = Reliability.of(rng.random(1003) < p, p)
    assert len(found.records) == 20 and set(found.records) == {50, 51}
    assert (np.diff(found.predicted) > 0).all()
    assert found.expected_calibration_error < 0.06 and 0.9 < found.ratio < 1.1


@pytest.mark.parametrize(
    ("labels", "probabilities", "message"),
    [
        ([], [], "needs a probability for each label"),
        ([0, 2], [0.1, 0.2], "labels must be 0 or 1"),
        ([0, 1], [0.1, np.nan], r"must be in \[0, 1\]"),
    ],
)
def test_what_is_refused(labels, probabilities, message):
    with pytest.raises(ValueError, match=message):
        Reliability.of(labels, probabilities)


def test_a_weight_is_a_number_of_equal_records(rng):
    p, times = rng.random(300), rng.integers(0, 4, 300)
    labels = rng.random(300) < p**2
    found = Reliability.of(labels, p, bins=1, sample_weight=times)
    repeated = Reliability.of(np.repeat(labels, times), np.repeat(p, times), bins=1)
    for name in ("predicted", "observed", "weights"):
        np.testing.assert_allclose(getattr(found, name), getattr(repeated, name))
    assert found.ratio == pytest.approx(repeated.ratio)
    assert found.records[0] == pytest.approx(times.sum() ** 2 / (times**2).sum())
    column = Reliability.of(labels, p, bins=1, sample_weight=times[:, np.newaxis])
    assert column.ratio == found.ratio
    with pytest.raises(ValueError, match="needs a weight for each label, got 299 and 300"):
        Reliability.of(labels, p, sample_weight=times[1:])


def test_no_click_has_no_ratio():
    assert Reliability.of([0, 0], [0.1, 0.2]).ratio == np.inf


def test_the_picture_is_written(tmp_path, rng):
    p = rng.random(500)
    found = Reliability.of(rng.random(500) < p, p)
    figure = plot_reliability({"one": found, "two": found}, tmp_path / "a.png", "clicks")
    texts = [text.get_text() for text in figure.axes[0].get_legend().get_texts()]
    assert [text.split()[0] for text in texts] == ["one", "two"]
    assert (tmp_path / "a.png").read_bytes()[1:4] == b"PNG"


def test_a_models_probabilities_are_calibrated_ones(rule_data):
    model = make_model(rule_data.schema)
    labels, logits = predict_logits(model, rule_data, "test")
    before = reliability(model, rule_data, "test")
    assert before.ratio == pytest.approx(probability(logits).mean() / labels.mean())
    model.calibration = Calibration("platt", 9, slope=0.0, intercept=-3.0)
    after = reliability(model, rule_data, "test", bins=4)
    np.testing.assert_allclose(after.predicted, probability(-3.0))


def test_by_value_names_what_is_predicted_worst(rule_data):
    model = make_model(rule_data.schema)
    # The same for all records, so that a value's clicks alone decide.
    model.calibration = Calibration("platt", 9, slope=0.0, intercept=-1.0)
    found = reliability_by_value(model, rule_data, "train", min_records=50)
    labels, ids = [], []
    for inputs, batch_labels in rule_data.evaluation_batches("train", 1000):
        labels.append(batch_labels)
        ids.append(inputs["categorical"])
    labels, ids = np.concatenate(labels), np.concatenate(ids)
    assert (found.records >= 50).all() and set(found.field) == {"f1", "f2", "f3", "f4"}
    sizes = np.abs(found.deviations)
    assert (np.diff(sizes) <= 0).all()
    row = found.iloc[0]
    column = [field.name for field in rule_data.schema.categorical].index(row.field)
    has = ids[:, column] == rule_data.id_of(row.field, row.value)
    p = probability(-1.0)
    assert row.records == has.sum() and row.observed == pytest.approx(labels[has].mean())
    assert row.ratio == pytest.approx(p / labels[has].mean())
    deviation = np.sqrt(has.sum() * p * (1 - p))
    assert row.deviations == pytest.approx((has.sum() * p - labels[has].sum()) / deviation)
    with pytest.raises(ValueError, match="has no categorical field 'f9'"):
        reliability_by_value(model, rule_data, "train", ["f9"])


def test_by_value_equal_weights_change_nothing(rule_data, monkeypatch):
    model = make_model(rule_data.schema)
    expected = reliability_by_value(model, rule_data, "test")
    batches = list(rule_data.evaluation_batches("test", 1000))
    weighted = [(*batch, np.full(len(batch[1]), 3.0)) for batch in batches]
    monkeypatch.setattr(rule_data, "evaluation_batches", lambda *_: weighted)
    found = reliability_by_value(model, rule_data, "test")
    pd.testing.assert_frame_equal(found, expected, rtol=1e-4)


def test_a_set_of_numbers_alone_has_no_values(tmp_path):
    numbers = np.random.default_rng(0).normal(size=(300, 2))
    log = pa.table({"click": np.arange(300) % 2, "x": numbers[:, 0], "z": numbers[:, 1]})
    data = prepare_click_log(log, name="log", data_dir=tmp_path)
    found = reliability_by_value(LR(data.schema), data, "test")
    assert len(found) == 0 and list(found)[:3] == ["field", "value", "records"]
