import itertools
import types

import numpy as np
import pytest

from experiments.common.results import read_result
from experiments.faithfulness import additivity
from experiments.faithfulness.additivity import largest_error


def test_the_largest_error_by_hand():
    explained = {
        "contributions": np.array([[[1.0, -0.5]], [[0.25, 0.25]]], "float32"),
        "bias": np.array([0.5, 0.0], "float32"),
        "logits": np.array([1.0, 0.375], "float32"),
    }
    assert largest_error(explained) == pytest.approx(0.125)


def test_explaining_is_a_share_of_predictions_rate(study_flags, fake_data, monkeypatch):
    explained = {"contributions": np.ones((4, 1, 1)), "bias": 0.0, "logits": np.ones(4)}
    model = types.SimpleNamespace(predict_on_batch=lambda batch: None)
    monkeypatch.setattr(additivity, "open_data", lambda: fake_data)
    monkeypatch.setattr(additivity, "first_records", lambda *_: {"categorical": np.ones((4, 2))})
    monkeypatch.setattr(
        additivity, "explained_runs", lambda runs: [(run, model, {}) for run in runs]
    )
    monkeypatch.setattr(additivity, "explain_batches", lambda *_: [(None, explained)])
    seconds = itertools.cycle([0.5, 2.0])  # predicting, explaining
    monkeypatch.setattr(additivity, "seconds_of", lambda task: next(seconds))
    additivity.main(None)
    found = read_result("faithfulness/additivity/frappe/summary.json")
    assert found["share_of_prediction"] == {"median": 0.25, "low": 0.25, "high": 0.25}
    assert (found["predicted_per_second"], found["explained_per_second"]) == (8, 2)
