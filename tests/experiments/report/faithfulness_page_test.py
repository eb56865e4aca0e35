"""Tests of what the page of explanations says, on made-up summaries."""

import pytest

from experiments.report.faithfulness_page import (
    areas,
    discoveries,
    errors,
    forms,
    of_coalitions,
    of_data,
    of_rare,
    of_values,
    pairs_and_orders_in_short,
)
from experiments.report.planted_tables import counted


def mean(value):
    return {"mean": value, "std": 0.0}


def column(table, title):
    return [row[table.header.index(title)] for row in table.rows]


@pytest.fixture
def curves():
    """What `curves.py` writes of two methods, of which occlusion is the better one."""

    def method(deletion, insertion, effects):
        apart = {"mean": -0.1, "low": -0.2, "high": 0.0}
        of_kinds = {
            kind: {"area": mean(area), "curve": [area, area], "against_random": apart}
            for kind, area in (("deletion", deletion), ("insertion", insertion))
        }
        more = {"agreement": {"correlation": 0.5, "first": 0.25}, "effects": mean(effects)}
        return {**of_kinds, **more}

    methods = {"attention": method(0.4, 0.6, 0.3), "occlusion": method(0.1, 0.8, 0.9)}
    methods["random"] = method(0.5, 0.5, 0.0)
    return {"preset": "tuned", "data": {"set": "frappe/nfm/1.0.0"}, "methods": methods}


def test_methods_stand_by_insertion_minus_deletion_the_best_first(curves):
    found = of_data("frappe/tuned", curves)
    assert found["gaps"] == "occlusion 0.70; attention, weighted by α_f 0.20"
    assert found["random_gap"] == 0


def test_deletion_and_insertion_have_areas_of_their_own(curves):
    table = areas(curves)
    apart = "-0.100 [-0.200, +0.000]"
    of_curves = ["0.100 ± 0.000", apart, "0.800 ± 0.000", apart]
    assert table.rows[1][:7] == ["occlusion", *of_curves, "0.50", "25%"]
    assert column(table, "ranks as exact effects") == ["0.30 ± 0.00", "0.90 ± 0.00", "0.00 ± 0.00"]
    assert column(table, "wrong sign") == ["–"] * 3  # of an earlier summary
    assert table.rows[2][2] == table.rows[2][4] == "–"  # random is not held against itself


def test_pairs_against_all_coalitions():
    methods = {"pair_effects": {"precision": mean(0.8), "tau": mean(0.6), "r2": mean(0.4)}}
    methods["attention"] = {"precision": mean(0.5), "tau": mean(0.3)}
    table = of_coalitions({"first": 5, "methods": methods})["table"]
    assert table.header[1:] == ["of the first 5", "Kendall's τ", "R²"]
    assert [row[1:] for row in table.rows] == [
        ["0.80 ± 0.00", "0.60 ± 0.00", "0.40 ± 0.00"],
        ["0.50 ± 0.00", "0.30 ± 0.00", "–"],
    ]


def test_planted_pairs_and_false_ones_have_shares_of_their_own():
    runs = {"1": {"named": 4, "right": 2, "planted": 3, "false": 0.5}}
    (row,) = discoveries([{"rule": "rule_2", "runs": runs}]).rows
    assert row[1:] == ["1", "67%", "4.0", "50%"]


def test_explaining_is_held_against_predicting():
    share = {"median": 0.75, "low": 0.7, "high": 0.8}
    found = {"records": 9_000, "seeds": [1, 2], "largest_error": 1e-6, "largest_logit": 12.34}
    found |= {"predicted_per_second": 4000.0, "explained_per_second": 3000.0}
    (row,) = errors([{**found, "data": {"set": "frappe"}, "share_of_prediction": share}]).rows
    assert row[1:] == ["9,000 × 2", "1.0e-06", "12.3", "4,000", "3,000", "75% [70%, 80%]"]


def test_a_planted_value_is_first_in_so_many_models_and_records():
    first = {"mean": 0.8, "low": 0.7, "high": 0.9}
    of_method = {"found": 19, "of": 20, "low": 0.76, "high": 0.99, "first": first}
    (row,) = of_values({"methods": {"attention": of_method}})["methods"].rows
    assert row == ["attention", "19 of 20", "0.80 [0.70, 0.90]"]


def test_a_rare_system_has_its_mean_and_its_highest_logloss():
    system = {"taken": 1, "weight": 0.9, "logloss": 0.65, "worst": 0.8}
    forms = {"as it comes": {"runs": [{}] * 2, "systems": {"rare": system}}}
    (row,) = of_rare([{"log": "frequent_names", "forms": forms}]).rows
    assert row == ["frequent names", "as it comes", "rare", "1 of 2", "0.90", "0.650", "0.800"]


def test_each_method_of_other_forms_is_counted_in_its_column():
    named = {"attention": True, "contributions": False, "occlusion": True, "effects": False}
    run = {"fields": {method: {"found": found} for method, found in named.items()}}
    planted = {("rule_2", "paper"): {"rule": "rule_2", "form": "paper", "runs": {"1": run}}}
    (row,) = forms(planted).rows
    yes, no = counted([True]), counted([False])
    assert row == ["Rule 2, Figure 9", "`paper`", yes, "–", no, "–", yes, no]


def test_exact_pair_effects_are_counted_in_short():
    methods = {"pair_effects": {"found": True}, "random": {"found": False}}
    planted = {("rule_2", "released"): {"runs": {"1": {"pairs": methods}, "2": {}}}}
    (said,) = pairs_and_orders_in_short(planted, [])
    assert said["sentence"] == "Exact pair effects name the planted pairs in 1 of 1"
