import pytest
from absl.testing import flagsaver

from experiments.speed import table_size
from experiments.speed.paper_sizes import Size
from interhat_tf.utils.files import read_json


@pytest.mark.slow
def test_optimizers_are_timed_in_turn_at_every_size(study_flags, monkeypatch):
    monkeypatch.setattr(table_size, "CRITEO", Size(4, 0, 1_000, 10_000))
    monkeypatch.setattr(table_size, "STEPS", {"interhat": 1, "fm": 2})
    with flagsaver.flagsaver(factors=[1, 3], adam_up_to=1, times=2):
        table_size.main(None)
    summary = read_json(study_flags / "results/vocabulary/summary.json")
    found = [(row["model"], row["optimizer"], row["features"]) for row in summary["rows"]]
    of_model = [("adam", 1_000), ("lazy_adam", 1_000), ("lazy_adam", 3_000)]
    assert found == [(model, *row) for model in ("interhat", "fm") for row in of_model]
    for row in summary["rows"]:
        assert row["seconds_per_step"]["mean"] > 0
        if row["features"] == 1_000:
            assert row["against_smallest"] == {"mean": 1.0, "std": 0.0}
