import copy
import pathlib

import pytest
from absl.testing import flagsaver

from experiments.common.results import PUBLISHED
from experiments.common.table_3_files import read_table_3
from experiments.report.readme_table import read_counted, table, with_table

ROOT = pathlib.Path(__file__).parents[3]


@pytest.fixture
def summary(study_flags):
    with flagsaver.flagsaver(results_dir=str(ROOT / PUBLISHED)):
        return copy.deepcopy(read_table_3("frappe"))


def test_readme_has_the_figures_of_the_results(summary):
    text = (ROOT / "README.md").read_text()
    with flagsaver.flagsaver(results_dir=str(ROOT / PUBLISHED)):
        counted = read_counted()
    assert with_table(text, table(summary, counted)) == text


def test_click_counts_stand_last(summary):
    scores = {"auc": {"mean": 0.9, "std": 0.001}, "logloss": {"mean": 0.2, "std": 0.002}}
    row = {"crosses": {"1": [["user", "item"]]}, "test": scores}
    last = table(summary, {"interhat": row}).splitlines()[-1]
    title = "InterHAt with field-aware values, with the clicks of user × item"
    assert last.startswith(f"| {title} | 0.9000 ± 0.0010 |")


def test_the_table_changes_between_the_marks_alone():
    text = "a\n<!-- results: make tables -->\nold\n<!-- end of results -->\nb\n"
    new = with_table(text, "new\n")
    assert new == "a\n<!-- results: make tables -->\nnew\n<!-- end of results -->\nb\n"
    with pytest.raises(ValueError, match="README has no"):
        with_table("a\n", "new\n")


def test_the_first_row_is_the_best_of_the_other_models_on_validation(summary):
    models = summary["models"]
    models["interhat"]["validation"]["auc"]["mean"] = 1.5
    models["fm"]["validation"]["auc"]["mean"] = 1.1
    first = table(summary, {}).splitlines()[2]
    assert first.startswith("| FM, the best of ") and first.endswith("| 0.8625 / 0.4480 |")
    models["deepfm"]["validation"]["logloss"]["mean"] = -0.5
    lines = table(summary, {}).splitlines()
    assert lines[2].startswith("| DeepFM, the best of ")
    assert sum("DeepFM" in line for line in lines) == 1
    models["lightgbm"] = copy.deepcopy(models["fm"])
    models["lightgbm"]["validation"]["auc"]["mean"] = 1.9
    assert table(summary, {}).splitlines()[2].startswith("| LightGBM, the best of ")


def test_a_row_that_is_not_there_is_left_out(summary):
    del summary["models"]["paper"]
    assert "printed equations" not in table(summary, {})
