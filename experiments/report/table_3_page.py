"""The page's part on Table 3, and on what Frappe's train negatives change of it."""

from experiments.common.markdown import pair, spread
from experiments.common.published import BARS_FRAPPE, TABLE_3, TITLES
from experiments.report.cells import TEST_SCORES, Summary, data_of, lead_of, named, table, written
from experiments.report.pages import Section, Table

ROW_TITLES = {
    **TITLES,
    "interhat": "**InterHAt**",
    "paper": "InterHAt, `paper`",
    "released": "InterHAt, `released`",
}
# Rows that stand beside the paper's InterHAt.
AS_INTERHAT = {"paper": "interhat", "released": "interhat"}
# What counts as the same AUC as a published one.
SAME_AUC = 0.003
LEGEND = (
    "*Paper's* and *public* are AUC / logloss in the paper's Table 3 and in the public benchmark "
    "BARS (one seed, the best of its runs, original train negatives). *InterHAt's lead* is its AUC "
    "minus the model's, paired by seed, with a 95% Student interval. *s an epoch* are the seconds "
    "of an epoch while two runs share the machine; Figure 2 compares speed."
)


def table_3(summary: Summary) -> Section:
    """Returns the section of Table 3 on a data set."""
    name = summary["data"]["set"].partition("/")[0]
    papers, public = TABLE_3.get(name, {}), BARS_FRAPPE if name == "frappe" else {}
    columns = {
        "model": lambda row: ROW_TITLES[row["name"]],
        **TEST_SCORES,
        "paper's": lambda row: pair(papers.get(AS_INTERHAT.get(row["name"], row["name"]))),
        "public": lambda row: pair(public.get(row["name"])),
        "InterHAt's lead in AUC": lead_of(summary),
        "parameters": "{parameters:,}",
        "s an epoch": "{seconds_per_epoch[mean]:.1f}",
    }
    rows = named(summary["models"])
    rows.sort(key=lambda row: row["test"]["auc"]["mean"], reverse=True)
    models = table(columns, rows)
    if found := summary.get("memorisation"):
        title = "memorisation baseline: was the pair positive in training?"
        last = [title, f"{found['auc']:.4f}", f"{found['logloss']:.4f}", *["–"] * 5]
        models.rows.append(last)
    gaps = against_public(summary, public)
    return Section(
        f"Table 3: {name.capitalize()}",
        [protocol(summary), models, LEGEND, *gaps, trials(summary)],
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

    def setting(row):
        space = summary["spaces"][row["model"]]
        return ", ".join(
            f"{flag} {v}" for flag, v in row["setting"].items() if len(space[flag]) > 1
        )

    columns = {
        "model": lambda row: TITLES[row["model"]],
        "setting": setting,
        "validation AUC": "{validation[auc]:.4f}",
        "validation logloss": "{validation[logloss]:.4f}",
        "epochs": "{epochs}",
    }
    rows = [
        {"model": model, **trial} for model, found in summary["trials"].items() for trial in found
    ]
    fold = "All trials, the chosen one of each model first"
    return table(columns, rows, fold=fold, numeric=False)


def frappe_negatives(summary: Summary) -> Section:
    """Returns the section on what the train negatives change."""
    columns = {
        "train negatives": "{negatives}",
        "model": lambda row: TITLES[row["model"]],
        "test AUC": lambda row: spread(row["auc"]),
        "test logloss": lambda row: spread(row["logloss"]),
    }
    about = (
        "The settings of Table 3, trained with other train negatives: their apps are drawn again, "
        "uniformly over the apps that the user never used, or by popularity. Seeds "
        f"{', '.join(map(str, summary['seeds']))}. The given data are {data_of(summary)}."
    )
    distances = "; ".join(f"{name}: {value:.3f}" for name, value in summary["distances"].items())
    below = (
        "Distance (total variation) of the negatives' apps from those of the original validation "
        f"negatives: {distances}. "
        f"{written(summary, 'python -m experiments.paper.frappe_negatives')}"
    )
    title = "Frappe: what the draw of the train negatives changes"
    return Section(title, [about, table(columns, summary["rows"]), below])
