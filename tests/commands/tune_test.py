"""Tests of `interhat tune`, on a small Frappe in the format of the NFM files."""

import re

import pytest

import interhat
from interhat_tf.commands import tune
from interhat_tf.input_pipeline.catalog import prepared_dataset
from interhat_tf.training import evaluate
from interhat_tf.training.run_comparison import compare_runs
from interhat_tf.training.run_folder import load_saved
from interhat_tf.utils.files import read_json
from tests.commands.train_test import write_raw

pytest.importorskip("optuna")


@pytest.fixture(scope="module")
def prepared(tmp_path_factory):
    folder = tmp_path_factory.mktemp("tune")
    prepared_dataset("frappe", f"{folder}/prepared", write_raw(folder / "raw"))
    return f"{folder}/prepared"


@pytest.fixture
def run(tmp_path, prepared, capsys):
    """Runs the command; returns what it prints, or says if it fails."""

    def run_tune(*arguments):
        common = ["--dataset=frappe", f"--data_dir={prepared}", f"--output_dir={tmp_path}/tuning"]
        try:
            interhat.main(["tune", *common, "--model=fm", *arguments])
        except SystemExit:
            return capsys.readouterr().err.splitlines()[-1]
        return capsys.readouterr().out

    return run_tune


@pytest.mark.usefixtures("quick_processes")
@pytest.mark.slow
def test_the_best_trial_alone_is_tested_and_a_search_goes_on(run, prepared, tmp_path):
    folder = tmp_path / "tuning"
    fixed = ("--max_epochs=1", "--batch_size=64", "--click_counts=user,item")
    first = run("--trials=1", *fixed)
    assert re.search(r"trial 0: validation auc 0\.\d+, .* learning_rate .*; the best so far", first)
    output = run("--trials=2", *fixed)
    assert "trial 0:" not in output and "trial 1: validation auc" in output
    found = read_json(folder / "tuning.json")
    reports = [read_json(folder / f"trial_00{i}/report.json") for i in range(2)]
    scores = [r["validation"]["auc"] - r["validation"]["logloss"] for r in reports]
    best = scores.index(max(scores))
    assert found["best"] == f"trial_00{best}" and found["trials"] == 2
    assert f"best of 2 trials on validation: {folder}/trial_00{best}" in output
    model = load_saved(folder / found["best"] / "model.keras")
    data = prepared_dataset("frappe", prepared)
    assert [cross.name for cross in model.schema.crosses] == ["clicks of user x item"]
    assert found["test"] == pytest.approx(evaluate(model, data, "test"))
    training = reports[best]["config"]["training"]
    assert training["learning_rate"] == found["setting"]["learning_rate"]
    assert (training["batch_size"], training["max_epochs"]) == (64, 1)
    rows = compare_runs([folder])
    assert len(rows) == 2 and rows[best]["test_auc"] == found["test"]["auc"]
    assert {"learning_rate", "embedding_l2"} <= set(rows[0])


def test_what_ends_a_training_is_told_with_the_folder_of_its_log(run, tmp_path, monkeypatch):
    monkeypatch.setattr(tune.sys, "executable", "false")
    message = run("--max_epochs=1")
    assert message == (
        f"error: {tmp_path}/tuning/trial_002: no message; see {tmp_path}/tuning/trial_002.log"
    )


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--order=2"], "error: fm has no argument order"),
        (["--trials=0"], "error: flag --trials=0"),
        (
            [
                "--embedding_dim=4",
                "--embedding_l2=0",
                "--learning_rate=1",
                "--learning_rate_factor=1",
            ],
            "error: nothing of fm is left to tune: everything is held fixed",
        ),
    ],
)
def test_what_is_refused(run, tmp_path, arguments, message):
    assert run(*arguments).startswith(message)
    assert not (tmp_path / "tuning").exists()


def test_trials_of_another_search_are_refused(run, monkeypatch):
    monkeypatch.setattr(tune.sys, "executable", "false")
    run("--max_epochs=1")
    assert "holds trials of another search: max_epochs was 1, is 2" in run("--max_epochs=2")
