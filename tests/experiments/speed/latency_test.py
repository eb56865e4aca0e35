import numpy as np
import pytest
from absl.testing import flagsaver

from experiments.common.results import read_result
from experiments.speed import latency


@pytest.mark.slow
def test_exports_are_asked_in_turn(study_flags, monkeypatch):
    monkeypatch.setattr(latency, "ROUNDS", 2)
    monkeypatch.setattr(latency, "CALLS", {1: 3, 20: 2})
    monkeypatch.setattr(latency, "PART", 8)
    with flagsaver.flagsaver(size="avazu"):
        latency.main(None)
        rows = read_result("speed/latency.json")["rows"]
    assert len(rows) == 24 and {row["preset"] for row in rows} == {"tuned", "released"}
    assert {row["records"] for row in rows} == {1, 20}
    assert len({row["export"] for row in rows}) == 6
    assert all(0 < row["p50"] <= row["p99"] for row in rows)
    assert all(0 < row["first"] <= row["p99"] for row in rows)


def test_the_first_call_of_a_round_is_one_of_all():
    seconds = np.array([[5.0, 1.0, 1.0], [7.0, 1.0, 1.0], [9.0, 1.0, 1.0]])
    rest = {"p50": 1.0, "first": 7.0}
    assert latency.quantiles(seconds) == {"p99": pytest.approx(8.84), **rest}
