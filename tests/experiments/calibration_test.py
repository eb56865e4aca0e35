"""Tests of the program that measures calibration, and of what the page says of it."""

import numpy as np
import pytest
from absl.testing import flagsaver

from experiments import calibration
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
    blocks = results_page(
        {"calibration": [summary]}, verdict="", at_a_glance="", table_1="", sensitivity=[]
    )
    text = " ".join(str(block) for block in blocks)
    assert "Criteo, generated, 24,000 rows, 30% of the negatives trained on" in text
    assert "the model's own" in text and "`tuned`, 1 seed, at most 6 epochs; its" in text
    assert "experiments.calibration --dataset=NAME --epochs=6`" in text
