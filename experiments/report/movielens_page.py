"""What the page says of MovieLens: Figures 5 to 7, and InterHAt beside two baselines."""

import types

from experiments.common.published import TITLES
from experiments.report.blocks import Picture, picture
from experiments.report.cells import TEST_SCORES, Summary, lead_of, named, table
from interhat_tf.explanation.heatmap import attention_heatmap
from interhat_tf.training.settings import TrainingSettings

COMMAND = "make reproduce-movielens MOVIELENS=<folder>"
# Of a genre's name in the pictures.
LETTERS = 3
ORDINALS = {1: "first", 2: "second", 3: "third"}


def movielens(summary: Summary) -> Summary:
    """Returns the table of InterHAt and the baselines, and the pictures of Figures 5 to 7."""
    columns = {
        "model": lambda row: TITLES[row["name"]],
        **TEST_SCORES,
        "InterHAt's lead in AUC": lead_of(summary),
        "parameters": "{parameters:,}",
        "epochs": lambda row: ", ".join(str(run["epochs"]) for run in row["runs"]),
    }
    training, cases = summary["models"]["interhat"]["training"], summary["cases"]
    return {
        "training": training,
        "command": COMMAND + epochs_given(training),
        "scores": table(columns, named(summary["models"])),
        "shares": shares(summary),
        "figures": [of_case(name, case) for name, case in cases.items()],
    }


def shares(counted: Summary) -> str:
    """Returns the shares of ratings in which each order has the most weight."""
    return ", ".join(f"{share:.0%}" for share in counted["dominated"])


def of_case(name: str, case: Summary) -> Summary:
    """Returns one of the paper's figures with its two pictures."""
    number, order, any_movie = name[-1], ORDINALS[case["order"]], case["any_movie"]
    title = f"The most weight on the {order} order: {any_movie['values']['movie']}"
    return {
        **case,
        "number": number,
        "order": order,
        "shares": shares(case),
        "of_movie": heatmap(case["record"], f"Figure {number}: {case['movie']}", name),
        "of_any_movie": heatmap(any_movie, title, f"{name}_any_movie"),
    }


def heatmap(record: Summary, title: str, name: str) -> Picture:
    """Returns the picture of a record, in the layout of the paper's."""
    # A genre's value is its name, or that it is not; the raw row says so. As in the paper its name
    # is short. Of the user, whose values are not shown, the names stand as they are.
    fields, values = record["field_names"], record["values"]
    genres = {field for field in fields if values[field] == f"not {field}"} | {*record["genres"]}
    names = [field[:LETTERS] if field in genres else field for field in fields]
    weights = {kind: record[kind] for kind in ("field_weights", "order_weights")}
    figure = attention_heatmap(
        types.SimpleNamespace(field_names=names, **weights),
        title=title,
        values=["" if f in genres or values[f] == f else values[f] for f in fields],
        marks=[field in record["genres"] for field in fields],
        marks_label="raw",
        effects=record.get("effects"),
    )
    return picture(figure, name, f"Heat map of {title}")


def epochs_given(training: Summary) -> str:
    """Returns what a `make` command says of the epochs of a training that was cut short."""
    epochs = training["max_epochs"]
    return f" EPOCHS={epochs}" if epochs < TrainingSettings.max_epochs else ""
