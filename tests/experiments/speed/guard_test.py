import pytest
from absl.testing import flagsaver

from experiments.common.results import PUBLISHED
from experiments.speed import guard
from interhat_tf.utils.files import read_json


@pytest.mark.slow
def test_a_step_does_no_more_than_the_published_counts_say(study_flags):
    guard.main(None)
    found = read_json(study_flags / "results/speed/step_costs.json")["costs"]
    assert set(found) <= set(read_json(f"{PUBLISHED}/speed/step_costs.json")["costs"])
    for name in guard.GUARDED:
        assert found[f"{name}, plain"]["flops"] > 1e8
        if f"{name}, kernels" in found:  # which keep in cache what operations write
            assert found[f"{name}, kernels"]["bytes"] < found[f"{name}, plain"]["bytes"]


def test_a_step_that_grew_is_refused_unless_new_counts_are_set(study_flags, monkeypatch):
    monkeypatch.setattr(guard, "GUARDED", ("fm",))
    monkeypatch.setattr(guard, "ways", lambda: ["plain"])
    monkeypatch.setattr(guard, "PUBLISHED", str(study_flags / "published"))
    numbers = {"operations": 100, "flops": 100}
    monkeypatch.setattr(guard, "counted", lambda *_: dict(numbers))
    with flagsaver.flagsaver(results_dir=guard.PUBLISHED):
        guard.main(None)
    numbers["flops"] = 105
    guard.main(None)
    numbers["flops"] = 106
    with pytest.raises(guard.StepGrew, match=r"fm, plain: flops 100 -> 106\. If that is meant"):
        guard.main(None)
    with flagsaver.flagsaver(results_dir=guard.PUBLISHED):
        guard.main(None)
    guard.main(None)
