import pathlib

import pytest

from experiments.report.readme_table import table, with_table
from interhat_tf.utils.files import read_json

ROOT = pathlib.Path(__file__).parents[3]


def summary():
    return read_json(ROOT / "experiments/results/table_3/frappe/summary.json")


def test_readme_has_the_figures_of_the_results():
    text = (ROOT / "README.md").read_text()
    assert with_table(text, table(summary())) == text


def test_the_table_changes_between_the_marks_alone():
    text = "a\n<!-- results: make tables -->\nold\n<!-- end of results -->\nb\n"
    new = with_table(text, "new\n")
    assert new == "a\n<!-- results: make tables -->\nnew\n<!-- end of results -->\nb\n"
    with pytest.raises(ValueError, match="README has no"):
        with_table("a\n", "new\n")


def test_a_title_that_is_no_longer_true():
    found = summary()
    found["models"]["interhat"]["test"]["auc"]["mean"] = 0.99
    with pytest.raises(ValueError, match="interhat is the best model now"):
        table(found)
