"""The program on a small log and a few steps."""

import pathlib

import pytest
from absl.testing import flagsaver

from experiments.common.results import read_result
from experiments.speed import workers

ROOT = pathlib.Path(__file__).parents[3]


@pytest.mark.slow
def test_workers_are_compared(study_flags, monkeypatch):
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    monkeypatch.setattr(workers, "BEAM_WORKERS", (1,))
    monkeypatch.setattr(workers, "TABLE_OPTIMIZERS", ("lazy_adam",))
    few = {"worker_log_rows": 2_000, "worker_features": [20_000], "worker_steps": 2, "rounds": 1}
    with flagsaver.flagsaver(**few):
        workers.main(None)
    found = read_result("speed/workers.json")
    assert [row["workers"] for row in found["prepared"]] == [0, 1]
    for row in found["prepared"]:
        assert row["rows"] == 2_000 and row["cores"] == 1
        assert row["rows_per_second"] > 0 and row["processor_seconds"] > 0
    # Beam's workers count among the processor's seconds.
    assert found["prepared"][1]["processor_seconds"] > 3
    one, two = found["trained"]
    assert (one["workers"], two["workers"]) == (1, 2)
    # Two workers send each other what half of a batch holds, 36 vectors a record, and more.
    assert two["bytes_a_step"] > 2 * 1024 * 36 * 12 * 4 > one["bytes_a_step"]
    assert one["parameters"] > one["table_parameters"] == 20_000 * 12
