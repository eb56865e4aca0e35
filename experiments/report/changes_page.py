"""What the page says of a form and one change at a time, on validation."""

from experiments.common.markdown import spread
from experiments.report.cells import Summary, attention_worth, named, table, way_of


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
    of_lr = [row for row in rows if row["flags"].get("model") == "lr"]
    if "best" in summary and of_lr:
        first = max(row["validation"]["auc"]["mean"] for row in of_lr)
        columns["way from LR to the best possible"] = way_of(summary, "validation", first)
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
