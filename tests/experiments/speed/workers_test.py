"""The program on a small log and a few steps."""

import pathlib
import time
import types

import pytest
from absl.testing import flagsaver

from experiments.common.results import read_result
from experiments.speed import workers

ROOT = pathlib.Path(__file__).parents[3]


@pytest.mark.usefixtures("quick_processes")
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
    one, two = found["trained"]
    assert (one["workers"], two["workers"]) == (1, 2)
    # Two workers send each other what half of a batch holds, 36 vectors a record, and more.
    assert two["bytes_a_step"] > 2 * 1024 * 36 * 12 * 4 > one["bytes_a_step"]
    assert one["parameters"] > one["table_parameters"] == 20_000 * 12


@pytest.mark.slow
def test_beams_workers_count_among_the_processors_seconds(tmp_path, monkeypatch):
    beam = pytest.importorskip("apache_beam")

    def prepare_click_log(log, beam_options, data_dir, **_):
        """Has a worker of Beam, which imports less than one that prepares, compute for a while."""
        data_dir.mkdir()
        with beam.Pipeline(options=beam_options) as pipeline:
            _ = pipeline | beam.Create([3]) | beam.Map(compute)
        return types.SimpleNamespace(statistics={"records": 1})

    def compute(seconds):
        while time.process_time() < seconds:
            pass

    monkeypatch.setattr(workers, "prepare_click_log", prepare_click_log)
    monkeypatch.setattr(workers, "use_cores", lambda numbers: len(numbers))
    before = time.process_time()
    spent = workers.prepare(tmp_path, tmp_path / "log.csv", 1)["processor_seconds"]
    own = time.process_time() - before
    assert spent - own > 2.5
