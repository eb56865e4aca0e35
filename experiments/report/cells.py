"""What all pages say of a summary alike: a table of its rows, its data, when it was written."""

from collections.abc import Callable, Iterable
from typing import Any

from experiments.common.markdown import interval, spread
from experiments.common.statistics import mean_and_std
from experiments.report.blocks import Table

Summary = dict[str, Any]
Cell = str | Callable[[Summary], str]

# The libraries that a page names beside the date of a result, where the result names them.
LIBRARIES = {
    "tensorflow": "TensorFlow",
    "keras": "Keras",
    "jax": "JAX",
    "onnxruntime": "ONNX Runtime",
}


def table(columns: dict[str, Cell], rows: Iterable[Summary], **options: Any) -> Table:
    """Returns a table with a line for each row of a summary.

    Args:
        columns: Dictionary from a column's title to its cells: a format of the row's values, or
            a function of the row.
        rows: The rows.
        **options: Further arguments of `Table`.

    Example:

    >>> table({"model": "{name}", "AUC": "{test[auc]:.3f}"}, [{"name": "FM", "test": {"auc": 1}}])
    Table(header=['model', 'AUC'], rows=[['FM', '1.000']], fold=None, numeric=True)
    """
    cells = [
        [cell.format(**row) if isinstance(cell, str) else cell(row) for cell in columns.values()]
        for row in rows
    ]
    return Table(list(columns), cells, **options)


def named(rows: dict[str, Summary]) -> list[Summary]:
    """Returns rows that a summary keeps by name, each with its `name`."""
    return [{"name": name, **row} for name, row in rows.items()]


def no_table(summary: Summary) -> Summary:
    """Returns nothing: the page's text has all that a summary says."""
    return {}


# Two columns of most tables.
TEST_SCORES = {
    "test AUC": lambda row: spread(row["test"]["auc"]),
    "test logloss": lambda row: spread(row["test"]["logloss"]),
}


def lead_of(summary: Summary, metric: str = "auc") -> Callable[[Summary], str]:
    """Returns the cells of what InterHAt's test figures are above those of named rows."""
    return lambda row: interval(summary["differences"].get(row["name"], {}).get(metric))


def title_of(name: str) -> str:
    """Returns what a data set, or a figure, is called."""
    titles = {
        "frappe_unseen_pairs": "Frappe, pairs that training does not know",
        "movielens_ctr": "MovieLens",
        "movielens_ctr_history": "MovieLens, with the movies that a user liked before",
        "movielens_ctr_no_history": "MovieLens, the same ratings without what came before",
    }
    name, _, rows = name.partition("_generated_")
    generated = f", generated, {int(rows):,} rows" if rows else ""
    return f"{titles.get(name, name.replace('_', ' ').capitalize())}{generated}"


def way_of(summary: Summary, split: str, first: float) -> Cell:
    """Returns the cells of how far a row's AUC on a split is from a first to the best possible."""
    best = summary["best"][split]["auc"]
    return lambda row: f"{(row[split]['auc']['mean'] - first) / (best - first):.1%}"


def data_of(summary: Summary) -> str:
    """Returns what a summary was measured on: the data set, epochs, what is to be known of it.

    Example:

    >>> data_of({"data": {"set": "frappe/nfm/1.0.0", "epochs": 4, "note": "own negatives"}})
    '`frappe/nfm/1.0.0`, 4 epochs, own negatives'
    """
    note = summary["data"].get("note")
    return f"{set_of(summary)}{f', {note}' if note else ''}"


def set_of(summary: Summary) -> str:
    """Returns the data set of a summary, and after how many epochs trainings were stopped."""
    epochs = summary["data"].get("epochs")
    stopped = f", {epochs} epoch{'s' if epochs > 1 else ''}" if epochs else ""
    return f"`{summary['data']['set']}`{stopped}"


def written(summary: Summary, command: str) -> str:
    """Returns the sentence that says when, by what and with what a summary was written."""
    used = summary["versions"]
    by = [f"{title} {used[name]}" for name, title in LIBRARIES.items() if name in used]
    by.append(summary.get("device") or used["machine"])
    return f"Written on {summary['date']} by `{command}`; {', '.join(by)}."


def all_written(summaries: Iterable[Summary], command: str) -> str:
    """Returns the sentence of `written` for several summaries, with their first and last day.

    Example:

    >>> first = {"date": "2026-11-24", "versions": {"machine": "2 cores"}}
    >>> all_written([first, {**first, "date": "2026-11-28"}], "make page")
    'Written on 2026-11-24 to 2026-11-28 by `make page`; 2 cores.'
    """
    *_, last = in_order = sorted(summaries, key=lambda summary: summary["date"])
    days = dict.fromkeys([in_order[0]["date"], last["date"]])
    return written({**last, "date": " to ".join(days)}, command)


def attention_worth(row: Summary) -> str:
    """Returns the mean and spread over the runs of the AUC that fixed weights lose."""
    found = [run["attention"]["auc_lost"] for run in row["runs"] if "attention" in run]
    return spread(mean_and_std(found)) if found else "–"
