"""Tests of what became of each table and figure, on made-up summaries."""

import pytest

from experiments.common.published import TABLE_3
from experiments.report.at_a_glance import (
    NOT,
    NOT_RUN,
    PAPER_SETS,
    PARTLY,
    REPRODUCED,
    of_movielens,
    of_sensitivity,
    of_table_3,
)


def frappe_summary(**aucs):
    models = {name: {"test": {"auc": {"mean": auc}}} for name, auc in aucs.items()}
    return {"models": models}


@pytest.mark.parametrize(
    ("interhat", "ablation", "status"),
    [
        (0.99, 0.97, "✓ reproduced"),
        (0.95, 0.94, "◐ in part"),
        (0.95, 0.97, "✗ **not reproduced**"),
    ],
)
def test_table_3_comes_back_if_interhat_leads_and_attention_helps(interhat, ablation, status):
    others = {name: 0.98 for name in TABLE_3["frappe"]}
    summary = frappe_summary(**{**others, "interhat": interhat, "interhat_s": ablation})
    assert of_table_3("frappe", summary)[1] == status


def test_a_table_3_of_some_models_says_so():
    row = of_table_3("frappe", frappe_summary(interhat=0.9, fm=0.8))
    assert row[1] == "– not run here" and row[2].startswith("without DCN, DeepFM")


@pytest.mark.parametrize(("lead", "status"), [(0.01, "✓ reproduced"), (0.001, "◐ in part")])
def test_a_lead_within_the_spread_is_no_lead(lead, status):
    points = [
        {"num_heads": heads, "test": {"auc": {"mean": auc, "std": 0.002}}}
        for heads, auc in ((1, 0.97 + lead), (4, 0.97))
    ]
    summary = {"flag": "num_heads", "points": points}
    assert of_sensitivity("figure_3", summary)[1] == status
    points[0]["num_heads"] = 2
    other = of_sensitivity("figure_3", summary)
    assert other[1] == "✗ **not reproduced**" and other[2].startswith("here 2 by mean AUC")


def test_movielens_needs_the_order_and_its_fields():
    def status(order_weights, sets, figure="figure_6"):
        record = {"order_weights": order_weights, "interaction_sets": sets}
        case = {"movie": "a movie", "order": int(figure[-1]) - 4, "record": record}
        return of_movielens({"cases": {figure: case}})[0][1]

    papers = list(PAPER_SETS["figure_6"])[::-1]
    assert status([0.2, 0.5, 0.3], [[], papers, []]) == REPRODUCED
    assert status([0.6, 0.2, 0.2], [[], papers, []]) == PARTLY
    assert status([0.2, 0.5, 0.3], [[], ["user"], []]) == PARTLY
    assert status([0.6, 0.2, 0.2], [papers, ["user"], []]) == NOT
    assert of_movielens(None)[0][1] == NOT_RUN
