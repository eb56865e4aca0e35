"""Tests of the speed of models of histories."""

import numpy as np
import pytest
from absl.testing import flagsaver

from experiments.common.results import read_result
from experiments.speed import histories
from interhat_tf.schema import PADDING


def test_histories_are_padded_behind_their_values():
    arrays = histories.made_up(np.random.default_rng(0), 50)
    ids, values = arrays["ids"], arrays["histories"]
    assert ids.shape == (histories.BATCHES, 50, 3)
    assert values.shape == (histories.BATCHES, 2, 50, histories.LENGTH)
    assert (ids >= 0).all() and (ids.max((0, 1)) < list(histories.SIZES.values())).all()
    assert (values[..., 0] >= 0).all()
    padded = values == PADDING
    assert (padded[..., 1:] >= padded[..., :-1]).all() and padded.any()
    assert (padded[:, 0] == padded[:, 1]).all()  # of both histories alike


@pytest.mark.slow
def test_each_model_is_timed_beside_din(study_flags, monkeypatch):
    monkeypatch.setattr(histories, "LENGTH", 5)
    monkeypatch.setattr(histories, "SIZES", {"user": 30, "item": 20, "category": 5})
    with flagsaver.flagsaver(history_batch=8, rounds=2):
        histories.main(None)
    found = read_result("speed/histories.json")
    rows = {row["model"]: row for row in found["rows"]}
    assert list(rows) == list(histories.CONTESTANTS)
    assert rows["din"]["times"] == {"mean": 1.0, "std": 0.0}
    assert all(row["rows_per_second"]["mean"] > 0 for row in rows.values())


def test_a_model_that_takes_half_of_dins_seconds_is_twice_as_fast(study_flags, monkeypatch):
    def of_model(name, arrays):
        return lambda steps: steps * (2.0 if name == "din" else 1.0)

    monkeypatch.setattr(histories, "of_model", of_model)
    with flagsaver.flagsaver(history_batch=8, rounds=2):
        histories.main(None)
    rows = {row["model"]: row for row in read_result("speed/histories.json")["rows"]}
    assert rows["dnn"]["times"]["mean"] == 2 and rows["din"]["rows_per_second"]["mean"] == 4
