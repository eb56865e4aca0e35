import dataclasses

import pytest

from experiments.speed.grids import GRIDS, Case


@pytest.mark.parametrize("name", GRIDS)
def test_a_grid_has_each_case_once_and_what_it_is_compared_with(name):
    grid = GRIDS[name]
    assert all(case not in grid.cases[:i] for i, case in enumerate(grid.cases))
    for case in grid.cases:
        for fields in grid.against.values():
            other = dataclasses.replace(case, **fields)
            assert other in grid.cases
            assert all(getattr(case, f) == getattr(other, f) for f in grid.group_by)


def test_a_group_that_scales_changes_one_thing():
    for case in GRIDS["scaling"].cases:
        usual = vars(Case(case.model, axis=case.axis))
        changed = {name for name, value in vars(case).items() if value != usual[name]}
        # 2,048 records are the usual batch.
        assert changed == {case.axis} or changed == ({"changed"} if case.changed else set())
        assert not case.changed or set(case.changed) == {case.axis}
