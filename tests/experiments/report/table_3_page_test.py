"""Tests of what the page says of Table 3, on made-up rows."""

import pytest

from experiments.common.published import TABLE_3
from experiments.common.results import write_result
from experiments.common.table_3_files import read_table_3
from experiments.report.table_3_page import frappe_negatives, table_3

SPACE = {"learning_rate": [0.001, 0.002], "batch_size": [1024]}
SETTING = {"learning_rate": 0.002, "batch_size": 1024}


def run_of(seed, auc):
    figures = {"auc": auc, "logloss": 1 - auc}
    return {
        "seed": seed,
        "validation": figures,
        "test": figures,
        "epochs": 2,
        "seconds": 3.0 + seed,
    }


def row_of(auc, seeds):
    scores = {"auc": {"mean": auc, "std": 0.01}, "logloss": {"mean": 1 - auc, "std": 0.01}}
    return {
        **dict.fromkeys(("validation", "test"), scores),
        "seeds": seeds,
        "runs": [run_of(seed, auc) for seed in seeds],
        "parameters": 1000,
        "seconds_per_epoch": {"mean": 1.5, "std": 0.0},
    }


def trial(**more):
    found = {"setting": SETTING, "why": "drawn", "epochs": 7}
    return {**found, "validation": {"auc": 0.9, "logloss": 0.1}, **more}


@pytest.fixture
def write(study_flags, measured):
    """Writes the file of a row."""

    def write_row(name, auc=0.9, seeds=(1, 2), dataset="frappe", **more):
        record = {
            **measured,
            "name": name,
            "data": {"set": f"{dataset}/1.0.0", "note": "", "statistics": {"records": 288_609}},
            "space": SPACE,
            "setting": SETTING,
            "trials": [trial(), trial(why="wider"), trial(why="drawn", failed="no memory")],
            "edges": {"learning_rate": 0.004},
            "row": row_of(auc, list(seeds)),
        }
        write_result(f"table_3/{dataset}/{name}.json", {**record, **more})

    return write_row


def column(table, title):
    return [row[table.header.index(title)] for row in table.rows]


def test_the_page_is_of_the_rows_that_are_there_the_best_first(write):
    write("fm", 0.8)
    write("dnn", 0.95)
    write("interhat", 0.9, seeds=(1, 2, 3))
    found = table_3(read_table_3("frappe"))["scores"]
    assert column(found, "model") == ["DNN", "**InterHAt**", "FM"]
    assert column(found, "seeds") == ["2", "3", "2"]
    assert column(found, "validation")[0] == "0.9500 / 0.0500"
    assert column(found, "s an epoch")[0] == "2.0"  # of 2 epochs in 4 and in 5 seconds
    assert column(found, "InterHAt's lead, AUC") == [
        "-0.0500 [-0.0500, -0.0500]",
        "–",
        "+0.1000 [+0.1000, +0.1000]",
    ]
    assert column(found, "InterHAt's lead, logloss")[2] == "-0.1000 [-0.1000, -0.1000]"
    assert column(found, "paper's")[2] == "0.8625 / 0.4480"
    assert column(found, "public")[2] == "0.9671 / 0.2065"
    page = table_3(read_table_3("frappe"))
    assert page["more_seeds"] and not page["as_printed"]
    assert "of the way" not in found.header


def leads_on(dataset):
    """Returns the leads of the one variant of InterHAt that is a row."""
    (variant,) = table_3(read_table_3(dataset))["variants"]
    return variant["leads"]


def test_a_history_pooled_by_the_item_at_hand_is_held_against_all_others(write):
    history, without = "movielens_ctr_history", "movielens_ctr_no_history"
    write("interhat", 0.7, dataset=history)
    assert table_3(read_table_3(history))["variants"] == []
    write("interhat_target", 0.8, dataset=history)
    assert column(leads_on(history), "less") == ["InterHAt"]
    write("interhat", 0.6, dataset=without)
    found = leads_on(history)
    assert column(found, "less") == ["InterHAt", "InterHAt, without the history"]
    assert [cell[:7] for cell in column(found, "AUC")] == ["+0.1000", "+0.2000"]
    assert [cell[:7] for cell in column(found, "logloss")] == ["-0.1000", "-0.2000"]
    assert "AUC within a user" not in found.header  # the runs have none
    write("interhat", 0.7, dataset="amazon_reviews")
    write("interhat_target", 0.8, dataset="amazon_reviews")
    # No set without its histories is known.
    assert column(leads_on("amazon_reviews"), "less") == ["InterHAt"]


def test_values_of_pairs_are_held_against_all_others(write):
    write("interhat", 0.7)
    write("fm", 0.6)
    write("interhat_pairs", 0.8)
    (variant,) = table_3(read_table_3("frappe"))["variants"]
    assert variant["what"] == "with values of pairs"
    assert column(variant["leads"], "less") == ["InterHAt", "FM"]
    assert [cell[:7] for cell in column(variant["leads"], "AUC")] == ["+0.1000", "+0.2000"]


def test_rows_of_an_earlier_study_are_named(write):
    write("fm")
    write("dnn", asked={"trials": 12})
    assert table_3(read_table_3("frappe"))["earlier"].endswith("narrower: FM.")
    write("fm", asked={"trials": 12})
    assert table_3(read_table_3("frappe"))["earlier"] == ""


