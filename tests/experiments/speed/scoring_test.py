"""The program on a small log."""

import types

import numpy as np
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


def test_scoring_is_a_share_of_prediction_and_of_reading_with_it(tmp_path, monkeypatch):
    log = types.SimpleNamespace(chunks=[0])
    for name in ("prepare_own", "make_model", "predict", "score"):
        monkeypatch.setattr(scoring, name, lambda *_, **__: None)
    monkeypatch.setattr(scoring, "find_log", lambda path: log)
    monkeypatch.setattr(scoring, "read_chunk", lambda *_: [{"categorical": np.ones((6, 2))}])
    seconds = iter([1.0, 2.0, 4.0, 8.0])  # prediction, reading with it, scoring to each format
    monkeypatch.setattr(scoring, "processor_seconds", lambda function: next(seconds))
    found = scoring.compare(tmp_path, tmp_path, "tuned", rounds=1)
    shares = {name: value["mean"] for name, value in found.items() if isinstance(value, dict)}
    assert shares == {
        ".parquet of prediction": 0.25,
        ".parquet of reading, prediction": 0.5,
        ".csv of prediction": 0.125,
        ".csv of reading, prediction": 0.25,
    }
    assert found["rows"] == found["predicted_rows_a_processor_second"] == 6
