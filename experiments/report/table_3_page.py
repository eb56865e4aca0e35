"""What the page says of Table 3, and on what Frappe's train negatives change of it."""

from experiments.common.markdown import pair, spread
from experiments.common.published import PUBLIC, TABLE_3, TITLES
from experiments.report.blocks import Table
from experiments.report.cells import TEST_SCORES, Summary, lead_of, named, table

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


def table_3(summary: Summary) -> Summary:
    """Returns the tables of the models and of their trials on a data set."""
    name = summary["data"]["set"].partition("/")[0]
    papers, public = TABLE_3.get(name, {}), PUBLIC["Frappe_x1"] if name == "frappe" else {}
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
    return {
        "title": name.capitalize(),
        "trials_each": len(next(iter(summary["trials"].values()))),
        "seeds": next(iter(summary["models"].values()))["seeds"],
        "scores": models,
        "gaps": against_public(summary, public),
        "all_trials": trials(summary),
    }


def against_public(summary: Summary, public: dict) -> str:
    """Returns which models are within `SAME_AUC` of their public figure, and which are not."""
    gaps = {
        model: summary["models"][model]["test"]["auc"]["mean"] - auc
        for model, (auc, _) in public.items()
        if model in summary["models"]
    }
    if not gaps:
        return ""
    within = [TITLES[model] for model, gap in gaps.items() if abs(gap) <= SAME_AUC]
    beyond = [f"{TITLES[m]} ({gap:+.4f})" for m, gap in gaps.items() if abs(gap) > SAME_AUC]
    text = f"Within {SAME_AUC} of the public AUC: {', '.join(within) or 'none'}."
    return text + (f" Further off: {', '.join(beyond)}." if beyond else "")


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


def frappe_negatives(summary: Summary) -> Summary:
    """Returns the table of what the train negatives change, and their distances."""
    columns = {
        "train negatives": "{negatives}",
        "model": lambda row: TITLES[row["model"]],
        "test AUC": lambda row: spread(row["auc"]),
        "test logloss": lambda row: spread(row["logloss"]),
    }
    distances = (f"{name}: {value:.3f}" for name, value in summary["distances"].items())
    return {
        "scores": table(columns, summary["rows"]),
        "listed_distances": "; ".join(distances),
    }
