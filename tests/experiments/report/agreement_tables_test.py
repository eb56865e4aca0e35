"""Tests of the tables of agreement on real logs, on made-up summaries."""

from experiments.report.agreement_tables import agreed, one_pass, orders_agreed


def summary(form, runs, **means):
    figures = {name: {"mean": mean, "std": 0.01} for name, mean in means.items()}
    about = {"data": {"set": "frappe"}, "preset": "released", "date": "2026-01-01"}
    return {**about, "form": form, "seeds": [1, 2], "runs": runs, **figures}


def cells(table):
    return [dict(zip(table.header, row, strict=True)) for row in table.rows]


def test_each_ranking_has_its_column_and_attention_its_lead_over_the_same_for_all():
    runs = [{"attention": 0.5, "constant": 0.2}, {"attention": 0.7, "constant": 0.4}]
    rankings = {"attention": 0.6, "constant": 0.3, "contributions": 0.5}
    rankings |= {"one_pass": 0.9, "ceiling": 0.95}
    means = {**rankings, "auc_lost": 0.001, "largest_error": 1e-6}
    (found,) = cells(agreed([summary("plain", runs, **means)]))
    assert list(found.items())[5:] == [
        ("attention", "0.60 ± 0.01"),
        ("contributions", "0.50 ± 0.01"),
        ("one-pass effects", "0.90 ± 0.01"),
        ("the same for all records", "0.30 ± 0.01"),
        ("attention − that", "+0.30 [+0.30, +0.30]"),
        ("other background", "0.95 ± 0.01"),
        ("AUC lost", "0.0010 ± 0.0100"),
        ("largest error", "1.0e-06"),
    ]


def test_what_alignment_costs_is_over_the_plain_form():
    names = ("auc", "logloss", "r2", "pair_r2", "pair_rank_correlation")
    forms = {"plain": (0.90, 0.30), "aligned": (0.89, 0.32), "continued": (0.88, 0.33)}
    rows = [
        summary(form, [{"auc": auc, "logloss": loss}] * 2, **dict.fromkeys(names, 0.5))
        for form, (auc, loss) in forms.items()
    ]
    plain, aligned, _ = cells(one_pass(rows))
    assert plain["− plain"] == plain["logloss − plain"] == "–"
    assert aligned["− plain"] == "-0.0100 [-0.0100, -0.0100]"
    assert aligned["logloss − plain"] == "+0.0200 [+0.0200, +0.0200]"


def test_orders_are_compared_with_the_plain_form_of_the_same_summary():
    def of_seeds(auc, logloss, alpha_f):
        weights = {"mean_shares": [0.3, 0.7], "mean_alpha_f": [0.6, 0.4]}
        row = {"auc": auc, "logloss": logloss, "alpha_f": alpha_f, **weights}
        return [{**row, "constant": 0.2, "ceiling": 0.8}] * 2

    forms = {"plain": of_seeds(0.9, 0.3, 0.1), "continued": of_seeds(0.88, 0.33, 0.7)}
    plain, aligned = cells(orders_agreed([{**summary("", []), "forms": forms}]))
    assert plain["α_f"].startswith("0.10 ") and plain["AUC − plain"] == "–"
    assert list(aligned.items())[5:] == [
        ("α_f", "0.70 [0.70, 0.70]"),
        ("the same for all records", "0.20 [0.20, 0.20]"),
        ("other donors", "0.80 [0.80, 0.80]"),
        ("mean shares", "0.30, 0.70"),
        ("mean α_f", "0.60, 0.40"),
        ("AUC − plain", "-0.0200 [-0.0200, -0.0200]"),
        ("logloss − plain", "+0.0300 [+0.0300, +0.0300]"),
    ]
