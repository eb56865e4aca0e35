"""Tests of what the page says of a model before single records."""

import json

import numpy as np
import pytest

from interhat_tf.calibration import Calibration
from interhat_tf.explanation import model_overview, overview
from interhat_tf.models import FM
from interhat_tf.training import evaluate, metrics, reliability
from interhat_tf.training.evaluation import predict_weighted
from tests.models.held_effects import with_effects
from tests.numpy_reference import randomise


@pytest.fixture
def model(rule_data):
    return randomise(FM(rule_data.schema, embedding_dim=3))


def test_figures_are_those_of_the_split(model, rule_data):
    found = model_overview(model, rule_data, background=3)
    assert found.figures == pytest.approx(evaluate(model, rule_data, "test"))
    expected = reliability(model, rule_data, "test")
    np.testing.assert_allclose(found.reliability.observed, expected.observed)
    assert found.about == f"{rule_data.num_rows('test'):,} records of {rule_data.name}, test"
    assert found.importance.about == "Effects are exact, against 3 training records."


def test_the_logloss_is_of_the_probabilities_that_the_page_shows(model, rule_data):
    plain = model_overview(model, rule_data, background=3).figures
    model.calibration = Calibration("platt", 100, 0.5, -1.0)
    found = model_overview(model, rule_data, background=3).figures
    labels, logits, _ = predict_weighted(model, rule_data, "test")
    expected = metrics.logloss(labels, 0.5 * logits - 1.0)
    assert found == {**plain, "logloss": pytest.approx(expected)} and found != plain


def test_of_a_large_split_the_first_records_stand_for_all(model, rule_data, monkeypatch):
    monkeypatch.setattr(overview, "RECORDS", 10)
    monkeypatch.setattr("interhat_tf.training.evaluation.EVALUATION_BATCH_SIZE", 8)
    found = model_overview(model, rule_data, background=0)
    rows = rule_data.num_rows("test")
    assert found.about == f"the first 16 of {rows:,} records of {rule_data.name}, test"
    assert found.importance is None
    assert found.to_dict()["importance"] == found.to_dict()["pairs"] == []


def test_what_the_page_reads_is_json(model, rule_data):
    data = json.loads(json.dumps(model_overview(model, rule_data, background=2).to_dict()))
    strengths = [row["strength"] for row in data["importance"]]
    assert strengths == sorted(strengths, reverse=True) and len(strengths) == 4
    assert len(data["pairs"]) == 6
    assert data["clicks"] == pytest.approx(rule_data.statistics["splits"]["test"]["positives"])
    assert len(data["reliability"]["low"]) == len(data["reliability"]["predicted"])


@pytest.mark.parametrize("pairs", [0, 6])
def test_a_model_tells_its_own_effects(model, rule_data, pairs):
    with_effects(model, num_pairs=pairs)
    found = model_overview(model, rule_data, background=0)
    assert len(found.importance.groups) == 4 + pairs
