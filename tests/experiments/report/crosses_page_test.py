import pytest

from experiments.report.crosses_page import crosses, read_crosses
from experiments.report.tables import results_page
from interhat_tf.utils.files import write_json


@pytest.fixture
def summary(study_flags):
    """Of LR with 0.80, 0.89 and of InterHAt with 0.90 of AUC, and as much of logloss less."""
    suggested = {"fields": ["user", "item"], "strength": 1.25, "combinations": 1_000}
    suggested |= {"vocabulary_size": 101, "coverage": 0.37}
    about = {"date": "2026-01-01", "versions": {"machine": "a machine"}, "suggested": [suggested]}
    about |= {"data": {"set": "frappe/nfm/1.0.0"}}
    for model, aucs in {"lr": [0.80, 0.89], "interhat": [0.90]}.items():
        rows = {
            variant: {
                "test": {
                    "auc": {"mean": auc, "std": 0.001},
                    "logloss": {"mean": 1.1 - auc, "std": 0.001},
                },
                "parameters": 5_000,
                "seeds": [1, 2, 3],
            }
            for variant, auc in zip(["none", "suggested 1"], aucs, strict=False)
        }
        path = study_flags / "results/crosses/frappe" / f"{model}.json"
        write_json(path, {**about, "rows": rows})
    (found,) = read_crosses()
    return found


def test_tables_by_hand(summary):
    tables = crosses(summary)
    assert tables["suggestions"].rows == [["user x item", "1.25", "101", "37%"]]
    rows = {(model, variant): rest for model, variant, *rest in tables["scores"].rows}
    assert rows["LR", "none"][-2:] == ["0%", "0%"]
    assert rows["LR", "suggested 1"][-2:] == ["90%", "90%"]
    assert rows["InterHAt", "none"][-2:] == ["100%", "100%"]


def test_without_both_models_there_is_no_gap(summary):
    summary["rows"] = [row for row in summary["rows"] if row["model"] == "lr"]
    header = crosses(summary)["scores"].header
    assert header == ["model", "crosses", "parameters", "test AUC", "test logloss"]


def test_the_page_names_the_crosses(summary):
    blocks = results_page(
        {"crosses": [summary]}, verdict="", at_a_glance="", table_1="", sensitivity=[]
    )
    assert any("user x item" in str(block) for block in blocks)
