"""Tests of Criteo's and Avazu's reproduction, on generated logs."""

import json
import pathlib
import subprocess
import sys

import pytest

from experiments.generated_logs.generator import generate


@pytest.fixture
def run(tmp_path):
    """Runs the program with folders of its own; returns its exit status and its last error."""

    def run_reproduce(*arguments):
        command = [sys.executable, "-m", "experiments.paper.criteo_avazu"]
        command += [f"--{name}_dir={tmp_path / name}" for name in ("data", "runs")]
        command += [f"--results_dir={tmp_path}/results", *arguments]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        return done.returncode, done.stderr.strip().splitlines()[-1]

    return run_reproduce


@pytest.mark.slow
@pytest.mark.parametrize("dataset", ["criteo", "avazu"])
def test_without_a_log_it_says_how_to_get_one(run, dataset):
    status, message = run(f"--dataset={dataset}")
    assert status == 1
    assert message.startswith("error: no log is given: get train.")
    assert f"https://www.kaggle.com/c/{dataset}" in message
    assert f"make reproduce-{dataset} ROWS=200000" in message


@pytest.mark.slow
def test_a_log_that_is_not_there(run, tmp_path):
    _, message = run("--dataset=criteo", f"--raw_dir={tmp_path}/no.txt")
    assert message.startswith(f"error: {tmp_path}/no.txt is missing: get train.txt from https://")


@pytest.mark.slow
@pytest.mark.parametrize("dataset", ["criteo", "avazu"])
def test_the_whole_path_on_a_generated_log(run, tmp_path, dataset):
    arguments = (f"--dataset={dataset}", "--generate=40000", "--epochs=1")
    assert run(*arguments)[0] == 0
    results = tmp_path / f"results/{dataset}_generated_40000"
    summary = json.loads((results / "summary.json").read_text())
    assert summary["data"]["statistics"]["records"] == 12_000
    assert summary["epochs"] == [1]
    assert 0.5 < summary["test"]["auc"]["mean"] < summary["truth"]["best"]["auc"] + 0.02
    fields = {"criteo": 34, "avazu": 20}[dataset]
    assert len(summary["attention"]) == fields
    assert sum(summary["attention"].values()) == pytest.approx(1, abs=1e-3)
    for kind in ("ranks", "ranks_in_any_order"):
        ranks = [rank for term in summary["truth"]["planted"] for rank in term[kind]]
        assert len(set(ranks)) == 6 and set(ranks) <= set(range(1, fields + 1))
    assert (results / "attention.png").stat().st_size > 10_000
    page = (results / "README.md").read_text()
    assert f"make reproduce-{dataset} ROWS=40000 EPOCHS=1" in page
    # What is done is not done again.
    written = {path: path.stat().st_mtime_ns for path in (tmp_path / "data").rglob("*")}
    assert run(*arguments)[0] == 0
    assert written == {path: path.stat().st_mtime_ns for path in (tmp_path / "data").rglob("*")}


@pytest.mark.slow
def test_a_log_of_ones_own_in_parts_stands_beside_the_paper(run, tmp_path):
    parts = tmp_path / "train.txt"
    parts.mkdir()
    for seed, name in enumerate(["part-0.gz", "part-1.zst"]):
        generate(parts / name, "criteo", 10_000, seed=seed)
        (parts / f"{name}.truth.json").unlink()
    assert run("--dataset=criteo", f"--raw_dir={parts}", "--epochs=1")[0] == 0
    summary = json.loads((tmp_path / "results/criteo/summary.json").read_text())
    assert summary["data"]["statistics"]["records"] == 6_000
    assert summary["paper"] == {"auc": 0.7845, "logloss": 0.4577}
    assert (
        "make reproduce-criteo CRITEO=train.txt"
        in (tmp_path / "results/criteo/README.md").read_text()
    )


def test_make_passes_on_what_it_is_given():
    root = pathlib.Path(__file__).parents[3]
    command = ["make", "-n", "reproduce-criteo", "CRITEO=a b.txt", "EPOCHS=2", "SEEDS=0 1"]
    done = subprocess.run(command, cwd=root, capture_output=True, text=True, check=True)
    output = done.stdout.replace("\\\n", "")
    arguments = output.split("experiments.paper.criteo_avazu ")[1].splitlines()[0]
    assert arguments.split() == [
        "--results_dir=runs/results",
        "--dataset=criteo",
        '--raw_dir="a',
        'b.txt"',
        "--epochs=2",
        "--seeds=0",
        "--seeds=1",
    ]
