"""The page on Criteo or Avazu: Table 1, InterHAt's row of Table 3, and its mean attention."""

import pathlib

from experiments.common.markdown import spread
from experiments.common.published import TABLE_1
from experiments.report.cells import Summary, data_of, table, written
from experiments.report.movielens_page import epochs_given
from experiments.report.pages import Block, Picture, Section, Table, write_pages

RANKS = (
    "Ranks of the planted fields among all by mean weight; 1 is the highest. First the rows of "
    "the orders combined by alpha_f, then by the highest weight in any order's row."
)


def write_criteo_avazu_page(folder: pathlib.Path, summary: Summary) -> None:
    """Writes the page of a summary of `experiments.paper.criteo_avazu`, beside its heat map."""
    name, truth = summary["config"]["dataset"], summary.get("truth")
    given = f"ROWS={truth['rows']}" if truth else f"{name.upper()}={summary['log']}"
    command = f"make reproduce-{name} {given}{epochs_given(summary['config']['training'])}"
    seeds = ", ".join(map(str, summary["seeds"]))
    about = f"{written(summary, command)} Seeds: {seeds}."
    order_weights = ", ".join(f"{weight:.2f}" for weight in summary["order_weights"])
    heatmap = (folder / "attention.png").read_bytes()
    attention = [
        *(ranks(truth) if truth else []),
        Picture("attention", "Mean attention over validation", heatmap),
        f"Mean over validation, seed {summary['seeds'][0]}. The orders' weights alpha_f, from the "
        f"first order on: {order_weights}.",
    ]
    sections = [
        Section("Data", [origin(name, truth), about]),
        Section("Table 1", [table_1(name, summary["data"]["statistics"])]),
        Section("Table 3", [scores(name, summary, truth), settings(summary)]),
        Section("Attention", attention),
    ]
    title = f"{name.capitalize()}, generated" if truth else name.capitalize()
    write_pages(folder, title, sections)


def origin(name: str, truth: Summary | None) -> str:
    """Returns where the log comes from."""
    if truth is None:
        return "REPRODUCTION.md says where the protocol differs from the paper's, and why."
    return (
        f"The log is generated (`experiments/generate_click_log.py`): {truth['rows']:,} rows in "
        f"{name.capitalize()}'s format, of which the protocol takes the first 30%. It says nothing "
        f"about {name.capitalize()} itself."
    )


def table_1(name: str, found: Summary) -> Table:
    """Returns Table 1 of the paper beside a data set's statistics."""
    paper, splits = TABLE_1[name], found["splits"].values()
    fields = f"{found['categorical_fields']} + {found['numerical_fields']}"
    sizes = " / ".join(f"{split['rows']:,}" for split in splits)
    click_rate = sum(split["positives"] for split in splits) / found["records"]
    rows = [
        ["fields (categorical + numerical)", paper["fields"], fields],
        ["records", paper["records"], f"{found['records']:,}"],
        ["distinct features", paper["features"], f"{found['distinct_features']:,}"],
        ["train / validation / test", "8:1:1", sizes],
        ["click rate", "–", f"{click_rate:.4f}"],
    ]
    return Table(["", "paper", "here"], rows)


def scores(name: str, summary: Summary, truth: Summary | None) -> Table:
    """Returns AUC and logloss beside the paper's, or beside the best possible ones."""
    known = truth["best"] if truth else summary["paper"]

    def cell(value):
        return spread(value) if len(summary["seeds"]) > 1 else f"{value['mean']:.4f}"

    columns = {
        "": "{title}",
        "test": lambda row: cell(summary["test"][row["metric"]]),
        "best possible" if truth else "paper's InterHAt": lambda row: f"{known[row['metric']]:.4f}",
        "validation": lambda row: cell(summary["validation"][row["metric"]]),
    }
    metrics = {"auc": "AUC", "logloss": "logloss"}
    return table(columns, [{"metric": m, "title": title} for m, title in metrics.items()])


def settings(summary: Summary) -> str:
    """Returns what was trained, and how."""
    arguments, training = summary["config"]["arguments"], summary["config"]["training"]
    return (
        f"InterHAt, preset `{summary['config']['preset']}`, on {data_of(summary)}: d "
        f"{arguments['embedding_dim']}, s {arguments['attention_size']}, {arguments['num_heads']} "
        f"heads; {summary['parameters']:,} parameters. Batches of {training['batch_size']}, "
        f"learning rate {training['learning_rate']}, epochs "
        f"{', '.join(map(str, summary['epochs']))}; {summary['rows_per_second']['mean']:,.0f} "
        "rows/s. Each run read the test split once."
    )


def ranks(truth: Summary) -> list[Block]:
    """Returns the ranks of the planted fields in the attention."""
    columns = {
        "order": lambda term: str(len(term["fields"])),
        "planted fields": lambda term: ", ".join(term["fields"]),
        "AUC of the term alone": "{auc:.4f}",
        "ranks": lambda term: ", ".join(map(str, term["ranks"])),
        "in any order": lambda term: ", ".join(map(str, term["ranks_in_any_order"])),
    }
    return [table(columns, truth["planted"]), RANKS]
