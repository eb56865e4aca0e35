"""Tests of the cells of tables on planted rules."""

from experiments.report.faithfulness_page import in_short, pairs_and_orders_in_short
from experiments.report.planted_tables import (
    added_flags,
    alignment,
    averaged,
    counted,
    fields_at_a_glance,
    orders,
    pairs_at_a_glance,
    pairs_by_rule,
    seeds_agree,
    triples,
)


def test_counts_have_wilson_intervals():
    assert counted([True] * 19 + [False]) == "19 of 20 [76%, 99%]"
    assert counted([]) == "–"


def test_means_have_student_intervals():
    assert averaged([-1.0, 1.0]) == "0.00 [-12.71, 12.71]"
    assert averaged([0.5]) == "0.50"
    assert averaged([]) == "–"


def test_shares_stay_within_0_and_1():
    assert averaged([0.0, 1.0], ".0%") == "50% [0%, 100%]"
    assert averaged([0.4, 0.4], ".0%") == "40% [40%, 40%]"


def run(shares, alpha_f, auc, matching=0.9):
    found = {"shares": shares, "alpha_f": alpha_f}
    return {"test": auc, "probability": {"matching": matching}, "orders": found}


def test_orders_are_named_by_models_that_have_learnt_their_rule():
    wrong, right = run([0.1, 0.9, 0.0], [0.8, 0.1, 0.1], 0.58), run([0, 1, 0], [0.1, 0.8, 0.1], 0.6)
    plain = {"runs": {"1": wrong, "2": run([1, 0, 0], [1, 0, 0], 0.5, matching=0.3)}}
    planted = {
        ("rule_2_dense", "released"): plain,
        ("rule_2_dense", "ordered"): {"runs": {"1": right}},
    }
    (row,) = orders(planted, "released").rows
    assert row[:5] == ["Rule 2, dense", "2", "1 of 2", counted([True]), counted([False])]
    assert row[5:] == ["0.10, 0.90, 0.00", "0.10", "0.80, 0.10, 0.10", "0.80"]
    (aligned,) = orders(planted, "ordered").rows
    assert aligned[4] == counted([True])
    assert aligned[-2:] == ["0.20", "+0.0200"]


def test_pairs_are_counted_rule_by_rule():
    def of_runs(**methods):
        named = [
            {
                "pairs": {
                    name: {"found": of_run} for name, of_run in zip(methods, found, strict=True)
                }
            }
            for found in zip(*methods.values(), strict=True)
        ]
        return {"runs": {str(seed): run for seed, run in enumerate(named)}}

    planted = {
        ("rule_1", "released"): {"runs": {"1": {}}},  # of no pair, so that it has no column
        ("rule_2", "released"): of_runs(attention=[True, False], pair_effects=[True, True]),
        ("rule_2", "aligned"): of_runs(attention=[True, True], pair_effects=[False, False]),
        ("mixture", "released"): of_runs(pair_effects=[False]),
        ("rule_2", "ebm"): of_runs(ebm=[True], pair_effects=[True]),
    }
    found = pairs_by_rule(planted)
    assert found.header == ["method", "Rule 2, Figure 9", "Orders 1 and 2"]
    assert [row[1:] for row in found.rows] == [
        [counted([True, False]), "–"],
        [counted([True, True]), "–"],  # attention, aligned
        [counted([True, True]), counted([False])],
        [counted([True]), "–"],  # an EBM's own pairs
    ]
    assert found.rows[1][0].endswith(", aligned")


def test_attention_is_compared_on_the_rules_that_both_forms_were_asked():
    def of_runs(*found):
        runs = [{"test": 0.6, "fields": {"attention": {"found": named}}} for named in found]
        return {"runs": {str(seed): run for seed, run in enumerate(runs)}}

    planted = {
        ("rule_1", "released"): of_runs(True),
        ("rule_2", "released"): of_runs(True, False),
        ("rule_2", "aligned"): of_runs(True, True),
        ("rule_3", "released"): of_runs(False),  # hardly learnt by anything
        ("rule_3", "aligned"): of_runs(False),
        ("rule_1", "tuned"): of_runs(True),
        ("rule_2", "tuned"): of_runs(True, False),  # a seed that the plain form has not
        ("rule_2", "tuned_plain"): of_runs(False),
    }
    assert [row["sentence"] for row in in_short(planted)][:3] == [
        "The attention of `released` names the planted fields, and no others, in 2 of 3 models",
        "Aligned with effects from the first epoch on, `released`'s attention names them in "
        "2 of 2, in 1 of 2 where it is not aligned",
        "Aligned after the best epoch, `tuned`'s attention names them in 1 of 1, in 0 of 1 where "
        "it is not aligned",
    ]
    assert [row[0] for row in alignment(planted, "aligned").rows] == [
        "Rule 2, Figure 9",
        "Rule 3, Figure 10",
    ]
    (row,) = alignment(planted, "tuned").rows
    assert row[1:] == [counted([False]), counted([True]), "+0.0000"]


