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
