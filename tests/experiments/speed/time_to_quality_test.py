"""Tests of curves of time to quality, on a small log."""

import numpy as np
import pytest
from absl.testing import flagsaver

from experiments.common.results import read_result, write_result
from experiments.speed import quality_curves, time_to_quality
from experiments.speed.quality_curves import Clock


def test_evaluations_become_rarer(monkeypatch):
    now = 100.0
    monkeypatch.setattr(quality_curves.time, "perf_counter", lambda: now)
    clock = Clock(limit=10.0, first=1.0)
    assert not clock.is_due()
    now = 102.0
    assert clock.is_due()
    now = 102.4  # the evaluation's seconds count
    clock.add(np.float32(0.5), epoch=1)
    assert clock.curve == [{"seconds": pytest.approx(2.4), "logloss": 0.5, "epoch": 1}]
    now = 102.9
    assert not clock.is_due()
    now = 103.1
    assert clock.is_due() and not clock.is_over()
    clock.add(np.float32(0.4), epoch=1)
    clock.add(np.float32(0.4), epoch=1)  # an epoch ends at once after
    now = 103.8
    assert not clock.is_due()
    now = 104.0
    assert clock.is_due()
    now = 110.0
    assert clock.is_over()


@pytest.mark.slow
def test_all_models_have_a_curve(study_flags, monkeypatch):
    monkeypatch.setattr(time_to_quality, "run_alone", lambda function, *given: function(*given))
    names = ["interhat", "dnn", "lightgbm", "ebm"]
    with flagsaver.flagsaver(dataset=None, quality_rows=4_000, limit=2.0, models=names[1:]):
        time_to_quality.main(None)
    with flagsaver.flagsaver(dataset=None, quality_rows=4_000, limit=1.0, models=names[:1]):
        time_to_quality.main(None)  # the others stay
    found = read_result("time_to_quality/criteo_generated_4000/summary.json")
    assert found["prepared"]["rows"] == 4_000 and found["prepared"]["seconds"] > 0
    assert list(found["models"]) == names
    assert [model["limit"] for model in found["models"].values()] == [1.0, 2.0, 2.0, 2.0]
    for name, model in found["models"].items():
        losses = [point["logloss"] for point in model["curve"]]
        seconds = [point["seconds"] for point in model["curve"]]
        assert losses and min(losses) < 0.75, name
        assert seconds == sorted(seconds)
        own = found["reached"][name]
        assert own["logloss"] == min(losses)
        at = found["prepared"]["seconds"] + seconds[losses.index(min(losses))]
        assert own["seconds"][name] == pytest.approx(at)


def test_models_of_other_records_or_another_machine_are_not_mixed(tmp_path):
    about = {"set": "quality/1.0.0", "rows": 10}
    with flagsaver.flagsaver(dataset=None, quality_rows=10, results_dir=str(tmp_path)):
        assert time_to_quality.earlier_models(about) == {}
        summary = time_to_quality.start_of_summary(about)
        write_result(time_to_quality.summary_path(), {**summary, "models": {"dnn": {}}})
        assert time_to_quality.earlier_models(about) == {"dnn": {}}
        with pytest.raises(ValueError, match=r"summary\.json: its models are of.*'rows': 10.*move"):
            time_to_quality.earlier_models({**about, "rows": 11})
        write_result(time_to_quality.summary_path(), {**summary, "threads": 99, "models": {}})
        with pytest.raises(ValueError, match="'threads': 99"):
            time_to_quality.earlier_models(about)
