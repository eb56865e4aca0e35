"""The page's part on MovieLens: Figures 5 to 7, and InterHAt beside two baselines."""

import types

import numpy as np

from experiments.common.published import TITLES
from experiments.report.cells import TEST_SCORES, Summary, data_of, lead_of, named, table, written
from experiments.report.pages import Block, Picture, Section, picture
from interhat_tf.explanation.heatmap import attention_heatmap
from interhat_tf.training.settings import TrainingSettings

COMMAND = "make reproduce-movielens MOVIELENS=<folder>"
ORDINALS = {1: "first", 2: "second", 3: "third"}
CAVEAT = (
    "What these figures are worth: a negative is a user and a movie drawn uniformly from those "
    "that occur in the ratings. How often a movie and a user occur therefore tells most of the "
    "label, whatever the taste. This is the paper's protocol; the paper gives no figures for it."
)


def movielens_scores(summary: Summary) -> Section:
    """Returns the section of InterHAt's and the baselines' AUC and logloss."""
    columns = {
        "model": lambda row: TITLES[row["name"]],
        **TEST_SCORES,
        "InterHAt's lead in AUC": lead_of(summary),
        "parameters": "{parameters:,}",
        "epochs": lambda row: ", ".join(str(run["epochs"]) for run in row["runs"]),
    }
    first = summary["models"]["interhat"]
    training = first["training"]
    about = (
        f"Data: {data_of(summary)}. {len(first['seeds'])} seeds, no search: InterHAt has the sizes "
        "that the paper has for Frappe, the baselines have their defaults. All are trained with "
        f"batches of {training['batch_size']:,} and learning rate {training['learning_rate']:g}, "
        f"for at most {training['max_epochs']} epochs. "
        f"{written(summary, COMMAND + epochs_given(training))}"
    )
    scores = table(columns, named(summary["models"]))
    return Section("MovieLens: test AUC and logloss", [about, scores, CAVEAT])


def three_ratings(summary: Summary) -> Section:
    """Returns the section of Figures 5 to 7."""
    cases = summary["cases"]
    # One scale for all pictures, so that they can be compared.
    shown = [case[kind] for case in cases.values() for kind in ("record", "any_movie")]
    highest = max(np.max(record["field_weights"]) for record in shown)
    vmax = min(1.0, float(np.ceil(highest * 10) / 10))
    about = (
        f"InterHAt, `{summary['preset']}`, seed {summary['models']['interhat']['seeds'][0]}. Each "
        "picture is one rating of the test split; the row *raw* is black where the movie has the "
        f"genre. All pictures have one scale. Over all {summary['ratings']:,} ratings of the test "
        f"split the first, second, … order has the most weight in {shares(summary)}. The paper "
        "does not say how its records were chosen among those of a movie, nor from which split."
    )
    pictures = [block for name, case in cases.items() for block in of_case(name, case, vmax)]
    return Section("Figures 5 to 7: MovieLens, three ratings", [about, *pictures])


def shares(counted: Summary) -> str:
    """Returns the shares of ratings in which each order has the most weight."""
    return ", ".join(f"{share:.0%}" for share in counted["dominated"])


def of_case(name: str, case: Summary, vmax: float) -> list[Block]:
    """Returns the text and the two pictures of one of the paper's figures."""
    number, order = name[-1], ORDINALS[case["order"]]
    any_movie = case["any_movie"]
    title = f"The most weight on the {order} order: {any_movie['values']['movie']}"
    return [
        f"**Figure {number}.** {case['movie']}: of its {case['ratings']:,} ratings in the test "
        f"split, the one with the most weight on the {order} order. (The first, second, … order "
        f"has the most weight in {shares(case)} of them.) *{case['record']['sentence']}.*",
        heatmap(case["record"], f"Figure {number}: {case['movie']}", name, vmax),
        f"Of all ratings, the one with the most weight on the {order} order: "
        f"*{any_movie['sentence']}.*",
        heatmap(any_movie, title, f"{name}_any_movie", vmax),
    ]


def heatmap(record: Summary, title: str, name: str, vmax: float) -> Picture:
    """Returns the picture of a record, in the layout of the paper's."""
    names = record["field_names"]
    weights = {kind: record[kind] for kind in ("field_names", "field_weights", "order_weights")}
    # A genre's value is its name, or that it is not; the raw row says so.
    values = ["" if v.removeprefix("not ") == n else v for n, v in record["values"].items()]
    figure = attention_heatmap(
        types.SimpleNamespace(**weights),
        title=title,
        values=values,
        marks=[name in record["genres"] for name in names],
        marks_label="raw",
        vmax=vmax,
    )
    return picture(figure, name, f"Heat map of {title}: {record['sentence']}")


def epochs_given(training: Summary) -> str:
    """Returns what a `make` command says of the epochs of a training that was cut short."""
    epochs = training["max_epochs"]
    return f" EPOCHS={epochs}" if epochs < TrainingSettings.max_epochs else ""
