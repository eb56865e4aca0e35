"""What Figures 8 to 10 say of made-up attention."""

import copy
import pathlib

import keras
import numpy as np
import pytest
from absl.testing import flagsaver

from experiments.paper import figures_8_to_10
from experiments.paper.figures_8_to_10 import describe
from interhat_tf.explanation.attention_maps import Attention
from interhat_tf.utils.files import read_json

REPORT = {
    "config": {"preset": "released", "training": {"batch_size": 512, "learning_rate": 0.01}},
    "test": {"auc": 0.6, "logloss": 0.5},
    "training": {"seconds": 12.34},
    "versions": {"machine": "a machine", "commit": "abc"},
}


def attention(order_weights, *rows):
    """Attention with the weights of the numbered fields of each row; the others share the rest."""
    weights = np.zeros((len(rows), 10))
    for row, chosen in zip(weights, rows, strict=True):
        row[:] = (1 - sum(chosen.values())) / (10 - len(chosen))
        for field, weight in chosen.items():
            row[field - 1] = weight
    return Attention(
        field_names=tuple(f"f{i + 1}" for i in range(10)),
        field_weights=weights,
        order_weights=np.array(order_weights, "float64"),
        probability=0.87654,
        field_weights_std=weights,
        order_weights_std=np.zeros(len(rows)),
        probability_std=0.0,
        records=7,
    )


OTHERS = {8: 0.4, 9: 0.4}  # fields that no rule names


@pytest.mark.parametrize(
    ("rule", "rows", "row"),
    [
        ("rule_1", [{1: 0.9}, {3: 0.9}, {3: 0.9}], True),
        ("rule_1", [{3: 0.9}, {1: 0.9}, {1: 0.9}], False),
        ("rule_2", [OTHERS, {3: 0.3, 4: 0.5}, OTHERS], True),
        ("rule_2", [{3: 0.4, 4: 0.4}, OTHERS, {3: 0.4, 4: 0.4}], False),
        ("rule_2", [OTHERS, {3: 0.5, 1: 0.3, 4: 0.2}, OTHERS], False),
        ("rule_3", [OTHERS, OTHERS, {5: 0.2, 6: 0.3, 7: 0.4}, OTHERS], True),
        ("rule_3", [OTHERS, OTHERS, {5: 0.2, 6: 0.3}, {5: 0.2, 6: 0.3, 7: 0.4}], False),
    ],
)
def test_the_row_of_the_rules_own_order_is_looked_at(rule, rows, row):
    uniform = np.full(len(rows), 1 / len(rows))
    assert describe(rule, 0, attention(uniform, *rows), REPORT)["found"]["row"] is row


def test_rows_are_combined_by_alpha_f():
    rows = OTHERS, {3: 0.3, 4: 0.5}, {1: 0.91}
    lost = describe("rule_2", 3, attention([0.9, 0.1, 0.0], *rows), REPORT)
    assert lost["found"] == {"row": True, "combined": False, "highest": False}
    np.testing.assert_allclose(lost["planted_weights"], [0.9 * 0.025 + 0.03, 0.9 * 0.025 + 0.05])
    kept = describe("rule_2", 3, attention([0.1, 0.9, 0.0], *rows), REPORT)
    assert kept["found"] == {"row": True, "combined": True, "highest": True}
    np.testing.assert_allclose(kept["planted_weights"], [0.2725, 0.4525])
    assert kept["order_weights"] == [0.1, 0.9, 0.0]
    assert kept["field_weights"][1][2:4] == [0.3, 0.5]


def test_one_of_two_fields_is_highest_overall():
    one = describe("rule_2", 0, attention([0, 1, 0], OTHERS, {3: 0.6, 1: 0.3}, OTHERS), REPORT)
    assert one["found"] == {"row": False, "combined": False, "highest": True}


def test_what_is_kept_of_a_run():
    found = describe("rule_1", 5, attention([1, 0, 0], {1: 0.9}, OTHERS, OTHERS), REPORT)
    assert (found["rule"], found["seed"], found["records"]) == ("rule_1", 5, 7)
    assert (found["probability"], found["seconds"]) == (0.8765, 12.3)
    assert found["test"] == REPORT["test"] and found["config"] == REPORT["config"]
    assert (found["machine"], found["commit"]) == ("a machine", "abc")


def test_means_are_over_test_records_that_match_against_training_records(rule_data, monkeypatch):
    asked = {}

    def occlusion(model, records, background):
        asked.update(model=model, records=records, background=background)
        return records["categorical"].astype("float64")

    monkeypatch.setattr(figures_8_to_10, "prepared_dataset", lambda name, folder: rule_data)
    monkeypatch.setattr(figures_8_to_10, "occlusion", occlusion)
    monkeypatch.setattr(
        figures_8_to_10, "predict", lambda model, records: records["categorical"][:, 1]
    )
    monkeypatch.setattr(keras.saving, "load_model", str)
    run = {"dataset": "synthetic_rules/small", "data_dir": "prepared", "output_dir": "runs/0"}
    found = figures_8_to_10.on_matching_records(run, "f1=b1,f2=b2")
    test, train = (
        next(iter(rule_data.evaluation_batches(split, 8192)))[0]["categorical"].numpy()
        for split in ("test", "train")
    )
    group = [rule_data.id_of("f1", "b1"), rule_data.id_of("f2", "b2")]
    matching = test[(test[:, :2] == group).all(axis=1)]
    assert 0 < len(matching) < 50  # all of them count
    np.testing.assert_array_equal(asked["records"]["categorical"], matching)
    np.testing.assert_array_equal(asked["background"]["categorical"], train[:32])
    assert asked["model"] == "runs/0/model.keras"
    np.testing.assert_allclose(found["effects"], matching.mean(axis=0), atol=1e-4)
    assert found["log_odds"] == group[1]


