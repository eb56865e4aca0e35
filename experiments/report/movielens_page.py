"""The page's part on MovieLens: Figures 5 to 7, and InterHAt beside two baselines."""

import types

import numpy as np

from experiments.common.markdown import interval, spread
from experiments.common.published import TITLES
from experiments.report.pages import NOT, NOT_RUN, PARTLY, REPRODUCED, Section, Table, picture
from interhat_tf.explanation.heatmap import attention_heatmap
from interhat_tf.training.loop import TrainingSettings

COMMAND = "`make reproduce-movielens MOVIELENS=<folder>`"
# What Section 4.2.1 of the paper reads in the pictures: the fields in the row of the order.
PAPER_SETS = {
    "figure_5": ("movie", "Sci-Fi"),
    "figure_6": ("Crime", "Romance"),
    "figure_7": ("year", "Animation", "Children's"),
}
UNLIMITED = TrainingSettings.max_epochs
ORDINALS = {1: "first", 2: "second", 3: "third"}


def glance_of_movielens(summary):
    """Returns what became of Figures 5 to 7."""
    if summary is None:
        return [["Figures 5 to 7, MovieLens", NOT_RUN, COMMAND]]
    rows = []
    for figure, case in summary["cases"].items():
        dominates, same = is_dominated(case), set(set_of(case)) == set(PAPER_SETS[figure])
        status = REPRODUCED if dominates and same else PARTLY if dominates or same else NOT
        why = (
            f"the {ORDINALS[case['order']]} order {'dominates' if dominates else 'dominates not'} "
            f"in the record with the most weight on it; its fields are "
            f"{', '.join(set_of(case)) or 'none'}; the paper's: {', '.join(PAPER_SETS[figure])}"
        )
        rows.append([f"Figure {figure[-1]}, {case['movie']}", status, why])
    return rows


def is_dominated(case):
    """Returns whether the case's order has the largest weight in its record."""
    return int(np.argmax(case["record"]["order_weights"])) + 1 == case["order"]


def set_of(case):
    """Returns the interaction set of the case's order."""
    return case["record"]["interaction_sets"][case["order"] - 1]


def movielens(summary):
    """Returns the sections on MovieLens."""
    if summary is None:
        return []
    # One scale for all pictures, so that they can be compared.
    shown = [case[kind] for case in summary["cases"].values() for kind in ("record", "any_movie")]
    highest = max(np.max(record["field_weights"]) for record in shown)
    vmax = min(1.0, float(np.ceil(highest * 10) / 10))
    blocks = []
    for figure, case in summary["cases"].items():
        number, order = figure[-1], ORDINALS[case["order"]]
        shares = ", ".join(f"{share:.0%}" for share in case["dominated"])
        blocks += [
            f"**Figure {number}.** {case['movie']}: of its {case['ratings']:,} ratings in the test "
            f"split, the one with the most weight on the {order} order. (First, second, … order "
            f"dominate in {shares} of them.) *{case['record']['sentence']}.*",
            heatmap(case["record"], f"Figure {number}: {case['movie']}", figure, vmax),
            f"Of all ratings, the one with the most weight on the {order} order: "
            f"*{case['any_movie']['sentence']}.*",
            heatmap(
                case["any_movie"],
                f"The most weight on the {order} order: {case['any_movie']['values']['movie']}",
                f"{figure}_any_movie",
                vmax,
            ),
        ]
    shares = ", ".join(f"{share:.0%}" for share in summary["dominated"])
    about = (
        f"InterHAt, `{summary['preset']}`, seed {summary['models']['interhat']['seeds'][0]}. Each "
        "picture is one rating of the test split; the row *raw* is black where the movie has the "
        "genre. All are on one scale. Over all "
        f"{summary['ratings']:,} ratings of the test split the first, second, … order dominate in "
        f"{shares}. The paper does not say how its records were chosen among those of a movie, nor "
        "from which split."
    )
    return [
        table(summary),
        Section("Figures 5 to 7: MovieLens, three ratings", [about, *blocks]),
    ]


def heatmap(record, title, name, vmax):
    """Returns the picture of a record, in the layout of the paper's."""
    names = record["field_names"]
    attention = types.SimpleNamespace(
        field_names=names,
        field_weights=record["field_weights"],
        order_weights=record["order_weights"],
    )
    # A genre's value is its name, or that it is not; the raw row says so.
    values = ["" if v.removeprefix("not ") == n else v for n, v in record["values"].items()]
    figure = attention_heatmap(
        attention,
        title=title,
        values=values,
        marks=[name in record["genres"] for name in names],
        marks_label="raw",
        vmax=vmax,
    )
    return picture(figure, name, f"Heat map of {title}: {record['sentence']}")


def table(summary):
    """Returns the section of InterHAt's and the baselines' figures."""
    rows = [
        [
            TITLES[name],
            spread(row["test"]["auc"]),
            spread(row["test"]["logloss"]),
            interval(summary["differences"].get(name, {}).get("auc")),
            f"{row['parameters']:,}",
            ", ".join(f"{run['epochs']}" for run in row["runs"]),
        ]
        for name, row in summary["models"].items()
    ]
    header = ["model", "test AUC", "test logloss", "InterHAt's lead in AUC", "parameters", "epochs"]
    first = summary["models"]["interhat"]
    epochs = first["training"]["max_epochs"]
    command = f"{COMMAND[:-1]} EPOCHS={epochs}`" if epochs < UNLIMITED else COMMAND
    about = (
        f"Data: `{summary['data']['set']}`. {len(first['seeds'])} seeds, no search: InterHAt has "
        f"the sizes that the paper has for Frappe, the baselines their defaults; all are trained "
        f"with batches of {first['training']['batch_size']:,} and learning rate "
        f"{first['training']['learning_rate']:g}, for {epochs} epochs at the most. Written on "
        f"{summary['date']} by {command}; {summary['versions']['machine']}."
    )
    caveat = (
        "What these figures are worth: a negative is a user and a movie drawn uniformly from those "
        "that occur in the ratings, so that how often a movie and a user occur tells most of the "
        "label, whatever the taste. That is the paper's protocol; the paper gives no figures here."
    )
    return Section("MovieLens: test AUC and logloss", [about, Table(header, rows), caveat])
