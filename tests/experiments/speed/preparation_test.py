import pytest
from absl.testing import flagsaver

from experiments.common.results import read_result
from experiments.speed import preparation


@pytest.mark.usefixtures("quick_processes")
@pytest.mark.slow
def test_preparation_is_measured(study_flags):
    with flagsaver.flagsaver(log_rows=[3_000, 6_000], configs=["all_fields"], rounds=1):
        preparation.main(None)
    measured = read_result("speed/preparation.json")
    assert [figure["rows"] for figure in measured["prepared"]] == [3_000, 6_000]
    for figure in measured["prepared"]:
        assert figure["rows_per_second"] == pytest.approx(figure["rows"] / figure["seconds"])
        assert figure["peak_gigabytes"] >= figure["gigabytes_of_imports"] > 0
        assert figure["prepared_gigabytes"] > figure["rows"] * 39 * 4 / 1e9
    # All rows, not the configuration's share of them.
    assert len(measured["read"]) == 2 and measured["read"][0]["rows"] > 3_000 * 0.7
