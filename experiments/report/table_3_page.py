"""The page's part on Table 3, and on what Frappe's train negatives change of it."""

from typing import Any

from experiments.common.markdown import interval, pair, spread
from experiments.common.published import BARS_FRAPPE, TABLE_3, TITLES
from experiments.report.pages import Section, Table, data_of, written

Summary = dict[str, Any]

ROW_TITLES = {**TITLES, "paper": "InterHAt, `paper`", "released": "InterHAt, `released`"}
# What counts as the same AUC as a published one.
SAME_AUC = 0.003
LEGEND = (
    "*Paper's* and *public* are AUC / logloss in the paper's Table 3 and in the public benchmark "
    "BARS (one seed, the best of its runs, original train negatives). *InterHAt's lead* is its AUC "
    "minus the model's, paired by seed, with a 95% Student interval. *s an epoch* are the seconds "
    "of an epoch while two runs share the machine; Figure 2 compares speed."
)


def table_3(name: str, summary: Summary) -> Section:
    """Returns the section of Table 3 on a data set."""
    public = BARS_FRAPPE if name == "frappe" else {}
    header = ["model", "test AUC", "test logloss", "paper's", "public", "InterHAt's lead in AUC"]
    header += ["parameters", "s an epoch"]
    rows = summary["models"]
    order = sorted(rows, key=lambda model: rows[model]["test"]["auc"]["mean"], reverse=True)
    cells = [cells_of(model, summary, TABLE_3.get(name, {}), public) for model in order]
    if found := summary.get("memorisation"):
        title = "memorisation baseline: was the pair positive in training?"
        cells.append([title, f"{found['auc']:.4f}", f"{found['logloss']:.4f}", *["–"] * 5])
    return Section(
        f"Table 3: {name.capitalize()}",
        [
            protocol(summary),
            Table(header, cells),
            LEGEND,
            *against_public(summary, public),
            trials(summary),
        ],
    )


def protocol(summary: Summary) -> str:
    """Returns how the models were tuned and tested."""
    trials_each = len(next(iter(summary["trials"].values())))
    seeds = ", ".join(map(str, next(iter(summary["models"].values()))["seeds"]))
    return (
        f"Data: {data_of(summary)}. For every model, {trials_each} settings were drawn from its "
        f"declared search space and trained with seed {summary['trial_seed']}; the best on "
        f"validation, by AUC − logloss, was trained again with seeds {seeds}. Only these runs read "
        "the test split, once each. `paper` and `released` have the settings of the paper's Table "
        "2 and no search. " + written(summary, "python -m experiments.paper.table_3")
    )


def cells_of(model: str, summary: Summary, papers: dict, public: dict) -> list[str]:
    """Returns the row of a model."""
    row, title = summary["models"][model], ROW_TITLES[model]
    return [
        f"**{title}**" if model == "interhat" else title,
        spread(row["test"]["auc"]),
        spread(row["test"]["logloss"]),
        pair(papers.get("interhat" if model in ("paper", "released") else model)),
        pair(public.get(model)),
        interval(summary["differences"].get(model, {}).get("auc")),
        f"{row['parameters']:,}",
        f"{row['seconds_per_epoch']['mean']:.1f}",
    ]


def against_public(summary: Summary, public: dict) -> list[str]:
    """Returns which models are within `SAME_AUC` of their public figure, and which are not."""
    gaps = {
        model: summary["models"][model]["test"]["auc"]["mean"] - auc
        for model, (auc, _) in public.items()
        if model in summary["models"]
    }
    if not gaps:
        return []
    within = [TITLES[model] for model, gap in gaps.items() if abs(gap) <= SAME_AUC]
    beyond = [f"{TITLES[m]} ({gap:+.4f})" for m, gap in gaps.items() if abs(gap) > SAME_AUC]
    text = f"Within {SAME_AUC} of the public AUC: {', '.join(within) or 'none'}."
    return [text + (f" Further off: {', '.join(beyond)}." if beyond else "")]


def trials(summary: Summary) -> Table:
    """Returns the table of each model's trials."""
    rows = []
    for model, found in summary["trials"].items():
        varied = {flag for flag, values in summary["spaces"][model].items() if len(values) > 1}
        for trial in found:
            setting = [f"{flag} {v}" for flag, v in trial["setting"].items() if flag in varied]
            scores = [f"{trial['validation'][metric]:.4f}" for metric in ("auc", "logloss")]
            rows.append([TITLES[model], ", ".join(setting), *scores, str(trial["epochs"])])
    header = ["model", "setting", "validation AUC", "validation logloss", "epochs"]
    fold = "All trials, the chosen one of each model first"
    return Table(header, rows, fold, numeric=False)


def frappe_negatives(summary: Summary) -> Section:
    """Returns the section on what the train negatives change."""
    header = ["train negatives", "model", "test AUC", "test logloss"]
    rows = [
        [row["negatives"], TITLES[row["model"]], spread(row["auc"]), spread(row["logloss"])]
        for row in summary["rows"]
    ]
    distances = "; ".join(f"{name}: {value:.3f}" for name, value in summary["distances"].items())
    return Section(
        "Frappe: what the draw of the train negatives changes",
        [
            "The settings of Table 3, trained with other train negatives: their apps are drawn "
            "again, uniformly over the apps that the user never used, or by popularity. Seeds "
            f"{', '.join(map(str, summary['seeds']))}. The given data are {data_of(summary)}.",
            Table(header, rows),
            "Distance (total variation) of the negatives' apps from those of the original "
            f"validation negatives: {distances}. "
            + written(summary, "python -m experiments.paper.frappe_negatives"),
        ],
    )
