import itertools
import types

import numpy as np
import pytest
import tensorflow as tf
from absl.testing import flagsaver

from experiments.common.results import read_result
from experiments.speed import latency
from interhat_tf import Field, Schema


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


def test_the_first_round_warms_up(monkeypatch):
    now, seconds = [0.0], itertools.chain([9.0, 9.0], itertools.repeat(1.0))

    def ask(ids):
        now[0] += next(seconds)
        return np.full(len(ids), 0.5)

    class Model:
        schema = Schema([Field("user", "categorical", 4)])

        def __call__(self, inputs):
            return tf.zeros((1, 1))

    monkeypatch.setattr(latency, "ROUNDS", 2)
    monkeypatch.setattr(latency, "CALLS", {1: 2})
    monkeypatch.setattr(latency, "time", types.SimpleNamespace(perf_counter=lambda: now[0]))
    (row,) = latency.latencies(Model(), {"ONNX": ask}, 1)
    assert row == {"export": "ONNX", "records": 1, "p50": 1, "p99": 1, "first": 1}
