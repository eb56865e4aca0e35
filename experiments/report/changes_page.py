"""What the page says of a form and one change at a time, on validation."""

from experiments.common.markdown import spread
from experiments.report.cells import Cell, Summary, attention_worth, named, table


def changes(summary: Summary) -> Summary:
    """Returns the tables of `experiments.common.changes`' summaries."""
    rows = named(summary["changes"])
    columns = {
        "change": "{name}",
        "AUC": lambda row: spread(row["validation"]["auc"]),
        "logloss": lambda row: spread(row["validation"]["logloss"]),
        "attention's worth, AUC": attention_worth,
        "seeds": lambda row: ", ".join(str(run["seed"]) for run in row["runs"]),
    }
    if way := way_of(summary):
        columns["way from LR to the best possible"] = way
    if "units" in rows[0]["runs"][0]:  # of `experiments.robustness.seeds`
        columns |= {
            "AUC of each": lambda row: ", ".join(
                f"{run['validation']['auc']:.4f}" for run in row["runs"]
            ),
            "dead units of each": lambda row: ", ".join(
                f"{run['dead_units']} of {run['units']}" for run in row["runs"]
            ),
        }
    return {"rows": table(columns, rows)}


def way_of(summary: Summary) -> Cell | None:
    """Returns the cells of how far a row's AUC is from the best LR's to the best possible one."""
    lr = [row for row in summary["changes"].values() if row["flags"].get("model") == "lr"]
    if "best" not in summary or not lr:
        return None

    def auc_of(row):
        return row["validation"]["auc"]["mean"]

    first, best = max(map(auc_of, lr)), summary["best"]["validation"]["auc"]
    return lambda row: f"{(auc_of(row) - first) / (best - first):.1%}"
