import pytest
from absl.testing import flagsaver

from experiments.common.results import read_result
from experiments.speed import own_log


@pytest.mark.usefixtures("quick_processes")
@pytest.mark.slow
def test_an_own_log_is_measured(study_flags):
    with flagsaver.flagsaver(own_rows=3_000, ways=["random", "time:time"]):
        own_log.main(None)
    found = read_result("speed/own_log.json")["prepared"]
    assert [figure["split"] for figure in found] == ["random", "time:time"]
    for figure in found:
        assert figure["rows_per_second"] == pytest.approx(3_000 / figure["seconds"])
        rate = 3_000 / figure["processor_seconds"]
        assert figure["rows_per_processor_second"] == pytest.approx(rate)
        assert figure["fields"] == 10  # without the label, and the time, which is of one hour
        assert figure["peak_gigabytes"] > 0
