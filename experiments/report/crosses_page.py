"""What the page says of the crosses that a model suggests: how much of the gap they close."""

from typing import Any

from experiments.common.published import PAIRS_ROW
from experiments.common.results import read_results
from experiments.report.cells import TEST_SCORES, Summary, table

TITLES = {
    "lr": "LR",
    "interhat": "InterHAt",
    PAIRS_ROW: "InterHAt with values of pairs",
    "lightgbm": "LightGBM",
}
PLAIN = "none"


def read_crosses() -> list[Summary]:
    """Returns the summaries of `experiments.faithfulness.crosses`, one for each data set.

    Each has `files`, those of its models, and their `rows`, with their `model` and `variant`.
    """
    of_sets: dict[str, Summary] = {}
    for name, summary in read_results("crosses/*/*.json").items():
        dataset, model = name.split("/")
        rows = [
            {"model": model, "variant": variant, **row} for variant, row in summary["rows"].items()
        ]
        joined = of_sets.setdefault(
            dataset, {**summary, "dataset": dataset, "rows": [], "files": []}
        )
        joined["rows"] += rows
        joined["files"].append(summary)
    return list(of_sets.values())


def crosses(summary: Summary) -> Summary:
    """Returns the tables of `experiments.faithfulness.crosses`."""
    suggested = {
        "cross": lambda row: " x ".join(row["fields"]),
        "mean effect of the pair": "{strength:.2f}",
        "ids": "{vocabulary_size:,}",
        "training rows with an id": "{coverage:.0%}",
    }
    plain = {row["model"]: row for row in summary["rows"] if row["variant"] == PLAIN}
    columns: dict[str, Any] = {
        "model": lambda row: TITLES[row["model"]],
        "crosses": "{variant}",
        "parameters": "{parameters:,}",
        **TEST_SCORES,
    }
    has_gap = {"lr", "interhat"} <= set(plain)
    if has_gap:
        for title, metric in (("of the gap in AUC", "auc"), ("in logloss", "logloss")):
            columns[title] = lambda row, metric=metric: f"{closed(row, plain, metric):.0%}"
    return {
        "suggestions": table(suggested, summary["suggested"]),
        "scores": table(columns, summary["rows"]),
        "seeds": summary["rows"][0]["seeds"],
        "has_gap": has_gap,
    }


def closed(row: Summary, plain: dict[str, Summary], metric: str) -> float:
    """Returns how far a row is on the way from plain LR to plain InterHAt."""
    start, end = (plain[model]["test"][metric]["mean"] for model in ("lr", "interhat"))
    return 1 - (end - row["test"][metric]["mean"]) / (end - start)
