"""The program that trains on from day to day, on days of a few rows."""

import dataclasses

import pytest

from experiments.generated_logs import days
from experiments.robustness import continued_training


@pytest.mark.slow
def test_each_day_has_what_each_method_says_of_the_next(tmp_path, monkeypatch):
    monkeypatch.setattr(continued_training, "MODEL", {"embedding_dim": 4, "order": 2})
    settings = dataclasses.replace(continued_training.SETTINGS, max_epochs=1, unknown_share=0.0)
    monkeypatch.setattr(continued_training, "SETTINGS", settings)
    monkeypatch.setattr(days, "SIZES", {"users": (40, 10), "ads": (20, 5)})
    rows = continued_training.follow_days(tmp_path, seed=1, days=2, rows=600)
    assert [row["day"] for row in rows] == [1, 2]
    first, second = rows
    assert first["continued"] == first["scratch"] == first["left"]
    assert second["continued"]["unknown"] < second["left"]["unknown"]
    assert second["scratch"]["unknown"] <= second["continued"]["unknown"]
    for line in continued_training.summarise(rows):
        assert line["truth"]["auc"]["mean"] > 0.6
        assert line["difference"]["auc"]["low"] is None  # of a single seed


def test_what_was_trained_on_is_less_what_was_trained_from_scratch():
    aucs = {"truth": 0.8, "continued": 0.7, "scratch": 0.6, "left": 0.5}
    scores = {name: {"auc": auc, "logloss": 1 - auc} for name, auc in aucs.items()}
    (line,) = continued_training.summarise([{"day": 2, **scores}] * 2)
    assert line["difference"]["auc"]["mean"] == pytest.approx(0.1)
    assert line["difference"]["logloss"]["mean"] == pytest.approx(-0.1)
    assert (line["day"], line["left"]["auc"]["mean"]) == (2, 0.5)
