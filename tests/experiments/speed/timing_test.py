import contextlib

import numpy as np
import pytest

from experiments.speed import timing
from experiments.speed.grids import Case
from interhat_tf import kernels


@pytest.fixture
def processes(monkeypatch):
    """Stands in for the processes, in which case i takes (i + 1) / 10 s; keeps what was asked."""
    asked = {"started": [], "times": [], "prepared": []}

    @contextlib.contextmanager
    def fresh_process(**environment):
        asked["started"].append(environment)
        yield lambda function, *arguments: function(*arguments)

    def prepare(number, case):
        asked["prepared"].append(case)
        return {"parameters": number}

    def time_case(number, times):
        asked["times"].append((number, times))
        # The first time of all is slow: functions are traced.
        return 9.0 if asked["times"].count((number, 1)) == 1 else times * (number + 1) / 10

    monkeypatch.setattr(timing, "fresh_process", fresh_process)
    monkeypatch.setattr(timing, "prepare", prepare)
    monkeypatch.setattr(timing, "time_case", time_case)
    monkeypatch.setattr(timing, "use_one_thread_an_operation", lambda: None)
    return asked


def test_seconds_are_those_of_one_time(processes):
    cases = [Case(), Case(model="fm"), Case(model="dnn")]
    seconds, facts = timing.time_in_turn(cases, rounds=3, turn_seconds=0.4)
    np.testing.assert_allclose(seconds, [[0.1] * 3, [0.2] * 3, [0.3] * 3])
    assert facts == [{"parameters": 0}, {"parameters": 1}, {"parameters": 2}]
    assert processes["prepared"] == cases
    # In turn; two rounds that do not count; then as often as a turn has room for.
    first, second, *rounds = [processes["times"][i : i + 3] for i in range(0, 15, 3)]
    assert first == second == [(0, 1), (1, 1), (2, 1)]
    assert rounds == [[(0, 4), (1, 2), (2, 1)]] * 3


def test_a_case_that_outlasts_its_turn_is_done_once(processes):
    seconds, _ = timing.time_in_turn([Case()], rounds=2, turn_seconds=0.0)
    assert seconds == [[0.1, 0.1]]


def test_pytorch_is_timed_in_its_place(processes, monkeypatch):
    @contextlib.contextmanager
    def pytorch_case(case):
        yield {"parameters": 5}, lambda steps: steps * 0.7

    monkeypatch.setattr(timing, "pytorch_case", pytorch_case)
    cases = [Case(), Case(model="deepfm", code="pytorch"), Case(model="fm")]
    seconds, facts = timing.time_in_turn(cases, rounds=2, turn_seconds=0.1)
    np.testing.assert_allclose(seconds, [[0.1] * 2, [0.7] * 2, [0.3] * 2])
    assert facts == [{"parameters": 0}, {"parameters": 5}, {"parameters": 2}]
    assert len(processes["started"]) == 1


def test_kernels_and_threads_settle_the_process(processes, monkeypatch):
    threads = []
    monkeypatch.setattr(timing, "use_one_thread_an_operation", lambda: threads.append(1))
    cases = [Case(), Case(microbatch=64), Case(code="tensorflow"), Case(code="keras"), Case()]
    timing.time_in_turn(cases, rounds=1, turn_seconds=0.1)
    assert processes["started"] == [{}, {}, {kernels.SWITCH: "0"}]
    assert len(threads) == 1
