"""Tests of the program that measures calibration, and of what the page says of it."""

import numpy as np
import pytest
from absl.testing import flagsaver

from experiments import calibration
from experiments.report import calibration_page
from experiments.report.tables import results_page
from interhat_tf.models.presets import PRESETS
from interhat_tf.utils.files import read_json


def test_of_thinned_out_rows_all_clicks_and_some_others_are_left(tmp_path):
    random = np.random.default_rng(1)
    rows = [f"{random.integers(2)}\t{row}\n".encode() for row in range(1000)]
    (tmp_path / "train.txt").write_bytes(b"".join(rows))
    paths = [tmp_path / name for name in "abc"]
    calibration.thin_out(tmp_path / "train.txt", paths, 0.1)
    (header, *first), *rest = (path.read_bytes().splitlines(keepends=True) for path in paths)
    assert header.split(b"\t")[0] == b"click" and len(header.split(b"\t")) == 40
    assert [lines[1:] for lines in rest] == [rows[800:900], rows[900:]]
    clicked = [line for line in rows[:800] if line.startswith(b"1")]
    assert [line for line in first if line.startswith(b"1")] == clicked
    assert 20 < len(first) - len(clicked) < 60


def page_of(summary):
    blocks = results_page(
        {"calibration": [summary]}, verdict="", at_a_glance="", table_1="", sensitivity=[]
    )
    return " ".join(str(block) for block in blocks)


@pytest.mark.parametrize("kept", [None, 0.3])
def test_the_page_says_what_is_fitted_to_and_tested(rng, kept):
    labels = rng.integers(2, size=400)
    figures, curves = calibration.measure(*[(labels, labels + rng.normal(size=400))] * 2)
    rows = [
        {"way": way, **{of: {"mean": values[of], "std": 0.0} for of in calibration.FIGURES}}
        for way, values in figures.items()
        if way not in ("method", "auc")
    ]
    summary = {
        **{"date": "2026-11-30", "versions": {"machine": "2 cores"}},
        "data": {"set": "criteo_negatives/1.0.0", "note": "a generated log of 24,000 rows"},
        **{"kept_negatives": kept, "seeds": [1], "auc": {"mean": 0.8, "std": 0.0}},
        **{"chosen": ["platt"], "rates": {"train": 0.6, "test": 0.3}, "rows": rows},
        "curves": {name: curve.to_dict() for name, curve in curves.items()},
    }
    text = page_of(summary)
    assert "its training rows have 60.0% of clicks" in text
    assert f"those of the test{' split' if kept is None else ''} 30.0%" in text
    assert ("fitted to the validation split" in text) == (kept is None)
    assert ("fitted to the first half of the rest" in text) == (kept is not None)
    assert ("chosen on the first half" in text) == (kept is not None)
    own = [format(figures["none"][of], ".4f") for of in calibration.FIGURES[:2]]
    ratio = format(figures["none"]["ratio"], ".3f")
    table = calibration_page.calibration(summary)["figures"]
    assert [cell.split(" ±")[0] for cell in table.rows[0]] == ["the model's own", *own, ratio]
    given = " --kept_negatives=0.3" if kept else ""
    assert f"experiments.calibration --dataset=NAME --generate=24000{given}`" in text


def test_each_share_of_negatives_has_runs_of_its_own(study_flags, monkeypatch):
    asked = []
    monkeypatch.setattr(
        calibration, "open_data", lambda: (None, {"dataset": calibration.result_name()}, [])
    )

    def explained_runs(runs):
        asked.extend(runs)
        raise LookupError

    monkeypatch.setattr(calibration, "explained_runs", explained_runs)
    for kept in (0.1, 0.3):
        given = {"dataset": "criteo", "generate": 90, "kept_negatives": kept, "seeds": [1]}
        with flagsaver.flagsaver(**given), pytest.raises(LookupError):
            calibration.main(None)
    assert len({run["output_dir"] for run in asked}) == len(asked) == 2
    assert [run["dataset"][-2:] for run in asked] == ["10", "30"]


@pytest.mark.slow
def test_too_many_predicted_clicks_are_mended(study_flags, runs_in_process, monkeypatch):
    # Aligned attention is calibrated like any other, and takes half of the time.
    monkeypatch.setitem(PRESETS["tuned"].training, "effect_weight", 0.0)
    given = {"dataset": "criteo", "generate": 24_000, "kept_negatives": 0.3, "epochs": 6}
    with flagsaver.flagsaver(**given, seeds=[1]):
        calibration.main(None)
    summary = read_json(
        study_flags / "results/calibration/criteo_generated_24000_negatives_30.json"
    )
    assert summary["rates"]["train"] > 2 * summary["rates"]["test"]
    rows = {row["way"]: row for row in summary["rows"]}
    assert rows["none"]["ratio"]["mean"] > 1.5
    assert 0.8 < rows["chosen"]["ratio"]["mean"] < 1.25
    assert len(summary["chosen"]) == 1 and len(summary["curves"]) == 2
    text = page_of(summary)
    assert "Criteo, generated, 24,000 rows, 30% of the negatives trained on" in text
    assert "the model's own" in text and "`tuned`, 1 seed, at most 6 epochs; its" in text
    flags = "--dataset=NAME --generate=24000 --kept_negatives=0.3 --epochs=6"
    assert f"experiments.calibration {flags}`" in text


def test_calibration_knows_nothing_of_the_records_that_test_it(rng):
    logits = rng.normal(size=4000)
    labels = (rng.random(4000) < 1 / (1 + np.exp(-logits))).astype(int)
    # Twice as sure as is right on the one half, and right on the other, which shows it.
    figures, _ = calibration.measure(
        (labels[:2000], 2 * logits[:2000]), (labels[2000:], logits[2000:])
    )
    assert figures["none"]["expected_calibration_error"] < 0.03
    assert figures["platt"]["expected_calibration_error"] > 0.06
    assert figures["chosen"] == figures[figures["method"]] and figures["method"] != "none"


def test_what_is_fitted_to_and_tested_on_are_the_splits(study_flags, monkeypatch):
    monkeypatch.setattr(calibration.studies, "open_data", lambda: "the set")
    data, flags, records = calibration.open_data()
    assert (data, flags) == ("the set", {})
    assert [of.keywords["split"] for of in records] == ["validation", "test"]


def test_a_rate_is_the_share_of_rows_with_a_click(fake_data):
    assert calibration.click_rate(fake_data, "test") == pytest.approx(1 / 9)


def test_curves_are_those_of_the_first_seed(study_flags, fake_data, monkeypatch):
    labels = np.tile([0, 1], 20)

    def explained_runs(runs):  # in any order
        first, second, third = runs
        return [(run, run["seed"], {}) for run in (second, first, third)]

    def predict(seed):
        return labels, np.linspace(-2, 2, 40) + seed

    monkeypatch.setattr(calibration, "open_data", lambda: (fake_data, {}, [predict, predict]))
    monkeypatch.setattr(calibration, "explained_runs", explained_runs)
    with flagsaver.flagsaver(seeds=[3, 1, 2]):
        calibration.main(None)
    summary = read_json(study_flags / "results/calibration/frappe.json")
    _, first = calibration.measure(predict(3), predict(3))
    assert summary["curves"]["before"] == first["before"].to_dict()
    assert summary["rates"] == {"train": pytest.approx(9 / 288_600), "test": 0.5}
