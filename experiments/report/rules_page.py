"""The page on the planted rules: Table 4 and Figures 8 to 10."""

import math
import pathlib
import types
from collections.abc import Callable

import numpy as np

from experiments.common.markdown import spread
from experiments.common.planted_rules import P1, PLANTED_RULES, Rule, condition
from experiments.common.statistics import mean_and_std
from experiments.report.blocks import Picture, Table, picture, write_pages
from experiments.report.cells import Summary, table
from experiments.report.templates import fill
from interhat_tf.explanation.heatmap import attention_heatmap

# Of a record that matches.
TRUE = math.log(P1 / (1 - P1))


def write_rules_page(folder: pathlib.Path, summary: Summary) -> None:
    """Writes the page of a summary of `experiments.paper.figures_8_to_10` into a folder."""
    rules = {name: rule for name, rule in PLANTED_RULES.items() if rule.figure}
    rows = [
        {"rule": rule, "runs": [run for run in summary["runs"] if run["rule"] == name]}
        for name, rule in rules.items()
    ]
    columns = {
        "rule": "{rule.title}",
        "planted": lambda row: ", ".join(fields_of(row["rule"])),
        "highest in the order's row": found("row"),
        "highest overall": found("combined"),
        "one is highest overall": found("highest"),
        "predicted where it matches": lambda row: spread(
            mean_and_std([run["probability"] for run in row["runs"]]), 2
        ),
        f"log-odds there (true {TRUE:.2f})": log_odds,
        "test AUC": lambda row: spread(mean_and_std([run["test"]["auc"] for run in row["runs"]])),
        "best possible": "{rule.best_auc:.4f}",
    }
    first = summary["runs"][0]
    of_first = [run["seconds"] for run in summary["runs"] if run["seed"] == first["seed"]]
    page = fill(
        "rules.md",
        summary=summary,
        config=first["config"],
        rare=PLANTED_RULES["rule_3"].training,
        seed=first["seed"],
        seconds=sum(of_first),
        found=table(columns, rows),
        each_seed=each_seed(summary["runs"]),
        pictures=[{"picture": drawn(row["rule"], row["runs"][0])} for row in rows],
    )
    write_pages(folder, page)


def log_odds(row: Summary) -> str:
    """Returns the mean log-odds of test records that match a rule; earlier runs have none."""
    known = [run["log_odds"] for run in row["runs"] if "log_odds" in run]
    return spread(mean_and_std(known), 2) if known else "–"


def each_seed(runs: list[Summary]) -> Table:
    """Returns what each run weighs most: seeds that agree with a figure, and those that do not."""

    def highest(run):
        number = len(PLANTED_RULES[run["rule"]].group)
        rows = [np.argsort(-np.array(row))[:number] + 1 for row in run["field_weights"]]
        return "; ".join(", ".join(f"f{field}" for field in row) for row in rows)

    columns = {
        "rule": lambda run: PLANTED_RULES[run["rule"]].title,
        "seed": "{seed}",
        "highest in each order's row": highest,
        "alpha_f": lambda run: ", ".join(f"{weight:.2f}" for weight in run["order_weights"]),
        "predicted where it matches": "{probability:.2f}",
    }
    return table(columns, runs, fold="Each seed", numeric=False)


def fields_of(rule: Rule) -> list[str]:
    """Returns the names of the planted fields."""
    return [f"f{i}" for i in rule.group]


def found(kind: str) -> Callable[[Summary], str]:
    """Returns the cells that say in how many runs the planted fields were found."""
    return lambda row: f"{sum(r['found'][kind] for r in row['runs'])} of {len(row['runs'])}"


def drawn(rule: Rule, run: Summary) -> Picture:
    """Returns a run's mean attention over the records that match its rule."""
    attention = types.SimpleNamespace(
        field_names=[f"f{i + 1}" for i in range(len(run["field_weights"][0]))],
        field_weights=run["field_weights"],
        order_weights=run["order_weights"],
    )
    title = f"{rule.title}: mean over the {run['records']:,} records with {condition(rule)}"
    effects = run.get("effects")  # rows of earlier code have none
    figure = attention_heatmap(attention, title=title, highlight=fields_of(rule), effects=effects)
    return picture(figure, rule.figure, rule.title)
