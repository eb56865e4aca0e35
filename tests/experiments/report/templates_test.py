"""Tests of the templates' marks."""

import pytest

from experiments.report import templates
from experiments.report.blocks import Picture, Table

TEMPLATE = """# A page of
{rows:,} rows

<!-- if runs, cases -->

## Runs

<!-- end runs, cases -->

<!-- each runs, cases -->

{name}: {seeds:list}, of {seeds:count}.

{table}

<!-- each shown -->

{picture}

<!-- end shown -->

<!-- end runs, cases -->

<!-- each runs -->
- {name},
  {auc:interval}
<!-- end runs -->
"""


@pytest.fixture
def fill(tmp_path, monkeypatch):
    """Returns a function that fills the template above."""
    (tmp_path / "a.md").write_text(TEMPLATE)
    monkeypatch.setattr(templates, "PAGES", tmp_path)
    return lambda **values: templates.fill("a.md", rows=1234, **values)


def test_parts_are_repeated_and_blocks_kept(fill):
    table, picture = Table(["a"], [["1"]]), Picture("b", "what", b"")
    run = {"seeds": [1, 2], "table": table, "shown": [{"picture": picture}]}
    auc = {"mean": 0.5, "low": 0.25, "high": 0.75}
    runs = [{**run, "name": name, "auc": auc} for name in ("one", "{two}")]
    assert fill(runs=runs, cases=[{**run, "name": "case", "shown": []}]) == [
        "# A page of 1,234 rows",
        "## Runs",
        *("one: 1, 2, of 2.", table, picture),
        *("{two}: 1, 2, of 2.", table, picture),
        *("case: 1, 2, of 2.", table),
        "- one, +0.5000 [+0.2500, +0.7500]\n- {two}, +0.5000 [+0.2500, +0.7500]",
    ]


def test_parts_of_nothing_are_left_out(fill):
    assert fill(runs=[], cases=None) == ["# A page of 1,234 rows"]


def test_a_missing_value_is_an_error(fill):
    with pytest.raises(KeyError, match="cases"):
        fill(runs=[])
    with pytest.raises(KeyError, match="seeds"):
        fill(runs=[{"name": "one"}], cases=[])


@pytest.mark.parametrize("page", sorted(templates.PAGES.glob("*.md")), ids=lambda page: page.name)
def test_each_part_of_a_page_has_an_end(page):
    text = page.read_text()
    while templates.PART.search(text):
        text = templates.PART.sub(r"\3", text)
    assert "<!--" not in text
