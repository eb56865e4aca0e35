"""What became of each table and figure of the paper: the page's first section."""

import numpy as np

from experiments.common.markdown import interval
from experiments.common.planted_rules import PLANTED_RULES
from experiments.common.published import BEST, TABLE_1, TABLE_3, TITLES
from experiments.common.results import read_result
from experiments.common.statistics import leads
from experiments.common.table_3_files import read_table_3
from experiments.report.blocks import Table
from experiments.report.cells import Summary, title_of
from experiments.report.grid_cells import FORMS
from experiments.report.movielens_page import COMMAND, ORDINALS
from experiments.report.table_1_page import agreement, counts, read_statistics

REPRODUCED, PARTLY = "✓ reproduced", "◐ in part"
NOT, NOT_RUN = "✗ **not reproduced**", "– not run here"
NOT_COMPARABLE = "– not comparable"

# What Section 4.2.1 of the paper reads in the pictures: the fields in the row of the order.
PAPER_SETS = {
    "figure_5": ("movie", "Sci-Fi"),
    "figure_6": ("Crime", "Romance"),
    "figure_7": ("year", "Animation", "Children's"),
}


def at_a_glance() -> Table:
    """Returns the table: what the paper shows, whether it is so here, and why."""
    statistics = read_statistics()
    rows = [
        *(of_table_1(name, statistics.get(name)) for name in TABLE_1),
        *(
            of_table_3(name, read_table_3(name))
            or of_interhat(name, read_result(f"{name}/summary.json"))
            for name in TABLE_3
        ),
        *of_rules(read_result("figures_8_to_10/summary.json")),
        *of_figure_2(read_result("speed/figure_2.json")),
        *(
            of_sensitivity(figure, name, read_result(f"{figure}/{name}/summary.json"))
            for figure, best in BEST.items()
            for name in best
        ),
        *of_movielens(read_result("figures_5_to_7/summary.json")),
    ]
    return Table(["paper", "here", "why"], rows, numeric=False)


def verdict(table: Table) -> str:
    """Returns in short how many of the table's rows are reproduced, of those that are decided."""
    found = [row[1] for row in table.rows]
    whole, partly, not_so = decided = [found.count(s) for s in (REPRODUCED, PARTLY, NOT)]
    undecided = [(found.count(s), s.removeprefix("– ")) for s in (NOT_RUN, NOT_COMPARABLE)]
    left = ", ".join(f"{count} {status}" for count, status in undecided if count)
    text = f"{whole} of {sum(decided)} reproduced, {partly} in part, {not_so} not"
    return f"{text}; {left}" if left else text


def how_to_run(name: str) -> str:
    """Returns how a data set's results are made."""
    if name == "frappe":
        return "`make table-3 FRAPPE=<folder>`"
    return f"needs Kaggle's file: `make reproduce-{name}`"


def of_table_1(name: str, found: Summary | None) -> list[str]:
    """Returns which of Table 1's counts of a data set are ours as well."""
    title, paper = f"Table 1, {name.capitalize()}", TABLE_1[name]
    if found is None:
        return [title, NOT_RUN, how_to_run(name)]
    same, ours = agreement(name, found), counts(found)
    why = "; ".join(f"{count} {ours[count]}, the paper's {paper[count]}" for count in ours)
    status = REPRODUCED if all(same.values()) else PARTLY if any(same.values()) else NOT
    return [title, status, why]


def of_table_3(name: str, summary: Summary | None) -> list[str] | None:
    """Returns whether InterHAt stands where Table 3 has it on a data set, and attention helps.

    The paper's InterHAt is the authors' form, with penalties searched as all others' are. That
    attention helps is said where the interval of the difference over the seeds says so, and is
    open unless both forms were searched alike. Without a summary of its models: `None`.
    """
    if summary is None:
        return None
    title = f"Table 3, {name.capitalize()}"
    rows = {**summary["models"], "interhat": summary["models"].get("released_searched")}
    ours = {m: rows[m]["test"]["auc"]["mean"] for m in TABLE_3[name] if rows.get(m)}
    if missing := set(TABLE_3[name]) - set(ours):
        return [title, NOT_RUN, f"without {', '.join(sorted(TITLES[m] for m in missing))}"]
    order = sorted(ours, key=ours.get, reverse=True)
    papers = sorted(order, key=lambda m: TABLE_3[name][m][0], reverse=True)
    why = (
        "InterHAt is `released`, searched; order by AUC: "
        f"{', '.join(TITLES[m] for m in order)}; the paper's: "
        f"{', '.join(TITLES[m] for m in papers)}."
    )
    if not searched_alike(summary["records"], "released_searched", "interhat_s"):
        why += (
            " Whether self-attention helps is open: InterHAt and InterHAt-S were not searched alike"
        )
        return [title, NOT_COMPARABLE, why]
    gain = leads(rows, "interhat")["interhat_s"]["auc"]
    helps = gain["low"] is not None and gain["low"] > 0
    costs = gain["high"] is not None and gain["high"] < 0
    effect = "helps" if helps else "costs" if costs else "makes no clear difference"
    # First of eight on Frappe and Avazu, level with the fourth on Criteo.
    comes_back = order.index("interhat") <= papers.index("interhat")
    status = (NOT, PARTLY, REPRODUCED)[comes_back + helps]
    why += f" Self-attention {effect}: {interval(gain)} of AUC over InterHAt-S"
    return [title, status, why]


def searched_alike(records: Summary, *names: str) -> bool:
    """Returns whether rows say what they were asked, and drew the same number of trials."""
    trials = [records.get(name, {}).get("asked", {}).get("trials") for name in names]
    return trials[0] is not None and len(set(trials)) == 1


