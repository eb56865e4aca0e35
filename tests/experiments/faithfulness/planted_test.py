import json

import numpy as np
import pytest
from absl import flags
from absl.testing import flagsaver

from experiments.faithfulness import planted
from experiments.report import tables
from interhat_tf.utils.files import read_json


def test_recovery_by_hand():
    values = np.array([[0.1, -0.9, 0.5, 0.0], [0.2, 0.7, 0.3, 0.6]])
    # Means: 0.15, -0.1, 0.4, 0.3; of single records the largest two are 1, 2 and 1, 3.
    assert planted.recovery("attention", values, np.array([2, 3])) == {"found": True, "share": 0.5}
    assert planted.recovery("attention", values, np.array([1, 2]))["found"] is False
    # A signed method's values count in either direction.
    signed = np.array([[-3.0, 1.0, 0.0], [-3.0, 0.0, 1.0]])
    assert planted.recovery("occlusion", signed, np.array([0])) == {"found": True, "share": 1.0}
    # What is of either direction in equal parts has a mean of nothing.
    either = np.array([[3.0, 1.0], [-3.0, 1.0]])
    assert planted.recovery("occlusion", either, np.array([1])) == {"found": True, "share": 0.0}


@pytest.fixture
def made_up(study_flags, rule_data, monkeypatch):
    """Runs the program on made-up models; returns the seeds that its file has."""
    monkeypatch.setattr(planted, "open_data", lambda: rule_data)
    monkeypatch.setattr(planted, "first_records", lambda *_: {})
    monkeypatch.setattr(planted, "condition", lambda rule: "f1=b1")
    monkeypatch.setattr(planted, "trained", lambda rule, data, seed: (seed, {}))
    monkeypatch.setattr(planted, "explained", lambda *_: {"fields": {}})

    def seeds_after(seed, **given):
        with flagsaver.flagsaver(dataset="synthetic_rules/rule_2", seeds=[seed], **given):
            planted.main(None)
        file = study_flags / "results/faithfulness/planted/rule_2-released/summary.json"
        return list(read_json(file)["runs"])

    return seeds_after


def test_seeds_of_other_data_epochs_or_questions_are_not_kept(made_up, rule_data, monkeypatch):
    made_up(1)
    assert made_up(2, note="another note") == ["1", "2"]
    assert made_up(3, epochs=1) == ["3"]
    assert made_up(4, epochs=1) == ["3", "4"]
    assert made_up(5) == ["5"]
    assert made_up(6, planted_records=7) == ["6"]
    monkeypatch.setattr(planted.effect_fitting, "least_steps", lambda schema: 2)
    assert made_up(7, planted_records=7) == ["7"]
    monkeypatch.setattr(rule_data, "statistics", {"records": 7})
    assert made_up(8, planted_records=7) == ["8"]


@pytest.mark.slow
def test_a_learnt_rule_is_found_and_stands_on_the_page(study_flags, runs_in_process, monkeypatch):
    monkeypatch.setattr(planted, "COALITIONS", 5)
    given = {"dataset": "synthetic_rules/rule_2_dense", "seeds": [1]}
    with flagsaver.flagsaver(**given, planted_records=10, epochs=1, background=16):
        planted.main(None)
        file = study_flags / "results/faithfulness/planted/rule_2_dense-released/summary.json"
        first = read_json(file)
        # The first seed stays, also if a figure about the rule was added up in another order.
        other = {**first, "best_auc": np.nextafter(first["best_auc"], 1.0)}
        file.write_text(json.dumps(other))
        # The second seed's model is as good, and costs nothing.
        run = first["runs"]["1"]
        monkeypatch.setattr(planted, "trained", lambda rule, data, seed: (seed, {}))
        monkeypatch.setattr(planted, "explained", lambda seed, *_: {**run, "seed": seed})
        flags.FLAGS.seeds = [1, 2]
        planted.main(None)
    summary = read_json(file)
    assert list(summary["runs"]) == ["1", "2"] and summary["runs"]["1"] == run
    assert summary["runs"]["2"]["seed"] == 2
    assert summary["effect_steps"] == 1
    assert summary["group"] == ["f3", "f4"] and summary["records"] == 10
    assert abs(run["test"] - summary["best_auc"]) < 0.02
    assert run["probability"]["matching"] > 0.55 > run["probability"]["all"]
    for method in ("occlusion", "shap", "effects"):
        assert run["fields"][method]["found"] and run["fields"][method]["share"] > 0.9
    for method in ("pair_effects", "one_pass"):
        assert run["pairs"][method]["found"] and run["pairs"][method]["rank"] < 2
    assert run["pairs"]["pair_effects"]["r2"] > 0.9
    assert run["fields"]["random"]["share"] < 0.7
    assert np.argmax(run["orders"]["shares"]) == 1
    tables.main(None)
    text = (study_flags / "results/faithfulness/README.md").read_text()
    assert "| occlusion | 2 of 2 [34%, 100%] |" in text and "## At a glance: pairs" in text


@pytest.mark.slow
def test_order_weights_are_aligned_after_the_training_too(
    study_flags, runs_in_process, monkeypatch
):
    for no_orders in ("of_fields", "of_groups"):
        monkeypatch.setattr(planted, no_orders, lambda *_: {})
    monkeypatch.setattr(planted, "LAST_PHASE", {"order_weight": 1e-9, "epochs": 1})
    given = {"dataset": "synthetic_rules/rule_2_dense", "form": "ordered", "seeds": [1]}
    with flagsaver.flagsaver(**given, planted_records=4, epochs=1, background=4):
        planted.main(None)
        file = study_flags / "results/faithfulness/planted/rule_2_dense-ordered/summary.json"
        first = read_json(file)
        monkeypatch.setattr(planted, "LAST_PHASE", {"order_weight": 0.5, "epochs": 1})
        planted.main(None)  # of another phase, so that nothing is kept
    second = read_json(file)
    of_pairs = [s["runs"]["1"]["orders"]["alpha_f"][1] for s in (first, second)]
    assert of_pairs[1] > of_pairs[0] and second["last_phase"]["order_weight"] == 0.5


@pytest.mark.slow
def test_trees_have_explanations_of_their_own(study_flags):
    for form, method in planted.TREES.items():
        with flagsaver.flagsaver(
            dataset="synthetic_rules/rule_2_dense", seeds=[1], form=form, planted_records=10
        ):
            planted.main(None)
        file = study_flags / f"results/faithfulness/planted/rule_2_dense-{form}/summary.json"
        run = read_json(file)["runs"]["1"]
        assert run["fields"][method]["found"] and "attention" not in run["fields"]
        assert ("ebm" in run["pairs"]) == (form == "ebm")


def test_an_unknown_rule(study_flags):
    with (
        flagsaver.flagsaver(dataset="synthetic_rules/rule_9"),
        pytest.raises(ValueError, match="synthetic_rules/…: rule_1, rule_2"),
    ):
        planted.main(None)
