import pytest

from experiments.report.blocks import html_page, markdown
from experiments.report.tables import results_page
from experiments.speed.grids import Case

VERSIONS = {"commit": "abc", "tensorflow": "2", "keras": "3", "machine": "a machine"}
MEASURED = {"date": "2026-01-01", "versions": VERSIONS}


@pytest.fixture
def measured():
    """What every summary starts with."""
    return dict(MEASURED)


@pytest.fixture
def grid_of():
    """Returns a function that makes up a grid's summary: of one group, and its rows."""

    def make(of, rows, **more):
        usual = {name: value for name, value in vars(Case()).items() if value not in (None, {})}
        rows = [{**usual, "deviation": 0.1, **row} for row in rows]
        group = {"of": of, **MEASURED, "average": "medians", "rounds": 5, "rows": rows}
        return {"groups": [{**group, **more}]}

    return make


@pytest.fixture
def page_of():
    """Returns a function that makes up the page of results of one summary, by its part's name."""

    def make(**summaries):
        found = {name: [summary] for name, summary in summaries.items()}
        page = results_page(found, verdict="", at_a_glance="", table_1=[], sensitivity=[])
        assert html_page(page).count("<table") == markdown(page).count("\n| --- |")
        return markdown(page)

    return make
