"""The page on the planted rules: Table 4 and Figures 8 to 10."""

import pathlib
import types
from collections.abc import Callable

from experiments.common.markdown import spread
from experiments.common.planted_rules import PLANTED_RULES, Rule, condition
from experiments.common.statistics import mean_and_std
from experiments.report.cells import Summary, table, written
from experiments.report.pages import Picture, Section, picture, write_pages
from interhat_tf.explanation.heatmap import attention_heatmap

TITLE = "Synthetic rules: Table 4, Figures 8 to 10"
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
        "test AUC": lambda row: spread(mean_and_std([run["test"]["auc"] for run in row["runs"]])),
        "best possible": "{rule.best_auc:.4f}",
    }
    first = summary["runs"][0]
    training, seed = first["config"]["training"], first["seed"]
    seconds = sum(run["seconds"] for run in summary["runs"] if run["seed"] == seed)
    about = (
        f"InterHAt, `{first['config']['preset']}`, batches of {training['batch_size']}, learning "
        f"rate {training['learning_rate']}; training on all rules took {seconds:.0f} s for one "
        f"seed. Means ± standard deviations over seeds. {written(summary, 'make reproduce')}"
    )
    blocks = [about, table(columns, rows), LEGEND, CAVEAT]
    pictures = [drawn(row["rule"], row["runs"][0]) for row in rows]
    sections = [
        Section("Are the planted fields found?", blocks),
        Section(f"Heat maps of seed {seed}", pictures),
    ]
    write_pages(folder, TITLE, sections)


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
    figure = attention_heatmap(attention, title=title, highlight=fields_of(rule))
    return picture(figure, rule.figure, rule.title)
