"""Tests of the templates' marks."""

import pathlib
import re

import jinja2
import pytest

from experiments.report import templates
from experiments.report.blocks import Picture, Table

TEMPLATE = """# A page of
{{ rows | number(",") }} rows

{% if runs or cases %}

## Runs

{% endif %}

{% for run in runs + cases %}

{{ run.name }}: {{ run.seeds | join(", ") }}, of {{ run.seeds | length }}.

{{ run.table }}

{% for shown in run.shown %}

{{ shown.picture }}

{% endfor %}

{% endfor %}

{% for run in runs %}
- {{ run.name }},
  {{ run.auc | interval }}
{% endfor %}
"""


@pytest.fixture
def fill(monkeypatch):
    """Returns a function that fills the template above."""
    monkeypatch.setattr(templates.PAGES, "loader", jinja2.DictLoader({"a.md": TEMPLATE}))
    return lambda **values: templates.fill("a.md", rows=1234, **values)


def test_parts_are_repeated_and_blocks_kept(fill):
    table, picture = Table(["a"], [["1"]]), Picture("b", "what", b"")
    run = {"seeds": [1, 2], "table": table, "shown": [{"picture": picture}]}
    auc = {"mean": 0.5, "low": 0.25, "high": 0.75}
    runs = [{**run, "name": name, "auc": auc} for name in ("one", "{{ two }}")]
    assert fill(runs=runs, cases=[{**run, "name": "a < b", "shown": []}]) == [
        "# A page of 1,234 rows",
        "## Runs",
        *("one: 1, 2, of 2.", table, picture),
        *("{{ two }}: 1, 2, of 2.", table, picture),
        *("a < b: 1, 2, of 2.", table),
        "- one, +0.5000 [+0.2500, +0.7500]\n- {{ two }}, +0.5000 [+0.2500, +0.7500]",
    ]


def test_parts_of_nothing_are_left_out(fill):
    assert fill(runs=[], cases=[]) == ["# A page of 1,234 rows"]


def test_a_missing_value_is_an_error(fill):
    with pytest.raises(jinja2.UndefinedError, match="cases"):
        fill(runs=[])
    with pytest.raises(jinja2.UndefinedError, match="seeds"):
        fill(runs=[{"name": "one"}], cases=[])


@pytest.mark.parametrize("page", templates.PAGES.list_templates(["md"]))
def test_pages_have_no_other_marks(page):
    template = templates.PAGES.get_template(page)  # parts without an end are errors
    text = pathlib.Path(template.filename).read_text()
    assert not re.search(r"<!--|(?<![{%])\{[^{%]", text)
