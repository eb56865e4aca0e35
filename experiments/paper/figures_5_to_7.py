"""Figures 5 to 7: what InterHAt attends to where someone rated a movie; and its figures there.

    python -m experiments.paper.figures_5_to_7 --dataset=movielens_ctr --raw_dir=FOLDER

Trains InterHAt, `released`, and two baselines with five seeds, explains the test
split's ratings with the first seed's InterHAt, and picks two records for each
order: the rating of the paper's movie with the most weight on the order in its
alpha_f, and that of any movie. Writes `experiments/results/movielens/
summary.json`, from which `make tables` draws the pictures.
"""

import pathlib

import keras
import numpy as np

from experiments.common.results import RESULTS_DIR
from experiments.common.run_flags import SEEDS
from experiments.common.running import run_program
from experiments.common.statistics import paired_difference
from experiments.common.studies import heading, open_data, run_flags, summarise, train_all
from interhat_tf.explanation.batches import explain_inputs, probability
from interhat_tf.explanation.explanation import explain_records
from interhat_tf.utils.files import write_json

PRESET = "released"
# Of the paper's pictures: the movie, and the order that dominates there.
CASES = {
    "figure_5": ("Terminator, The (1984)", 1),
    "figure_6": ("Professional, The (a.k.a. Leon: The Professional) (1994)", 2),
    "figure_7": ("Toy Story 2 (1999)", 3),
}
# MovieLens' licence does not let its records be passed on, and results are.
OF_THE_USER = ("user", "gender", "age", "occupation")
MODELS = {"interhat": {"preset": PRESET}, "fm": {}, "deepfm": {}}


def main(_):
    data = open_data()
    runs = {
        model: [run_flags(model, seed=seed, **given) for seed in SEEDS.value]
        for model, given in MODELS.items()
    }
    reports = train_all(runs)
    model = keras.saving.load_model(f"{runs['interhat'][0]['output_dir']}/model.keras")
    ratings = rated_records(data)
    explained = explain_inputs(model, ratings)
    order_weights = explained["order_weights"]  # (n, k)
    movie = ratings["categorical"][:, data.schema.field_names.index("movie")]
    cases = {}
    for figure, (title, order) in CASES.items():
        places = np.flatnonzero(movie == data.id_of("movie", title))
        if not len(places):
            raise ValueError(f"{data.name}: the test split has no rating of {title!r}")
        cases[figure] = {
            "order": order,
            "movie": title,
            "ratings": len(places),
            "dominated": shares_dominated(order_weights[places]),
            "record": describe(model, data, ratings, heaviest(order_weights, order, places)),
            "any_movie": describe(
                model, data, ratings, heaviest(order_weights, order, np.arange(len(movie)))
            ),
        }
    rows = {name: summarise(of_model) for name, of_model in reports.items()}
    summary = {
        **heading(data),
        "preset": PRESET,
        "models": rows,
        "differences": {
            name: {
                metric: paired_difference(
                    [run["test"][metric] for run in rows["interhat"]["runs"]],
                    [run["test"][metric] for run in rows[name]["runs"]],
                )
                for metric in ("auc", "logloss")
            }
            for name in rows
            if name != "interhat"
        },
        "ratings": len(movie),
        "probability": float(probability(explained["logits"]).mean()),
        "dominated": shares_dominated(order_weights),
        "cases": cases,
    }
    write_json(pathlib.Path(RESULTS_DIR.value) / "movielens/summary.json", summary)
    for name, row in rows.items():
        auc, logloss = row["test"]["auc"], row["test"]["logloss"]
        print(f"{name}: AUC {auc['mean']:.4f} ± {auc['std']:.4f}, logloss {logloss['mean']:.4f}")


def rated_records(data):
    """Returns the inputs of the test split's ratings, its positive records."""
    parts = []
    for inputs, labels in data.evaluation_batches("test", 8192).as_numpy_iterator():
        parts.append({kind: values[labels == 1] for kind, values in inputs.items()})
    return {kind: np.concatenate([part[kind] for part in parts]) for kind in parts[0]}


def shares_dominated(order_weights):
    """Returns the share of the records that each order dominates, [k]."""
    k = order_weights.shape[1]
    return (np.bincount(order_weights.argmax(axis=1), minlength=k) / len(order_weights)).tolist()


def heaviest(order_weights, order, places):
    """Returns the place of the record with the most weight on an order, among some places."""
    return int(places[order_weights[places, order - 1].argmax()])


def describe(model, data, ratings, place):
    """Returns what a picture of one record shows: all but who the user is."""
    inputs = {kind: values[[place]] for kind, values in ratings.items()}
    names, values = data.schema.field_names, data.decode(inputs)
    genres = [name for name, value in zip(names, values[0], strict=True) if name == value]
    for name in OF_THE_USER:
        values[:, names.index(name)] = name
    explanation = explain_records(model, inputs, values=values)
    return {
        **explanation.to_dict()["records"][0],
        "field_names": list(names),
        "genres": genres,
    }


if __name__ == "__main__":
    run_program(main, dataset="movielens_ctr")
