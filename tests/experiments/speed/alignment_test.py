import pytest
from absl.testing import flagsaver

from experiments.speed import alignment


def test_ratios_are_to_the_plain_step_of_the_same_round():
    found = alignment.ratios({"plain": [1.0, 4.0, 2.0], "effects": [2.0, 4.0, 3.0]})
    assert found["plain"]["ratio"] == 1 and found["effects"]["ratio"] == 1.5
    assert found["effects"]["low"] == 1.25 and found["effects"]["seconds"] == 3


@pytest.mark.slow
def test_each_kind_takes_its_steps(study_flags, monkeypatch):
    monkeypatch.setattr(alignment, "BATCH_SIZE", 32)
    steps = {
        kind: alignment.steps_of("tuned", "frappe", 2, how) for kind, how in alignment.KINDS.items()
    }
    with flagsaver.flagsaver(alignment_rounds=2, alignment_steps=1):
        seconds = alignment.time_in_turn(steps)
    assert set(seconds) == set(alignment.KINDS)
    assert all(len(of_kind) == 2 and min(of_kind) > 0 for of_kind in seconds.values())
