import pytest

from experiments.common.markdown import interval, markdown_table, pair, spread


@pytest.mark.parametrize(("numeric", "rule"), [(True, "---:"), (False, "---")])
def test_markdown_table(numeric, rule):
    assert markdown_table(["name", "AUC"], [["a", 0.5]], numeric) == (
        f"| name | AUC |\n| --- | {rule} |\n| a | 0.5 |\n"
    )


def test_cells():
    assert spread({"mean": 11_000.4, "std": 200.0}, 0) == "11,000 ± 200"
    assert pair((0.5, 0.25)) == "0.5000 / 0.2500" and pair(None) == "–"
    assert interval(None) == "–"
    assert interval({"mean": 0.5, "low": None, "high": None}, 2) == "+0.50"
    assert interval({"mean": -0.5, "low": -1.0, "high": 0.0}, 1) == "-0.5 [-1.0, +0.0]"
