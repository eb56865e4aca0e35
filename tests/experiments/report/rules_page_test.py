from experiments.report.rules_page import each_seed, found, log_odds


def run(rule, seed, weights, **about):
    return {"rule": rule, "seed": seed, "field_weights": weights, "probability": 0.876, **about}


def test_each_seed_has_as_many_fields_a_row_as_the_rule():
    first = [[0.1, 0.9] + [0.0] * 8, [0.9, 0.0, 0.1] + [0.0] * 7]
    table = each_seed(
        [
            run("rule_1", 3, first, order_weights=[0.25, 0.75]),
            run("rule_2", 4, [[0.1, 0.2, 0.3, 0.4] + [0.0] * 6], order_weights=[1.0]),
        ]
    )
    assert table.rows == [
        ["Rule 1, Figure 8", "3", "f2; f1", "0.25, 0.75", "0.88"],
        ["Rule 2, Figure 9", "4", "f4, f3", "1.00", "0.88"],
    ]


def test_runs_that_found_the_fields_are_counted_kind_by_kind():
    runs = [{"found": {"row": seed < 2, "combined": seed < 7}} for seed in range(10)]
    assert found("row")({"runs": runs}) == "2 of 10"
    assert found("combined")({"runs": runs}) == "7 of 10"


def test_log_odds_are_of_the_runs_that_know_them():
    known = [run("rule_1", seed, [], log_odds=value) for seed, value in ((1, 2.0), (2, 3.0))]
    assert log_odds({"runs": [*known, run("rule_1", 3, [])]}) == "2.50 ± 0.71"
    assert log_odds({"runs": [run("rule_1", 3, [])]}) == "–"
