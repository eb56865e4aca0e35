"""Tests of what the input pipeline costs a step, in seconds that are made up."""

import types

import pytest

from experiments.speed import reading
from experiments.speed.grids import Case

SECONDS = {"start": 1.0, "memory": 3.0, "pipeline": 4.0}


class Batches:
    """Batches of one source; those that are cached lie in memory."""

    def __init__(self, source):
        self.source = source

    def __iter__(self):
        return self

    def __next__(self):
        raise AssertionError

    def take(self, number):
        return Batches("memory")

    def cache(self):
        return self

    repeat = cache

    def prefetch(self, number):
        return self


class Training:
    def __init__(self, model, optimizer, batches, **_):
        self.batches = batches

    def train(self, steps):
        pass

    def time(self, steps):
        return SECONDS[self.batches.source] * steps


def test_the_share_of_a_step_is_what_records_in_memory_would_save(monkeypatch, tmp_path):
    data = types.SimpleNamespace(schema=None, training_batches=lambda *_, **__: Batches("pipeline"))
    rates = [{"rows_per_second": rate} for rate in (100.0, 900.0)]
    monkeypatch.setattr(reading, "prepare", lambda builder: data)
    monkeypatch.setattr(reading, "reading", lambda *_, **__: rates)
    monkeypatch.setattr(reading, "build", lambda *_, **__: types.SimpleNamespace(schema=None))
    monkeypatch.setattr(reading, "batches_of", lambda *_: Batches("start"))
    monkeypatch.setattr(reading, "Training", Training)
    found = reading.time_input(Case(), rounds=2, seconds=1.0, rows=100, folder=str(tmp_path))
    assert found["shares"] == [0.25, 0.25] and found["share_of_the_step"] == 0.25
    assert (found["rows_per_second"], found["copying_rows_per_second"]) == (100, 900)


def test_a_rate_is_of_the_median_seconds():
    found = reading.figure("x", 100, [4.0, 1.0, 2.0])
    assert found["rows_per_second"] == pytest.approx(50) and found["seconds"] == 2
    assert (found["seconds_min"], found["seconds_max"], found["times"]) == (1, 4, 3)
