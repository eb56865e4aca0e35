"""The page on Criteo or Avazu: Table 1, InterHAt's row of Table 3, and its mean attention."""

import pathlib

from experiments.common.markdown import spread
from experiments.common.published import CONTENDERS, sample_note
from experiments.common.table_3_files import read_table_3
from experiments.report.blocks import Picture, Table, write_pages
from experiments.report.cells import Summary, table
from experiments.report.movielens_page import epochs_given
from experiments.report.table_1_page import counts_table
from experiments.report.templates import fill


def write_criteo_avazu_page(folder: pathlib.Path, summary: Summary) -> None:
    """Writes the page of a summary of `experiments.paper.criteo_avazu`, beside its heat map."""
    name, truth = summary["config"]["dataset"], summary.get("truth")
    training = summary["config"]["training"]
    given = f"ROWS={truth['rows']}" if truth else f"{name.upper()}={summary['log']}"
    heatmap = (folder / "attention.png").read_bytes()
    compared = compared_models(f"{name}_generated_{truth['rows']}" if truth else name, summary)
    page = fill(
        "criteo_avazu.md",
        name=name.capitalize(),
        title=f"{name.capitalize()}, generated" if truth else name.capitalize(),
        summary=summary,
        truth=truth,
        log=None if truth else summary["log"],
        command=f"make reproduce-{name} {given}{epochs_given(training)}",
        arguments=summary["config"]["arguments"],
        training=training,
        table_1=counts_table({name: summary["data"]["statistics"]}),
        sample="" if truth else sample_note(name, summary["data"]["statistics"]),
        scores=scores(name, summary, truth),
        compared=compared,
        alone=not compared,
        ranks=ranks(truth) if truth else None,
        attention=Picture("attention", "Mean attention over validation", heatmap),
        order_weights=", ".join(f"{weight:.2f}" for weight in summary["order_weights"]),
    )
    write_pages(folder, page)


def compared_models(name: str, summary: Summary) -> str:
    """Returns the models that Table 3's experiment has trained on the same log, if it has."""
    found = read_table_3(name)
    if not found or found["data"]["statistics"] != summary["data"]["statistics"]:
        return ""
    return ", ".join(CONTENDERS[model] for model in found["models"])


def scores(name: str, summary: Summary, truth: Summary | None) -> Table:
    """Returns AUC and logloss beside the paper's, or beside the best possible ones."""
    beside, known = beside_test(summary, truth)

    def cell(value):
        return spread(value) if len(summary["seeds"]) > 1 else f"{value['mean']:.4f}"

    columns = {
        "": "{title}",
        "test": lambda row: cell(summary["test"][row["metric"]]),
        beside: lambda row: f"{known[row['metric']]:.4f}",
        "validation": lambda row: cell(summary["validation"][row["metric"]]),
    }
    metrics = {"auc": "AUC", "logloss": "logloss"}
    return table(columns, [{"metric": m, "title": title} for m, title in metrics.items()])


def beside_test(summary: Summary, truth: Summary | None) -> tuple[str, dict[str, float]]:
    """Returns what test figures stand beside, and these figures by metric.

    An earlier summary knows the best possible ones of the whole log alone.
    """
    if truth is None:
        return "paper's InterHAt", summary["paper"]
    if "best" in summary:
        return "best possible", summary["best"]["test"]
    return "best possible, of all rows", truth["best"]


def ranks(truth: Summary) -> Table:
    """Returns the ranks of the planted fields in the attention."""
    columns = {
        "order": lambda term: str(len(term["fields"])),
        "planted fields": lambda term: ", ".join(term["fields"]),
        "AUC of the term alone": "{auc:.4f}",
        "ranks": lambda term: ", ".join(map(str, term["ranks"])),
        "in any order": lambda term: ", ".join(map(str, term["ranks_in_any_order"])),
    }
    return table(columns, truth["planted"])