def of_interhat(name: str, alone: Summary | None) -> list[str]:
    """Returns what a run of InterHAt alone says of Table 3 on a data set."""
    title = f"Table 3, {name.capitalize()}"
    if alone is None:
        return [title, NOT_RUN, how_to_run(name)]
    (auc, logloss), test = TABLE_3[name]["interhat"], alone["test"]
    why = (
        f"InterHAt alone: test AUC {test['auc']['mean']:.4f}, logloss "
        f"{test['logloss']['mean']:.4f}; the paper's {auc:.4f}, {logloss:.4f}"
    )
    return [title, NOT_RUN, f"{why}. All models: `make table-3 {name.upper()}=<file>`"]


def of_rules(summary: Summary | None) -> list[list[str]]:
    """Returns what became of Table 4's rules and of Figures 8 to 10.

    The row of the rule's own order decides, which the paper shows and reads.
    """
    rows = []
    for rule, figure in (("rule_1", 8), ("rule_2", 9), ("rule_3", 10)):
        runs = [run for run in (summary["runs"] if summary else []) if run["rule"] == rule]
        if not runs:
            continue
        agree = [run["seed"] for run in runs if run["found"]["row"]]
        weighted = sum(run["found"]["combined"] for run in runs)
        share = len(agree) / len(runs)
        status = REPRODUCED if share >= 0.9 else PARTLY if share > 0 else NOT
        which = f" ({', '.join(map(str, agree))})" if agree else ""
        why = (
            f"in the {ORDINALS[int(rule[-1])]}-order row, which the paper shows, the planted "
            f"fields have the highest weights in {len(agree)} of {len(runs)} seeds{which}; with "
            f"the rows weighted by alpha_f in {weighted}"
        )
        if rule == "rule_3":
            why += f"; as printed, the best possible AUC is {PLANTED_RULES[rule].best_auc:.3f}"
        title = f"Table 4 and Figure {figure}, Rule {rule[-1]}"
        rows.append([title, status, f"{why} ([pictures](figures_8_to_10/README.md))"])
    return rows


def of_figure_2(summary: Summary | None) -> list[list[str]]:
    """Returns, for each form of InterHAt, whether it takes the least time of six."""
    return [
        [f"Figure 2, least time of six: {title}", *of_form(form, summary)]
        for form, title in FORMS.items()
    ]


def of_form(form: str, summary: Summary | None) -> list[str]:
    """Returns whether a form of InterHAt takes less time than the paper's five other models."""
    five = set(TABLE_3["criteo"]) - {"fm", "interhat", "interhat_s"}
    ranks, whys = [], []
    for group in summary["groups"] if summary else []:
        seconds = {row["model"]: row["seconds"] for row in group["rows"]}
        if form not in seconds:
            continue
        order = sorted(five & set(seconds), key=seconds.get)
        faster = [model for model in order if seconds[model] < seconds[form]]
        ranks.append(len(faster) + 1)
        times = seconds[form] / seconds[order[0]]
        whys.append(
            f"{group['of']['size'].capitalize()}: rank {ranks[-1]} of {len(order) + 1}, "
            f"{times:.1f} times the seconds of {TITLES[order[0]]}"
        )
    if not ranks:
        return [NOT_RUN, "`make figure-2`"]
    status = REPRODUCED if max(ranks) == 1 else PARTLY if min(ranks) == 1 else NOT
    return [status, "; ".join(whys)]


def of_sensitivity(figure: str, name: str, summary: Summary | None) -> list[str]:
    """Returns whether the paper's best value of a hyperparameter is ours as well."""
    papers_best = BEST[figure][name]
    what = {"figure_3": "heads", "figure_4": "orders"}[figure]
    title = f"{title_of(figure)}, {name.capitalize()}: best with {papers_best} {what}"
    title = title.removesuffix("s") if papers_best == 1 else title
    if summary is None:
        return [title, NOT_RUN, f"`python -m experiments.paper.{figure}`"]
    points = sorted(summary["points"], key=lambda p: p["test"]["auc"]["mean"], reverse=True)
    first, second = (point["test"]["auc"] for point in points[:2])
    # A lead within the larger of the two spreads is none.
    clear = first["mean"] - second["mean"] > max(first["std"], second["std"])
    best = points[0][summary["flag"]]
    status = NOT if best != papers_best else REPRODUCED if clear else PARTLY
    return [title, status, f"here {best} by mean AUC{'' if clear else ', within the spread'}"]


def of_movielens(summary: Summary | None) -> list[list[str]]:
    """Returns what became of Figures 5 to 7."""
    if summary is None:
        return [["Figures 5 to 7, MovieLens", NOT_RUN, f"`{COMMAND}`"]]
    rows = []
    for figure, case in summary["cases"].items():
        record, order = case["record"], case["order"]
        leads = int(np.argmax(record["order_weights"])) + 1 == order
        fields = record["interaction_sets"][order - 1]
        same = set(fields) == set(PAPER_SETS[figure])
        why = (
            f"in the record with the most weight on the {ORDINALS[order]} order, this order "
            f"{'has' if leads else 'does not have'} the most weight; its fields are "
            f"{', '.join(fields) or 'none'}; the paper's: {', '.join(PAPER_SETS[figure])}"
        )
        status = REPRODUCED if leads and same else PARTLY if leads or same else NOT
        rows.append([f"Figure {figure[-1]}, {case['movie']}", status, why])
    return rows
