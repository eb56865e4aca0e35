import datetime
import importlib.metadata
import pathlib
import re
import subprocess

import pytest

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


TARGETS = "reproduce reproduce-frappe reproduce-criteo reproduce-avazu reproduce-movielens"
TARGETS += " table-3 figure-2 figure-3 figure-4 benchmark benchmark-gpu faithfulness page"


@pytest.mark.parametrize("target", TARGETS.split())
def test_make_leaves_the_published_results_alone(target):
    command = ["make", "-n", target, "FRAPPE=a", "MOVIELENS=b", "CRITEO=c", "AVAZU=d"]
    root = pathlib.Path(__file__).parents[3]
    done = subprocess.run(command, cwd=root, capture_output=True, text=True, check=True)
    programs = re.findall(r"-m experiments\.(?:[^;\n\\]|\\\n)*", done.stdout)
    assert programs
    assert all('--results_dir="runs/results"' in program for program in programs)
