"""The page on the planted rules: Table 4 and Figures 8 to 10."""

import pathlib
import types
from typing import Any

from experiments.common.markdown import spread
from experiments.common.planted_rules import PLANTED_RULES, Rule, condition
from experiments.common.statistics import mean_and_std
from experiments.report.pages import Picture, Section, Table, picture, write_pages, written
from interhat_tf.explanation.heatmap import attention_heatmap

TITLE = "Synthetic rules: Table 4, Figures 8 to 10"
HEADER = [
    *("rule", "planted", "highest in the order's row", "highest overall", "one is highest overall"),
    *("predicted where it matches", "test AUC", "best possible"),
]
LEGEND = (
    "Each figure is about the records that match the rule, in all three splits. *Highest in the "
    "order's row*: the planted fields, and no others, have the highest mean weights in the row of "
    "the rule's own order, as the paper's figure shows it. *Highest overall*: the same with the "
    "rows weighted by alpha_f, as the model weighs them. Matching records click with probability "
    "0.90, all others with 0.20."
)
CAVEAT = (
    "What to know of the rules (REPRODUCTION.md, 11 to 13): under Rule 2, 1 record in 100 matches, "
    "and one member of the pair is enough to tell most of it once self-attention has mixed the "
    "fields. Under Rule 3 as printed, 1 record in 1,000 matches, and 80,000 records are too few to "
    "learn from. The denser Rule 3 can be learnt."
)


def write_rules_page(folder: pathlib.Path, summary: dict[str, Any]) -> None:
    """Writes the page.

    Args:
        folder: Where to.
        summary: The summary of `experiments.paper.figures_8_to_10`.
    """
    rules = {name: rule for name, rule in PLANTED_RULES.items() if rule.figure}
    of_rule = {name: [r for r in summary["runs"] if r["rule"] == name] for name in rules}
    first = summary["runs"][0]
    training, seed = first["config"]["training"], first["seed"]
    seconds = sum(run["seconds"] for run in summary["runs"] if run["seed"] == seed)
    about = (
        f"InterHAt, `{first['config']['preset']}`, batches of {training['batch_size']}, learning "
        f"rate {training['learning_rate']}; training on all rules took {seconds:.0f} s for one "
        f"seed. Means ± standard deviations over seeds. {written(summary, 'make reproduce')}"
    )
    rows = [cells_of(rule, of_rule[name]) for name, rule in rules.items()]
    pictures = [drawn(rule, of_rule[name][0]) for name, rule in rules.items()]
    sections = [
        Section("Are the planted fields found?", [about, Table(HEADER, rows), LEGEND, CAVEAT]),
        Section(f"Heat maps of seed {seed}", pictures),
    ]
    write_pages(folder, TITLE, sections)


def cells_of(rule: Rule, runs: list[dict[str, Any]]) -> list[str]:
    """Returns the row of a rule."""
    found = [
        f"{sum(run['found'][kind] for run in runs)} of {len(runs)}"
        for kind in ("row", "combined", "highest")
    ]
    return [
        rule.title,
        ", ".join(f"f{i}" for i in rule.group),
        *found,
        spread(mean_and_std([run["probability"] for run in runs]), 2),
        spread(mean_and_std([run["test"]["auc"] for run in runs])),
        f"{rule.best_auc:.4f}",
    ]


def drawn(rule: Rule, run: dict[str, Any]) -> Picture:
    """Returns a run's mean attention over the records that match its rule."""
    attention = types.SimpleNamespace(
        field_names=[f"f{i + 1}" for i in range(len(run["field_weights"][0]))],
        field_weights=run["field_weights"],
        order_weights=run["order_weights"],
    )
    title = f"{rule.title}: mean over the {run['records']:,} records with {condition(rule)}"
    highlight = [f"f{i}" for i in rule.group]
    return picture(
        attention_heatmap(attention, title=title, highlight=highlight), rule.figure, rule.title
    )
