"""Tests of Criteo's and Avazu's reproduction, on generated logs."""

import pathlib
import subprocess

import pytest
from absl.testing import flagsaver

from experiments.generated_logs.generator import generate
from experiments.paper import criteo_avazu
from interhat_tf.utils.files import read_json


@pytest.fixture
def run(study_flags):
    """Runs the program with its own folders and one epoch of seed 0."""

    def run_program(dataset, **given):
        with flagsaver.flagsaver(dataset=dataset, seeds=[0], epochs=1, **given):
            criteo_avazu.main(None)

    return run_program


@pytest.mark.parametrize("dataset", ["criteo", "avazu"])
def test_without_a_log_it_says_how_to_get_one(run, dataset):
    with pytest.raises(FileNotFoundError) as error:
        run(dataset)
    message = str(error.value)
    assert message.startswith("no log is given: get train.")
    assert f"https://www.kaggle.com/c/{dataset}" in message
    assert f"make reproduce-{dataset} ROWS=200000" in message


def test_a_log_that_is_not_there(run, tmp_path):
    with pytest.raises(
        FileNotFoundError, match=r"no\.txt is missing: get train\.txt from https://"
    ):
        run("criteo", raw_dir=str(tmp_path / "no.txt"))


def test_a_data_set_of_another_kind(run):
    with pytest.raises(ValueError, match="--dataset must be one of criteo, avazu"):
        run("frappe/nfm")


@pytest.mark.slow
@pytest.mark.parametrize("dataset", ["criteo", "avazu"])
def test_the_whole_path_on_a_generated_log(run, study_flags, dataset):
    run(dataset, generate=40_000)
    results = study_flags / f"results/{dataset}_generated_40000"
    summary = read_json(results / "summary.json")
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
    folders = (study_flags / "prepared", study_flags / "runs")
    written = {path: path.stat().st_mtime_ns for f in folders for path in f.rglob("*.*")}
    run(dataset, generate=40_000)
    assert written == {path: path.stat().st_mtime_ns for f in folders for path in f.rglob("*.*")}


@pytest.mark.slow
def test_a_log_of_ones_own_in_parts_stands_beside_the_paper(run, study_flags):
    parts = study_flags / "train.txt"
    parts.mkdir()
    for seed, name in enumerate(["part-0.gz", "part-1.zst"]):
        generate(parts / name, "criteo", 10_000, seed=seed)
        (parts / f"{name}.truth.json").unlink()
    run("criteo", raw_dir=str(parts))
    results = study_flags / "results/criteo"
    summary = read_json(results / "summary.json")
    assert summary["data"]["statistics"]["records"] == 6_000
    assert summary["paper"] == {"auc": 0.7845, "logloss": 0.4577}
    assert "make reproduce-criteo CRITEO=train.txt" in (results / "README.md").read_text()


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
