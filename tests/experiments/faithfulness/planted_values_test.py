"""Tests of the program that plants a value in a bag or a history."""

import keras
import numpy as np
import pytest
from absl.testing import flagsaver

from experiments.common.results import read_result
from experiments.faithfulness import planted_values
from experiments.faithfulness.planted_values import FIELDS, VALUES, draw, is_first, shapley_values
from interhat_tf import Schema
from interhat_tf.schema import MULTIVALUED, PADDING


@pytest.mark.parametrize("kind", FIELDS)
def test_clicks_follow_from_the_planted_value(kind):
    schema = Schema(FIELDS[kind])
    inputs, labels = draw(schema, np.random.default_rng(0), planted=7)
    schema.check(inputs)
    has = (inputs[MULTIVALUED] == 7).any(1)
    assert labels[has].mean() == pytest.approx(0.8, abs=0.05)
    assert labels[~has].mean() == pytest.approx(0.2, abs=0.05)


def test_padding_is_never_first():
    ids = np.array([[3, 5, PADDING], [5, 3, 1]])
    scores = np.array([[0.1, 0.2, 0.9], [0.3, 0.2, 0.1]])
    assert is_first(scores, ids, 5).tolist() == [True, True]
    assert is_first(scores, ids, 3).tolist() == [False, False]


def test_shapley_values_of_a_sum_are_its_terms(monkeypatch):
    """Of a model that adds up its values, whatever their order and place."""
    weights = np.arange(VALUES + 1) / 10

    def logits(model, inputs):
        ids = inputs[MULTIVALUED]
        return np.where(ids == PADDING, 0, weights[ids]).sum(1)

    monkeypatch.setattr(planted_values, "predict", logits)
    ids = np.array([[4, 9, 2, PADDING, PADDING, PADDING], [8] + 5 * [PADDING]])
    found = shapley_values(None, {"categorical": np.array([[1], [2]]), MULTIVALUED: ids})
    expected = np.where(ids == PADDING, 0, weights[ids])
    np.testing.assert_allclose(found, expected, atol=1e-12)


@pytest.mark.slow
def test_methods_are_counted(study_flags, monkeypatch):
    monkeypatch.setattr(planted_values, "TRAINING", 2_000)
    monkeypatch.setattr(planted_values, "EXPLAINED", 5)
    found = planted_values.run(Schema(FIELDS["history"]), seed=0)
    assert found["first"]["SHAP"] > found["first"]["chance"]
    keras.backend.clear_session()
    monkeypatch.setattr(planted_values, "run", lambda schema, seed: found)
    with flagsaver.flagsaver(seeds=[0, 1]):
        planted_values.main(None)
    written = read_result("faithfulness/planted_values/history.json")
    assert written["methods"]["SHAP"]["of"] == 2


def test_a_value_is_found_that_is_first_in_most_records():
    found = planted_values.figures([0.5, 0.75, 1.0])
    assert (found["found"], found["of"], found["first"]["mean"]) == (2, 3, 0.75)
