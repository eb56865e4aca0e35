import pytest

from experiments.common.results import write_result
from experiments.report.criteo_avazu_page import compared_models, ranks, scores

STATISTICS = {"records": 100}


@pytest.fixture
def summary(study_flags):
    return {"data": {"statistics": STATISTICS}}


def write(name, statistics):
    record = {"data": {"statistics": statistics}, "date": "1", "versions": {}, "row": {"runs": []}}
    write_result(f"table_3/{name}.json", record)


def test_models_of_the_same_log_are_named(summary):
    assert compared_models("criteo", summary) == ""
    write("criteo/dnn", STATISTICS)
    write("criteo/lr", STATISTICS)
    assert compared_models("criteo", summary) == "LR, DNN"
    assert compared_models("criteo_generated_50", summary) == ""


def test_models_of_a_log_of_another_size_are_not(summary):
    write("criteo_generated_50/lr", {"records": 50})
    assert compared_models("criteo_generated_50", summary) == ""


def test_test_figures_stand_beside_the_best_possible_of_the_test_split():
    figures = {of: {"mean": 0.7, "std": 0.0} for of in ("auc", "logloss")}
    summary = {"seeds": [0], "test": figures, "validation": figures}
    summary["paper"] = {"auc": 0.75, "logloss": 0.4}
    best = {split: {"auc": auc, "logloss": 0.3} for split, auc in (("test", 0.8), ("all", 0.9))}
    truth = {"best": best.pop("all")}

    def column(summary, truth):
        table = scores("criteo", summary, truth)
        return table.header[2], table.rows[0][2]

    assert column(summary, None) == ("paper's InterHAt", "0.7500")
    assert column({**summary, "best": best}, truth) == ("best possible", "0.8000")
    # An earlier summary has no other, and says so.
    assert column(summary, truth) == ("best possible, of all rows", "0.9000")


def test_each_split_has_its_figures():
    def figures(auc, logloss):
        return {"auc": {"mean": auc, "std": 0.0}, "logloss": {"mean": logloss, "std": 0.0}}

    summary = {"seeds": [0], "test": figures(0.7, 0.4), "validation": figures(0.75, 0.45)}
    table = scores("criteo", {**summary, "paper": {"auc": 0.8, "logloss": 0.5}}, None)
    assert table.header == ["", "test", "paper's InterHAt", "validation"]
    assert table.rows == [
        ["AUC", "0.7000", "0.8000", "0.7500"],
        ["logloss", "0.4000", "0.5000", "0.4500"],
    ]


def test_planted_fields_have_ranks_by_alpha_f_and_in_any_order():
    term = {"fields": ["b", "a"], "auc": 0.61234, "ranks": [2, 3], "ranks_in_any_order": [3, 1]}
    assert ranks({"planted": [term]}).rows == [["2", "b, a", "0.6123", "2, 3", "3, 1"]]