@pytest.fixture
def trained(study_flags, monkeypatch):
    """Runs the program with made-up runs and some seeds; returns what it asked for, and found."""
    asked = []

    def train_runs(runs, workers):
        for run in reversed(runs):
            asked.append(run)
            name = run["heatmap_where"].replace(",", "_")
            orders = [OTHERS] * run["order"]
            made_up = attention(np.eye(run["order"])[0], *orders)
            made_up.save(pathlib.Path(run["output_dir"]) / f"attention/epoch_001/{name}.npz")
            everything = attention(np.eye(run["order"])[0], *[{9: 0.9}] * run["order"])
            everything.save(pathlib.Path(run["output_dir"]) / "attention/epoch_001/all.npz")
            report = copy.deepcopy(REPORT)
            report["config"]["training"]["seed"] = run["seed"]
            report["config"]["preset"] = run["preset"]
            yield run, report

    monkeypatch.setattr(figures_8_to_10, "train_runs", train_runs)
    monkeypatch.setattr(
        *(figures_8_to_10, "on_matching_records"),
        lambda run, text: {"effects": [len(text)] * 10, "log_odds": 2.5},
    )

    def run_program(*seeds, preset="released", rule=tuple(figures_8_to_10.RULES), epochs=None):
        with flagsaver.flagsaver(seeds=list(seeds), preset=preset, rule=list(rule), epochs=epochs):
            figures_8_to_10.main(None)
        return asked, read_json(study_flags / "results/figures_8_to_10/summary.json")["runs"]

    return run_program


def test_the_runs_are_about_the_records_that_match(trained, study_flags):
    asked, rows = trained(0)
    assert [(run["dataset"], run["heatmap_where"], run["order"]) for run in asked[::-1]] == [
        ("synthetic_rules/rule_1", "f1=b1", 3),
        ("synthetic_rules/rule_2", "f3=b3,f4=b4", 3),
        ("synthetic_rules/rule_3", "f5=b5,f6=b6,f7=b7", 4),
        ("synthetic_rules/rule_3_dense", "f5=b2,f6=b3,f7=b1", 4),
    ]
    assert all(run["heatmap_splits"] == ["train", "validation", "test"] for run in asked)
    # The weights are those of the records that match, not of all.
    assert all(row["field_weights"][0][7:9] == [0.4, 0.4] for row in rows)
    assert [row["effects"][0] for row in rows] == [len(t) for t in ("f1=b1", "f3=b3,f4=b4")] + [
        len("f5=b5,f6=b6,f7=b7")
    ] * 2
    page = (study_flags / "results/figures_8_to_10/README.md").read_text()
    assert "| Rule 1, Figure 8 | f1 | 0 of 1 | 0 of 1 | 0 of 1 |" in page


def test_rows_of_other_seeds_stay_if_they_were_trained_alike(trained, monkeypatch):
    monkeypatch.setattr(figures_8_to_10, "write_rules_page", lambda folder, summary: None)
    trained(2, 0)
    _, rows = trained(1)
    rules = "rule_1", "rule_2", "rule_3", "rule_3_dense"
    assert [(row["rule"], row["seed"]) for row in rows] == [(r, s) for r in rules for s in range(3)]
    _, again = trained(1)
    assert len(again) == len(rows)
    _, of_one = trained(7, preset="paper", rule=["rule_2"])
    kept = [(row["rule"], row["seed"]) for row in of_one]
    assert kept == [(r, s) for r in rules for s in ([7] if r == "rule_2" else range(3))]
    _, other = trained(1, preset="paper")
    seeds = {"rule_2": [1, 7], "rule_3": [0, 1, 2]}  # Rule 3 has a preset of its own
    assert [(row["rule"], row["seed"]) for row in other] == [
        (rule, seed) for rule in rules for seed in seeds.get(rule, [1])
    ]


def test_rows_of_other_epochs_do_not_stay(trained, study_flags, monkeypatch):
    """Nor are they of a run in the same folder, which could not go on."""
    monkeypatch.setattr(figures_8_to_10, "write_rules_page", lambda folder, summary: None)

    def rows_of(found):
        return [(row["rule"], row["seed"]) for row in found[1]]

    trained(0)
    assert rows_of(trained(1, rule=["rule_2"], epochs=1)) == [("rule_2", 1)]
    assert rows_of(trained(1, rule=["rule_1"], epochs=1)) == [("rule_1", 1), ("rule_2", 1)]
    asked, rows = trained(1, rule=["rule_1"])
    assert [(row["rule"], row["seed"]) for row in rows] == [("rule_1", 1)]
    assert asked[-1]["output_dir"] != asked[-2]["output_dir"]
