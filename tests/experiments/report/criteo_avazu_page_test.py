import pytest

from experiments.common.results import write_result
from experiments.report.criteo_avazu_page import compared_models

STATISTICS = {"records": 100}


@pytest.fixture
def summary(study_flags):
    return {"data": {"statistics": STATISTICS}}


def write(name, statistics):
    record = {"data": {"statistics": statistics}, "date": "1", "versions": {}, "row": {"runs": []}}
    write_result(f"table_3/{name}.json", record)


def test_models_of_the_same_log_are_named(summary):
    assert compared_models("criteo", summary) == ""
    write("criteo/dnn", STATISTICS)
    write("criteo/lr", STATISTICS)
    assert compared_models("criteo", summary) == "LR, DNN"
    assert compared_models("criteo_generated_50", summary) == ""


def test_models_of_a_log_of_another_size_are_not(summary):
    write("criteo_generated_50/lr", {"records": 50})
    assert compared_models("criteo_generated_50", summary) == ""
