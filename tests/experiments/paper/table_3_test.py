"""The logic of Table 3's experiment on made-up reports, and all of it once, small, for real."""

import pytest
from absl.testing import flagsaver

from experiments.common.search_spaces import draw, search_space
from experiments.paper import table_3
from experiments.report import tables
from interhat_tf.utils.files import read_json
from tests.commands.train_test import write_raw
from tests.experiments.conftest import report_of


@pytest.fixture
def summary(study_flags, fake_runs, fake_data, monkeypatch):
    monkeypatch.setattr(table_3, "memorisation_baseline", lambda data: {"auc": 1, "logloss": 0})
    with flagsaver.flagsaver(models=["fm", "interhat"], trials=4):
        table_3.main(None)
    return read_json(study_flags / "results/table_3/frappe/summary.json")


def test_all_trials_are_kept_the_best_on_validation_first(summary):
    for model in ("fm", "interhat"):
        trials = summary["trials"][model]
        drawn = draw(search_space("frappe", model), 4, seed=model)
        assert sorted(map(str, drawn)) == sorted(str(trial["setting"]) for trial in trials)
        scores = [t["validation"]["auc"] - t["validation"]["logloss"] for t in trials]
        assert scores == sorted(scores, reverse=True)


def test_only_the_final_runs_read_the_test_split(summary, fake_runs):
    trials = [run for run in fake_runs.asked if run["seed"] == 0]
    assert len(trials) == 8 and not any(run["test"] for run in trials)
    assert all("test" not in trial for found in summary["trials"].values() for trial in found)
    finals = [run for run in fake_runs.asked if run["seed"] != 0]
    assert len(finals) == 4 * 3 and all("test" not in run for run in finals)


def test_the_final_runs_have_the_chosen_setting(summary, fake_runs):
    chosen = summary["trials"]["fm"][0]["setting"]
    finals = [r for r in fake_runs.asked if r["seed"] != 0 and r["model"] == "fm"]
    assert [run["seed"] for run in finals] == [1, 2, 3]
    assert all(chosen.items() <= run.items() for run in finals)
    expected = [report_of(run)["test"]["auc"] for run in finals]
    assert [run["test"]["auc"] for run in summary["models"]["fm"]["runs"]] == expected


def test_presets_stand_beside_them_with_table_2s_settings(summary, fake_runs):
    assert list(summary["models"]) == ["fm", "interhat", "paper", "released"]
    released = [run for run in fake_runs.asked if run.get("preset") == "released"]
    plain = [run for run in released if "embedding_l2" not in run]
    assert [run["seed"] for run in plain] == [1, 2, 3]
    assert set(summary["differences"]) == {"fm", "paper", "released"}
    difference = summary["differences"]["fm"]["auc"]
    means = [summary["models"][name]["test"]["auc"]["mean"] for name in ("interhat", "fm")]
    assert difference["mean"] == pytest.approx(means[0] - means[1])


def test_the_seed_that_chose_is_no_final_seed(study_flags):
    with flagsaver.flagsaver(seeds=[0, 1]), pytest.raises(ValueError, match="seed 0 chose"):
        table_3.main(None)


@pytest.mark.slow
def test_the_whole_of_it_stops_and_goes_on(study_flags, tmp_path):
    raw = write_raw(tmp_path / "raw")

    def run():
        given = {"raw_dir": str(raw), "models": ["lr"], "trials": 1}
        with flagsaver.flagsaver(**given, seeds=[1], epochs=1):
            table_3.main(None)

    run()
    path = tmp_path / "results/table_3/frappe/summary.json"
    first = read_json(path)
    reports = list((tmp_path / "runs/frappe").glob("*/report.json"))
    assert len(reports) == 1 + 1 + 2
    # One run is gone, as if the program had been stopped before it; the others stay as they are.
    gone = next(report for report in reports if report.parent.name.startswith("lr-"))
    before = {report: report.stat().st_mtime_ns for report in reports if report != gone}
    gone.unlink()
    run()
    assert gone.exists()
    assert before == {report: report.stat().st_mtime_ns for report in before}
    second = read_json(path)
    assert second["models"]["lr"]["runs"][0]["test"] == first["models"]["lr"]["runs"][0]["test"]
    assert set(second["models"]) == {"lr", "paper", "released"}
    tables.main(None)
    assert "Table 3: Frappe" in (tmp_path / "results/README.md").read_text()