def test_a_row_says_how_many_rules_it_pools():
    def of_runs(*kinds):
        one = {kind: {"attention": {"found": True, "share": 1.0}} for kind in kinds}
        return {"runs": {"1": {"fields": {}, **one}, "2": {"fields": {}, **one}}}

    planted = {
        ("rule_1", "released"): of_runs("fields"),
        ("rule_2", "released"): of_runs("fields", "pairs"),
        ("rule_3", "released"): of_runs("fields", "pairs"),  # hardly learnt by anything
        ("rule_2", "aligned"): of_runs("fields"),
        ("rule_1", "tuned"): of_runs(),
    }
    for glance, expected in ((fields_at_a_glance, ["2", "1"]), (pairs_at_a_glance, ["1"])):
        table = glance(planted)
        assert [row[table.header.index("rules")] for row in table.rows] == expected


def test_rules_that_add_flags_are_named_with_them():
    _, mixture = added_flags()
    assert mixture.startswith("Orders 1 and 2 by `--criterion=logloss --learning_rate_factor=1.0 ")


def test_orders_in_short():
    right, wrong = [0.1, 0.9, 0.0], [0.9, 0.1, 0.0]
    of_pair = {"1": run(right, wrong, 0.6), "2": run(right, right, 0.6)}
    of_pair["3"] = run(wrong, wrong, 0.5, matching=0.3)
    planted = {("rule_2_dense", "released"): {"runs": of_pair}}
    planted["mixture", "released"] = {"runs": {"1": run(wrong, wrong, 0.6)}}  # of two orders
    knockoffs = [{"level": 0.1, "runs": {"1": {"false": 0.5}, "2": {"false": 0.0}}}]
    found = pairs_and_orders_in_short(planted, knockoffs)
    assert [row["sentence"] for row in found] == [
        "Of the pairs that are called interactions at a false discovery rate of 10%, 25% are "
        "false, in the mean of 2 models",
        "Order shares name the planted order in 2 of 2, α_f in 1 of 2",
    ]
    planted["rule_2_dense", "ordered"] = {"runs": {"1": run(wrong, right, 0.6)}}
    assert "; aligned α_f in 1 of 1" in pairs_and_orders_in_short(planted, [])[0]["sentence"]


def cells_of(table):
    (row,) = table.rows
    return dict(zip(table.header, row, strict=True))


def test_questions_on_fields_have_a_column_each():
    found = {"found": True, "share": 0.9, "insertion": 0.8, "deletion": 0.3, "effects": 0.7}
    found |= {"wrong_signs": 0.25, "background": 0.6, "untrained": 0.2, "means": [0.1, 0.9]}
    planted = {("rule_1", "released"): {"runs": {"1": {"fields": {"occlusion": found}}}}}
    assert cells_of(fields_at_a_glance(planted)) == {
        "method": "occlusion",
        "rules": "1",
        "planted fields named": counted([True]),
        "of single records": "90%",
        "insertion − deletion": "0.50",
        "ranks as exact effects": "0.70",
        "wrong sign": "25.0%",
        "other background": "0.60",
        "untrained model": "0.20",
        "seeds agree": "–",
    }


def test_questions_on_pairs_have_a_column_each():
    found = {"found": True, "precision": 0.9, "rank": 1.5, "tau": 0.6, "r2": 0.4}
    planted = {("rule_2", "released"): {"runs": {"1": {"pairs": {"pair_effects": found}}}}}
    assert list(cells_of(pairs_at_a_glance(planted)).values())[2:] == [
        *(counted([True]), "90%", "1.5", "0.60", "0.40")
    ]


def test_seeds_agree_as_far_as_they_share_the_largest_fields():
    def run(*means):
        return {"fields": {"occlusion": {"means": means}}}

    runs = {"1": run(0.0, 0.1, 0.9, 0.8, 0.2), "2": run(0.1, 0.05, 0.8, 0.9, 0.0)}
    runs["3"] = run(0.9, 0.0, 0.8, 0.1, 0.2)
    planted = {("rule_2", "released"): {"runs": runs}}  # of two fields
    assert seeds_agree(planted, "released", "occlusion") == "67%"
    assert seeds_agree(planted, "aligned", "occlusion") == "–"


def test_triples_are_those_of_released():
    def named(found):
        return {"runs": {"1": {"triple": {"found": found}}, "2": {}}}

    forms = {"released": True, "aligned": False, "lightgbm": False}
    planted = {("rule_3_dense", form): named(found) for form, found in forms.items()}
    assert triples(planted) == counted([True]) and triples({}) == ""
