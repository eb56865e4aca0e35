import numpy as np
import pytest
from absl.testing import flagsaver

from experiments.common.results import write_result
from experiments.common.studies import (
    best_possible,
    describe,
    known_summary,
    open_data,
    run_flags,
    runs_of,
    study_record,
    summarise,
    summary_of,
)
from experiments.generated_logs.generator import generate
from tests.experiments.conftest import report_of


def test_a_runs_folder_follows_from_all_of_its_flags(study_flags):
    run = run_flags("fm", seed=1, learning_rate=1e-3)
    assert run["dataset"] == "frappe/nfm"
    assert run["output_dir"].startswith(f"{study_flags}/runs/frappe/fm-")
    assert run == run_flags("fm", learning_rate=1e-3, seed=1)
    others = [run_flags("fm", seed=2, learning_rate=1e-3), run_flags("afm", seed=1)]
    with flagsaver.flagsaver(epochs=3):
        others.append(run_flags("fm", seed=1, learning_rate=1e-3))
    assert others[-1]["max_epochs"] == 3
    assert len({run["output_dir"], *(other["output_dir"] for other in others)}) == 4


def test_epochs_are_not_a_number_of_trees(study_flags):
    with flagsaver.flagsaver(epochs=1):
        runs = [run_flags(model, seed=1) for model in ("fm", "lightgbm", "ebm")]
    assert ["max_epochs" in run for run in runs] == [True, False, False]


def test_a_generated_log_is_prepared_in_a_folder_of_its_own(study_flags, capsys):
    with flagsaver.flagsaver(dataset="criteo", generate=5000):
        data = open_data()
        assert "sample" not in capsys.readouterr().err
        assert data.statistics["records"] == 1500  # the first 30%
        log = study_flags / "prepared/logs/criteo-5000/train.txt"
        folder = f"{study_flags}/prepared/criteo-{log.stat().st_size}"
        assert run_flags("fm", seed=1)["data_dir"] == folder
        assert summary_of("figure_3") == "figure_3/criteo_generated_5000/summary.json"
        record = study_record(data)
        assert record["data"]["note"] == "a generated log of 5,000 rows"
        best = best_possible(data)["best"]
        assert all(0.5 < of_split["auc"] < 1 for of_split in best.values())
        assert best["validation"] != best["test"]
    with flagsaver.flagsaver(generate=10), pytest.raises(ValueError, match="logs of criteo, avazu"):
        open_data()


def test_a_sample_of_a_log_is_another_data_set(study_flags, capsys):
    for rows in (5000, 6000):
        log = study_flags / f"{rows}/train.txt"
        log.parent.mkdir()
        generate(log, "criteo", rows)
        with flagsaver.flagsaver(dataset="criteo", raw_dir=str(log)):
            assert open_data().statistics["records"] == int(0.3 * rows)
        said = f"warning: The data are a sample: {int(0.3 * rows):,} records of the paper's 13.8M."
        assert said in capsys.readouterr().err


def test_a_summary_has_its_runs_in_the_order_of_their_seeds():
    runs = [{"seed": seed} for seed in (3, 1, 2)]
    row = summarise([report_of(run) for run in runs])
    aucs = [report_of({"seed": seed})["test"]["auc"] for seed in (1, 2, 3)]
    assert row["seeds"] == [1, 2, 3]
    assert [run["test"]["auc"] for run in row["runs"]] == aucs
    assert row["test"]["auc"]["mean"] == pytest.approx(np.mean(aucs))
    assert row["test"]["auc"]["std"] == pytest.approx(np.std(aucs, ddof=1))
    assert row["seconds_per_epoch"]["mean"] == 2.0
    assert row["commits"] == ["abc"]


def test_runs_of_all_seeds(study_flags):
    assert runs_of("fm", order=2) == [run_flags("fm", order=2, seed=seed) for seed in (1, 2, 3)]


def test_what_attention_is_worth_is_kept():
    report = report_of({"seed": 1})
    assert "attention" not in describe(report)
    assert describe({**report, "attention": {"auc_lost": 0.1}})["attention"] == {"auc_lost": 0.1}


def test_a_result_of_another_set_or_question_is_not_known(study_flags):
    def of(name):
        return {"data": {"set": name, "statistics": {}}}

    write_result("a.json", {**of("frappe/nfm"), "form": "plain"})
    assert known_summary("a.json", of("frappe/nfm"), form="plain")
    assert known_summary("a.json", of("frappe/unseen_pairs"), form="plain") is None
    assert known_summary("a.json", of("frappe/nfm"), form="aligned") is None


@pytest.mark.parametrize(
    ("dataset", "name"),
    [
        ("frappe/nfm", "frappe"),
        ("frappe/unseen_pairs", "frappe_unseen_pairs"),
        ("movielens_ctr", "movielens_ctr"),
    ],
)
def test_results_are_named_after_the_set_and_any_config_but_frappes_first(
    study_flags, dataset, name
):
    with flagsaver.flagsaver(dataset=dataset):
        assert summary_of("figure_3") == f"figure_3/{name}/summary.json"
