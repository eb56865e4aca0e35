"""Figures 5 to 7: what InterHAt attends to where someone rated a movie; and its figures there.

    python -m experiments.paper.figures_5_to_7 --raw_dir=FOLDER

Trains InterHAt, `released`, and two baselines with five seeds on MovieLens,
explains the test split's ratings with the first seed's InterHAt, and picks two
records for each order: the rating of the paper's movie with the most weight on
the order in its alpha_f, and that of any movie. Writes
`figures_5_to_7/summary.json`, from which `make page` draws the pictures.
"""

from typing import Any

import keras
import numpy as np

from experiments.common.results import write_result
from experiments.common.running import run_program
from experiments.common.statistics import leads
from experiments.common.studies import open_data, runs_of, study_record, train_rows
from interhat_tf.calibration import probability
from interhat_tf.explanation.batches import explain_inputs
from interhat_tf.explanation.explanation import explain_records
from interhat_tf.explanation.selection import first_records
from interhat_tf.input_pipeline.dataset import PreparedDataset

Inputs = dict[str, np.ndarray]

# Training records whose values a field's own value is compared with, for its effect.
BACKGROUND = 32
PRESET = "released"
# Of the paper's pictures: the movie, and the order that has the most weight there.
CASES = {
    "figure_5": ("Terminator, The (1984)", 1),
    "figure_6": ("Professional, The (a.k.a. Leon: The Professional) (1994)", 2),
    "figure_7": ("Toy Story 2 (1999)", 3),
}
# The licence of MovieLens forbids passing on its records; results are public.
OF_THE_USER = ("user", "gender", "age", "occupation")
MODELS: dict[str, dict[str, str]] = {"interhat": {"preset": PRESET}, "fm": {}, "deepfm": {}}


def main(_):
    data = open_data()
    runs = {model: runs_of(model, **given) for model, given in MODELS.items()}
    rows = train_rows(runs)
    drawn = min(runs["interhat"], key=lambda run: run["seed"])  # the one that the page names
    model = keras.saving.load_model(f"{drawn['output_dir']}/model.keras")
    ratings = rated_records(data)
    explained = explain_inputs(model, ratings)
    order_weights = explained["order_weights"]  # (n, k)
    movie = ratings["categorical"][:, data.schema.field_names.index("movie")]
    cases = {}
    for figure, (title, order) in CASES.items():
        positions = np.flatnonzero(movie == data.id_of("movie", title))
        if not len(positions):
            raise ValueError(f"{data.name}: the test split has no rating of {title!r}")
        of_movie = most_weight(order_weights, order, positions)
        of_any = most_weight(order_weights, order, np.arange(len(movie)))
        cases[figure] = {
            "order": order,
            "movie": title,
            "ratings": len(positions),
            "dominated": shares_dominated(order_weights[positions]),
            "record": describe(model, data, ratings, of_movie),
            "any_movie": describe(model, data, ratings, of_any),
        }
    summary = {
        **study_record(data),
        "preset": PRESET,
        "models": rows,
        "differences": leads(rows, "interhat"),
        "ratings": len(movie),
        "probability": float(probability(explained["logits"]).mean()),
        "dominated": shares_dominated(order_weights),
        "cases": cases,
    }
    write_result("figures_5_to_7/summary.json", summary)


def rated_records(data: PreparedDataset) -> Inputs:
    """Returns the inputs of the test split's ratings, its positive records."""
    parts = []
    for inputs, labels in data.evaluation_batches("test").as_numpy_iterator():
        parts.append({kind: values[labels == 1] for kind, values in inputs.items()})
    return {kind: np.concatenate([part[kind] for part in parts]) for kind in parts[0]}


def most_weight(order_weights: np.ndarray, order: int, positions: np.ndarray) -> int:
    """Returns which of some records has the most weight on an order, the first being 1."""
    return int(positions[order_weights[positions, order - 1].argmax()])


def shares_dominated(order_weights: np.ndarray) -> list[float]:
    """Returns the share of the records in which each order has the most weight, [k]."""
    k = order_weights.shape[1]
    return (np.bincount(order_weights.argmax(axis=1), minlength=k) / len(order_weights)).tolist()


def describe(
    model: keras.Model, data: PreparedDataset, ratings: Inputs, position: int
) -> dict[str, Any]:
    """Returns what a picture of one record shows: all but who the user is."""
    inputs = {kind: values[[position]] for kind, values in ratings.items()}
    names, values = data.schema.field_names, data.decode(inputs)
    genres = [name for name, value in zip(names, values[0], strict=True) if name == value]
    for name in OF_THE_USER:
        values[:, names.index(name)] = name
    background = first_records(data, "train", BACKGROUND)
    explanation = explain_records(model, inputs, values=values, background=background)
    return {
        **explanation.to_dict()["records"][0],
        "field_names": list(names),
        "genres": genres,
    }


if __name__ == "__main__":
    run_program(main, dataset="movielens_ctr")
