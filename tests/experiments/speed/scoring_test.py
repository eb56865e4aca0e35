"""The program on a small log."""

import pytest
from absl.testing import flagsaver

from experiments.speed import scoring
from interhat_tf.utils.files import read_json


@pytest.mark.usefixtures("quick_processes")
@pytest.mark.slow
def test_all_ways_are_measured(study_flags, monkeypatch):
    monkeypatch.setattr(scoring, "run_alone", lambda function, *arguments: function(*arguments))
    rows = {"scored_rows": 900, "exact_rows": 20, "compared_rows": 400}
    with flagsaver.flagsaver(**rows, rounds=2, presets=["tuned"]):
        scoring.main(None)
    summary = read_json(study_flags / "results/speed/scoring.json")
    assert [way["rows"] for way in summary["scored"]] == [900, 900, 20]
    assert all(way["peak_gigabytes"] >= way["gigabytes_before"] > 0 for way in summary["scored"])
    (share,) = summary["shares"]
    assert share["rows"] == 400 and set(share) > {".csv of prediction", ".parquet of prediction"}
