"""Tests of what runs have not in common."""

import json

import pytest

from interhat_tf.models import FM, LR
from interhat_tf.training import TrainingSettings, compare_runs, train


@pytest.fixture(scope="module")
def runs(rule_data, tmp_path_factory):
    """Three runs: two seeds of a model, one with a step size of its own, and another model."""
    folder = tmp_path_factory.mktemp("runs")
    settings = {"max_epochs": 1, "batch_size": 800}
    for name, model, changes in (
        ("fm_0", FM(rule_data.schema, embedding_dim=2), {"seed": 0}),
        ("fm_1", FM(rule_data.schema, embedding_dim=2), {"seed": 1, "learning_rate": 0.05}),
        ("deep/lr", LR(rule_data.schema), {"seed": 0}),
    ):
        config = {"dataset": "rules"}
        train(
            model, rule_data, folder / name, TrainingSettings(**settings, **changes), config=config
        )
    return folder


def test_settings_that_differ_and_figures(runs):
    first, second = compare_runs([runs / "fm_0", runs / "fm_1"])
    figures = {
        f"{split}_{metric}" for split in ("validation", "test") for metric in ("auc", "logloss")
    }
    figures |= {"best_epoch", "epochs", "parameters", "seconds"}
    assert set(first) == {"run", "learning_rate", "seed", *figures}
    assert (first["learning_rate"], second["learning_rate"]) == (0.001, 0.05)
    assert (first["seed"], second["seed"]) == (0, 1)
    report = json.loads((runs / "fm_1/report.json").read_text())
    assert second["test_auc"] == report["test"]["auc"]
    assert second["seconds"] == report["training"]["seconds"]
    assert second["parameters"] == report["parameters"]


def test_a_folder_of_runs_and_another_model(runs):
    found = compare_runs([runs / "fm_0", runs])
    assert [row["run"] for row in found] == [str(runs / n) for n in ("fm_0", "deep/lr", "fm_1")]
    assert [row["model"] for row in found] == ["FM", "LR", "FM"]
    assert [row["embedding_dim"] for row in found] == [2, None, 2]
    assert "dataset" not in found[0] and "max_epochs" not in found[0]


def test_a_run_that_has_not_finished(runs, tmp_path):
    (tmp_path / "on").mkdir()
    config = json.loads((runs / "fm_0/config.json").read_text())
    config["training"]["batch_size"] = 400
    (tmp_path / "on/config.json").write_text(json.dumps(config))
    first, second = compare_runs([runs / "fm_0", tmp_path])
    assert second == {"run": str(tmp_path / "on"), "batch_size": 400}
    assert set(first) > set(second)


def test_no_runs(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"holds no run: there is no config\.json in it"):
        compare_runs([tmp_path])
    (tmp_path / "config.json").write_text("{")
    with pytest.raises(ValueError, match=r"config\.json is damaged"):
        compare_runs([tmp_path])
