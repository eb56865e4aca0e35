import datetime
import importlib.metadata

from experiments.common.results import read_result, record, write_result


def test_a_record_says_when_and_with_what():
    found = record("scipy", seeds=[1, 2])
    assert found["date"] == datetime.date.today().isoformat()
    assert found["versions"]["scipy"] == importlib.metadata.version("scipy")
    assert {"tensorflow", "keras", "machine", "commit"} <= set(found["versions"])
    assert found["seeds"] == [1, 2]


def test_a_result_is_read_back(study_flags):
    assert read_result("figure_1/frappe/summary.json") is None
    write_result("figure_1/frappe/summary.json", {"a": 1})
    assert read_result("figure_1/frappe/summary.json") == {"a": 1}
    assert (study_flags / "results/figure_1/frappe/summary.json").exists()
