import types

import numpy as np
import pytest
from absl import flags
from absl.testing import flagsaver

from experiments.faithfulness import additivity, coalitions, curves
from experiments.faithfulness.methods import METHODS
from experiments.report import tables
from interhat_tf.explanation import effect_fitting
from interhat_tf.utils.files import read_json
from tests.commands.train_test import write_raw

# The methods that are no trees'.
PLAIN = [name for name in METHODS if name not in ("tree_shap", "ebm")]


@pytest.mark.slow
def test_from_raw_files_to_the_page(study_flags, runs_in_process, monkeypatch):
    monkeypatch.setattr(additivity, "ROUNDS", 2)
    monkeypatch.setattr(coalitions, "RECORDS", 4)
    monkeypatch.setattr(effect_fitting, "BATCH_SIZE", 64)  # there are few records
    raw = write_raw(study_flags / "raw")
    given = {"raw_dir": str(raw), "epochs": 1, "seeds": [1, 2]}
    with flagsaver.flagsaver(**given, explained=8, background=4, explained_presets=["released"]):
        curves.main(None)
        additivity.main(None)
        flags.FLAGS.seeds, flags.FLAGS.explained_presets = [1], ["tuned"]
        coalitions.main(None)
    folder = study_flags / "results/faithfulness"
    summary = read_json(folder / "curves/frappe/released.json")
    assert summary["records"] == 8 and summary["seeds"] == [1, 2]
    assert list(summary["methods"]) == PLAIN
    for name in PLAIN:
        assert 0 <= summary["methods"][name]["wrong_signs"]["mean"] <= 1
        deletion, insertion = (
            summary["methods"][name][k]["curve"] for k in ("deletion", "insertion")
        )
        assert len(deletion) == 11
        assert deletion[0] == pytest.approx(1) and deletion[-1] == pytest.approx(0, abs=1e-5)
        assert insertion[0] == pytest.approx(0, abs=1e-5) and insertion[-1] == pytest.approx(1)
    pairs = read_json(folder / "coalitions/frappe/tuned.json")["methods"]
    assert list(pairs) == ["attention", "contributions", "pair_effects", "one_pass", "random"]
    assert pairs["pair_effects"]["tau"]["mean"] > pairs["random"]["tau"]["mean"]
    assert pairs["random"]["precision"]["mean"] < 1
    added = read_json(folder / "additivity/frappe/summary.json")
    assert 0 < added["records"] <= 10_000 and added["rounds"] == 4
    assert added["largest_error"] < 1e-4
    tables.main(None)
    text = (folder / "README.md").read_text()
    assert "## Contributions add up" in text and "| one-pass pair effects |" in text
    assert "## Frappe, `released`: deletion and insertion" in text
    assert (folder / "curves_frappe_released.png").read_bytes().startswith(b"\x89PNG")


def test_areas_are_held_against_random_ones_seed_by_seed():
    def explained(area, random):
        of = {"occlusion": [area, area], "random": [random, random]}
        curves = {name: {"deletion": np.array(curve)} for name, curve in of.items()}
        return types.SimpleNamespace(curves=curves)

    found = curves.of_curve([explained(0.2, 0.5), explained(0.4, 0.7)], "occlusion", "deletion")
    assert found["curve"] == pytest.approx([0.3, 0.3])
    assert found["area"]["mean"] == pytest.approx(0.3)
    assert found["against_random"] == pytest.approx({"mean": -0.3, "low": -0.3, "high": -0.3})
