"""What the page says of a form and one change at a time, on validation."""

import math
from typing import Any

from experiments.common.markdown import spread
from experiments.report.cells import Summary, attention_worth, named, table, way_of

MARK = "†"
# What these are makes no difference where attention is not aligned, as in trials of `tuned`.
OF_ALIGNMENT = ("alignment_cost", "alignment_epochs", "alignment_labels", "effect_donors")


def changes(summary: Summary) -> Summary:
    """Returns the tables of `experiments.common.changes`' summaries."""
    rows = named(summary["changes"])
    others = [row["name"] for row in rows if of_another_form(row, rows)]
    columns = {
        "change": lambda row: row["name"] + (f" {MARK}" if row["name"] in others else ""),
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
    return {"rows": table(columns, rows), "marked": explained_mark(others)}


def of_another_form(row: Summary, rows: list[Summary]) -> bool:
    """Returns whether a row's settings differ from the form's own row by more than its change.

    Settings that only one of the two records has are not compared, nor are those of other models.
    """
    forms = [of for of in rows if not of["flags"] and "arguments" in of]
    if not forms or "arguments" not in row or "model" in row["flags"]:
        return False
    first, own = settings_of(forms[0]), settings_of(row)
    return any(
        not same(own[name], first[name])
        for name in own
        if name in first and name not in row["flags"]
    )


def settings_of(row: Summary) -> dict[str, Any]:
    """Returns all settings of a row's model and training that make a difference."""
    settings = {**row["arguments"], **row["training"]}
    if not settings.get("effect_weight"):
        settings = {name: v for name, v in settings.items() if name not in OF_ALIGNMENT}
    return settings


def same(one: Any, other: Any) -> bool:
    """Returns whether two settings are equal; numbers may be rounded otherwise."""
    if isinstance(one, float) and isinstance(other, float):
        return math.isclose(one, other, rel_tol=1e-9)
    return one == other


def explained_mark(marked: list[str]) -> str:
    """Returns the sentence below a table that says what its mark means, if it has any."""
    if not marked:
        return ""
    return (
        f"{MARK} By its recorded settings it differs from the first row by more than the change: "
        "one of the two is of an earlier form of the preset."
    )