def test_a_sample_is_said_to_be_one(write):
    write("fm")
    assert table_3(read_table_3("frappe"))["sample"] == ""
    data = {"set": "frappe/1.0.0", "note": "", "statistics": {"records": 2_000}}
    write("fm", data=data)
    said = table_3(read_table_3("frappe"))["sample"]
    assert said.startswith("The data are a sample: 2,000 records of the paper's 288K.")


def test_without_interhat_nothing_is_compared(write):
    write("fm")
    assert "lead" not in " ".join(table_3(read_table_3("frappe"))["scores"].header)


@pytest.mark.parametrize("name", ["released", "paper", "released_searched", "paper_searched"])
def test_every_form_stands_beside_the_papers_interhat(write, name):
    write(name)
    auc, logloss = TABLE_3["frappe"]["interhat"]
    found = table_3(read_table_3("frappe"))["scores"]
    assert column(found, "paper's") == [f"{auc:.4f} / {logloss:.4f}"]


def test_attention_is_worth_what_fixed_weights_lose(write):
    row = row_of(0.9, [1, 2, 3])
    for run, lost in zip(row["runs"], (0.001, 0.003), strict=False):
        run["attention"] = {"auc_lost": lost}  # the third was trained before that was measured
    write("interhat", row=row)
    write("fm", 0.8)
    found = table_3(read_table_3("frappe"))["scores"]
    assert column(found, "attention's worth, AUC") == ["0.0020 ± 0.0014", "–"]


def test_a_search_says_its_trials_its_choice_and_its_edges(write):
    write("fm")
    write("released", 0.8, trials=[], edges={}, space={"model": ["interhat"]}, setting={"model": 1})
    found = table_3(read_table_3("frappe"))["searches"]
    assert column(found, "trials") == ["2 + 1, 1 failed", "none"]
    assert column(found, "chosen") == ["learning_rate 0.002", "model 1"]
    assert column(found, "at the edge") == ["learning_rate", "none"]


def test_a_trial_that_failed_is_on_the_page(write):
    write("fm")
    found = table_3(read_table_3("frappe"))["all_trials"]
    assert column(found, "validation AUC") == ["0.9000", "0.9000", "failed"]
    assert column(found, "validation logloss") == ["0.1000", "0.1000", "failed"]
    assert column(found, "why") == ["drawn", "wider", "drawn"]


def test_on_a_generated_log_the_best_possible_is_known(write):
    for name, auc in (("lr", 0.7), ("fm", 0.75), ("interhat", 0.798)):
        write(name, auc, dataset="criteo_generated", best={"test": {"auc": 0.8, "logloss": 0.4}})
    found = table_3(read_table_3("criteo_generated"))
    assert column(found["scores"], "of the way") == ["98.0%", "50.0%", "0.0%"]
    assert found["best"] == [{"auc": 0.8, "logloss": 0.4}]
    assert "paper's" not in found["scores"].header and "public" not in found["scores"].header


def test_the_memorisation_baseline_is_the_last_row(write):
    write("fm", 0.8)
    memory = {"fields": ["user", "item"], "auc": 0.97, "logloss": 0.12}
    record = {"date": "2026-01-01", "memorisation": memory}
    write_result("table_3/frappe/memorisation.json", record)
    found = table_3(read_table_3("frappe"))["scores"]
    assert column(found, "model")[1] == "memorisation baseline: user and item"
    assert column(found, "test AUC") == ["0.8000 ± 0.0100", "0.9700"]
    assert column(found, "test logloss")[1] == "0.1200" and column(found, "seeds")[1] == "–"


def test_auc_within_a_user_has_a_column_where_it_was_measured(write):
    row = row_of(0.95, [1, 2])
    row["test"] = {**row["test"], "auc_by_user": {"mean": 0.71, "std": 0.02}}
    write("dnn", dataset="movielens_ctr_history", row=row)
    write("fm", dataset="movielens_ctr_history")
    scores = table_3(read_table_3("movielens_ctr_history"))["scores"]
    assert column(scores, "AUC within a user") == ["0.7100 ± 0.0200", "–"]
    write("fm")
    assert "AUC within a user" not in table_3(read_table_3("frappe"))["scores"].header


def test_how_far_the_public_figures_are(write):
    for name, auc in (("lr", 0.9356), ("fm", 0.9571), ("dnn", 0.9933)):
        write(name, auc)
    assert table_3(read_table_3("frappe"))["gaps"] == (
        "Within 0.003 of the public AUC: LR. Further off: FM (-0.0100), DNN (+0.0100)."
    )


def test_what_other_negatives_change():
    scores = {"auc": {"mean": 0.9, "std": 0.01}, "logloss": {"mean": 0.2, "std": 0.02}}
    row = {"negatives": "as given", "model": "fm", **scores}
    found = frappe_negatives({"rows": [row], "distances": {"as given": 0.1234, "original": 0.5}})
    assert found["scores"].rows == [["as given", "FM", "0.9000 ± 0.0100", "0.2000 ± 0.0200"]]
    assert found["listed_distances"] == "as given: 0.123; original: 0.500"
