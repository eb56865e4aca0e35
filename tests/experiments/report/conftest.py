import pytest

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
