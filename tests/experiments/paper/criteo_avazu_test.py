"""Tests of Criteo's and Avazu's reproduction, on generated logs."""

import pathlib
import subprocess

import numpy as np
import pytest
from absl.testing import flagsaver

from experiments.generated_logs.generator import generate
from experiments.paper import criteo_avazu
from interhat_tf.explanation.attention_maps import Attention
from interhat_tf.utils.files import read_json


@pytest.fixture
def run(study_flags, quick_processes):
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
    best = summary["best"]["test"]["auc"]
    assert 0.5 < summary["test"]["auc"]["mean"] < best + 0.01
    fields = {"criteo": 34, "avazu": 20}[dataset]
    assert len(summary["attention"]) == fields
    assert sum(summary["attention"].values()) == pytest.approx(1, abs=1e-3)
    for kind in ("ranks", "ranks_in_any_order"):
        ranks = [rank for term in summary["truth"]["planted"] for rank in term[kind]]
        assert len(set(ranks)) == 6 and set(ranks) <= set(range(1, fields + 1))
    assert (results / "attention.png").stat().st_size > 10_000
    page = (results / "README.md").read_text()
    assert f"| {best:.4f} |" in page and "of all rows" not in page
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
        '--results_dir="runs/results"',
        "--dataset=criteo",
        '--raw_dir="a',
        'b.txt"',
        "--epochs=2",
        "--seeds=0",
        "--seeds=1",
    ]


def attention(order_weights, field_weights):
    """Attention over the fields a, b and c."""
    field_weights, order_weights = np.array(field_weights), np.array(order_weights)
    return Attention(
        field_names=("a", "b", "c"),
        field_weights=field_weights,
        order_weights=order_weights,
        probability=0.3,
        field_weights_std=field_weights,
        order_weights_std=order_weights,
        probability_std=0.1,
        records=9,
    )


ATTENTIONS = [
    attention([0.1, 0.9], [[0.9, 0.05, 0.05], [0.1, 0.2, 0.7]]),
    attention([0.2, 0.8], [[0.8, 0.1, 0.1], [0.1, 0.3, 0.6]]),
]


def test_fields_are_weighed_by_alpha_f_and_seeds_averaged():
    expected = np.mean([[0.18, 0.185, 0.635], [0.24, 0.26, 0.5]], axis=0)
    np.testing.assert_allclose(criteo_avazu.combined_weights(ATTENTIONS), expected)


def test_planted_fields_are_ranked_by_weight(study_flags):
    known = {"rows": 7, "seed": 3, "click_rate": 0.2, "best": {"auc": 0.8}}
    truth = {**known, "terms": [{"fields": ["b", "a"], "auc": 0.6, "coefficient": 2.0}]}
    found = criteo_avazu.beside(truth, ATTENTIONS)["truth"]
    assert {name: found[name] for name in known} == known
    # By alpha_f: c, b, a. The highest weight in a row, on average: a 0.85, c 0.65, b 0.25.
    assert found["planted"] == [
        {"fields": ["b", "a"], "auc": 0.6, "ranks": [2, 3], "ranks_in_any_order": [3, 1]}
    ]


def test_a_real_log_stands_beside_the_papers_interhat(study_flags):
    with flagsaver.flagsaver(dataset="avazu/paper"):
        found = criteo_avazu.beside(None, ATTENTIONS)
    assert found == {"paper": {"auc": 0.7582, "logloss": 0.3910}}


def test_a_summary_is_of_all_seeds():
    def report(seed, epochs, auc):
        config = {"training": {"seed": seed}}
        training = {"epochs": epochs, "rows_per_second": 100.0 * seed}
        splits = {"validation": {"auc": auc + 0.1}, "test": {"auc": auc}}
        return {"config": config, "parameters": 5, "training": training, **splits}

    found = criteo_avazu.summarise([report(1, 3, 0.7), report(2, 4, 0.8)], ATTENTIONS)
    assert (found["seeds"], found["epochs"], found["parameters"]) == ([1, 2], [3, 4], 5)
    assert found["order_weights"] == pytest.approx([0.15, 0.85])
    assert list(found["attention"]) == ["a", "b", "c"]
    assert found["test"]["auc"]["mean"] == pytest.approx(0.75)
    assert found["validation"]["auc"]["mean"] == pytest.approx(0.85)
    assert found["rows_per_second"]["mean"] == 150
