"""The program on a small log, and how much is timed and compared."""

import time

import pytest
from absl.testing import flagsaver

from experiments.speed import explanations
from experiments.speed.contestants import Work, check_sums
from interhat_tf.utils.files import read_json
from tests.commands.train_test import write_raw


@pytest.mark.slow
def test_all_contestants_are_timed(study_flags, tmp_path, monkeypatch):
    monkeypatch.setitem(explanations.SHORT, "ebm", {"max_epochs": 5})
    given = {"raw_dir": str(write_raw(tmp_path / "raw")), "records": 32}
    models = ["released", "deepfm", "lightgbm", "ebm"]
    with flagsaver.flagsaver(**given, models=models, rounds=2, turn_seconds=0.01):
        explanations.main(None)
    summary = read_json(study_flags / "results/speed/explanations/frappe.json")
    rows = {(row["model"], row["what"], row["method"]): row for row in summary["rows"]}
    assert {(model, what) for model, what, _ in rows} == {
        *((model, what) for model in ("interhat, released", "deepfm") for what in ("training",)),
        *((model, "prediction") for model in ("interhat, released", "deepfm", "lightgbm", "ebm")),
        *((model, "explanation") for model in ("interhat, released", "deepfm", "lightgbm", "ebm")),
    }
    assert {method for model, _, method in rows if model == "deepfm"} == {
        "",
        "one-pass effects",
        "one-pass effects and pairs",
    }
    explained = [row for row in rows.values() if row["what"] == "explanation"]
    assert len(explained) == 14 and all(row["of_prediction"]["mean"] > 0 for row in explained)
    assert all(len(row["of_rounds"]) == 2 for row in rows.values())
    assert rows["lightgbm", "explanation", explanations.REFERENCE]["against"]["mean"] == 1
    assert summary["trees"]["lightgbm"]["rows_per_second"] > 0
    assert summary["trees"]["ebm"]["setting"] == {"max_epochs": 5}
    assert summary["versions"]["lightgbm"] and summary["threads"] > 0


@pytest.mark.parametrize(("a_record", "records", "times"), [(0.02, 5, 1), (0.0005, 50, 4)])
def test_a_turn_takes_about_as_long_as_asked(study_flags, a_record, records, times):
    work = Work("x", "prediction", lambda n: time.sleep(n * a_record), at_once=50)
    with flagsaver.flagsaver(turn_seconds=0.1):
        found = explanations.turn(work)
    assert abs(found[0] - records) <= 2 and abs(found[1] - times) <= 1


def test_explanations_are_compared_round_by_round():
    def row(model, method, rates, what="explanation"):
        return {"model": model, "method": method, "what": what, "of_rounds": rates}

    rows = [row("a", "explain", [100.0, 300.0]), row("b", explanations.REFERENCE, [10.0, 10.0])]
    rows += [row("a", "", [200.0, 400.0], "prediction"), row("b", "", [20.0, 20.0], "prediction")]
    explanations.compare(rows)
    assert rows[0]["against"]["mean"] == 20 and rows[1]["against"]["mean"] == 1
    assert rows[0]["of_prediction"]["mean"] == 0.625
    assert "against" not in rows[2]
    explanations.compare(alone := [rows[0], rows[2]])
    assert alone[0]["of_prediction"]["mean"] == 0.625


def test_contributions_that_miss_the_logit_are_no_explanation():
    check_sums("x", 1.0, 1.0005)
    with pytest.raises(ValueError, match=r"x: contributions miss the logit by 1.0e-02"):
        check_sums("x", 1.0, 1.01)


def test_a_rate_is_of_all_calls_of_a_turn(study_flags, monkeypatch):
    seconds = iter([0.5, 1.5, 1.0, 1.0, 2.0, 2.0])
    monkeypatch.setattr(explanations, "turn", lambda work: (10, 2))
    monkeypatch.setattr(explanations, "seconds_of", lambda call, records: next(seconds))
    with flagsaver.flagsaver(rounds=3):
        (row,) = explanations.timed([Work("x", "prediction", None)])
    assert row["of_rounds"] == [10, 10, 5] and row["rows_per_second"] == 10
