import dataclasses

import pytest
from absl.testing import flagsaver

from experiments.common.results import read_result
from experiments.robustness import sampled_negatives


@pytest.mark.slow
def test_corrections_are_compared(study_flags, monkeypatch):
    train = sampled_negatives.train

    def train_briefly(model, data, folder, settings, **how):
        return train(model, data, folder, dataclasses.replace(settings, max_epochs=2), **how)

    monkeypatch.setattr(sampled_negatives, "train", train_briefly)
    with flagsaver.flagsaver(seeds=[1], sampled_rows=5_000, rate=0.3):
        sampled_negatives.main(None)
    summary = read_result("sampled_negatives/summary.json")
    assert list(summary["methods"]) == ["offset", "weights", "none", "all"]
    offset, weights, none, whole = summary["runs"]
    assert offset["train_rows"] == weights["train_rows"] < 0.4 * whole["train_rows"]
    # Without a correction about 1 / 0.3 times as many clicks are predicted as there are.
    assert offset["ratio"] < 0.6 * none["ratio"]


def test_a_correction_is_held_against_the_default_seed_by_seed():
    def run(method, *scores):
        return {"method": method, **dict(zip(("auc", "logloss", "ratio"), scores, strict=True))}

    runs = [run("offset", 0.7, 0.2, 1.0), run("weights", 0.6, 0.3, 1.5)] * 2
    found = sampled_negatives.summarise(runs, "weights")
    assert found["auc"]["mean"] == 0.6 and found["ratio"]["mean"] == 1.5
    assert found["auc_less_offset"]["mean"] == pytest.approx(-0.1)
    assert found["logloss_less_offset"]["mean"] == pytest.approx(0.1)
    assert "auc_less_offset" not in sampled_negatives.summarise(runs, "offset")
