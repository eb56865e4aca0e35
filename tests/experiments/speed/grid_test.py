import functools

import pytest
from absl.testing import flagsaver

from experiments.common.results import read_result
from experiments.speed import grid
from experiments.speed.ceilings import ceilings
from experiments.speed.grids import GRIDS, Case, Grid
from interhat_tf import kernels


@pytest.mark.usefixtures("quick_processes")
@pytest.mark.slow
@pytest.mark.skipif(not kernels.LIBRARY.exists(), reason="not built")
def test_a_grid_is_timed(study_flags, monkeypatch):
    cases = [
        Case(size="frappe", batch=16, fields=4, features=600, **how)
        for how in (
            {},
            {"microbatch": 8},
            {"code": "tensorflow"},
            {"code": "keras"},
            {"model": "fm", "work": "update", "optimizer": "lazy_adam"},
        )
    ]
    against = {"whole": {"microbatch": None, "code": "interhat_tf"}}
    small = functools.partial(ceilings, repeats=1, side=64, numbers=1 << 16)
    monkeypatch.setattr(grid, "ceilings", small)
    monkeypatch.setitem(GRIDS, "models", Grid(cases, ("size",), against, limits=True))
    with flagsaver.flagsaver(grid="models", rounds=2, turn_seconds=0.0, pipeline_rows=2_000):
        grid.main(None)
    (group,) = read_result("speed/models.json")["groups"]
    assert group["of"] == {"size": "frappe"} and group["rounds"] == 2
    assert group["versions"]["kernels"]
    whole, halves, plain, by_keras, update = rows = group["rows"]
    for row in rows:
        assert min(row["of_rounds"]) <= row["seconds"] <= max(row["of_rounds"])
        assert row["deviation"] >= 0
    assert [row["code"] for row in rows[:4]] == [
        "interhat_tf",
        "interhat_tf",
        "tensorflow",
        "keras",
    ]
    assert whole["against"]["whole"]["rate"] == {"mean": 1.0, "std": 0.0}
    assert halves["microbatch"] == 8 and halves["against"]["whole"]["time"]["mean"] > 0
    # TensorFlow's operations write the attention weights, the CPU kernels do not.
    assert whole["map_bytes"] == 0 < plain["map_bytes"]
    assert by_keras["parameters"] == whole["parameters"]
    assert (update["work"], update["optimizer"]) == ("update", "lazy_adam")
    assert min(group["ceilings"].values()) > 1e6
    assert group["input"]["rows_per_second"] > 0 and group["input"]["share_of_the_step"] < 1


def test_flags_choose_and_change_cases(study_flags):
    with flagsaver.flagsaver(sizes=["criteo"], models=["interhat"], batch=64, xla=True):
        cases = grid.chosen(GRIDS["scaling"].cases)
    assert {case.batch for case in cases} == {64}
    assert all(case.jit_compile and case.model == "interhat" for case in cases)
    # One case is left of those that differed by the batch.
    assert [case.axis for case in cases].count("batch") == 1
    with flagsaver.flagsaver(sizes=["frappe"]):
        assert grid.chosen(GRIDS["scaling"].cases) == []


def test_a_model_that_is_not_timed(study_flags):
    with (
        flagsaver.flagsaver(models=["fm"]),
        pytest.raises(ValueError, match="--models: fm: not of wide_deep, dcn"),
    ):
        grid.chosen(GRIDS["figure_2"].cases)


def test_a_group_takes_the_place_of_the_same(study_flags):
    for of, rounds in (("a", 1), ("b", 2), ("a", 3)):
        grid.write_group("speed/x.json", {"of": {"model": of}, "rounds": rounds})
    groups = read_result("speed/x.json")["groups"]
    assert [group["rounds"] for group in groups] == [3, 2]


def test_comparisons_are_paired_by_round():
    pair = Grid([], ("model",), against={"whole": {"microbatch": None}})
    cases = [Case(), Case(microbatch=8)]
    found = grid.compared(pair, cases[1], cases, [[1.0, 2.0], [2.0, 4.0]])
    assert found["whole"] == {"time": {"mean": 2.0, "std": 0.0}, "rate": {"mean": 0.5, "std": 0.0}}


def test_a_row_has_the_median_of_its_rounds(monkeypatch):
    rounds = [[3.0, 1.0, 8.0], [6.0, 2.0, 4.0]]
    monkeypatch.setattr(grid, "time_in_turn", lambda *_: (rounds, [{"parameters": 7}, {}]))
    cases = [Case("fm"), Case("fm", batch=64)]
    first, second = grid.measured(Grid(cases, ("size",)), cases)["rows"]
    assert (first["seconds"], second["seconds"]) == (3.0, 4.0)
    assert first["deviation"] == pytest.approx(13**0.5) and second["deviation"] == 2.0
    assert first["of_rounds"] == rounds[0] and second["of_rounds"] == rounds[1]
    assert (first["model"], first["parameters"], second["batch"]) == ("fm", 7, 64)


def test_rows_a_second_and_what_is_unusual_are_printed(capsys):
    row = {**vars(Case("fm", batch=64, microbatch=8)), "seconds": 0.5, "deviation": 0.05}
    grid.show({"of": {"size": "criteo"}, "rows": [row]})
    lines = capsys.readouterr().out.splitlines()
    assert "| size criteo | rows/s | spread |" in lines
    assert "| fm, step, batch 64, microbatch 8 | 128 | 10.0% |" in lines
