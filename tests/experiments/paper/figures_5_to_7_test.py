import types

import numpy as np
import pytest
import tensorflow as tf
from absl.testing import flagsaver

from data.movielens_ctr.movielens_ctr_dataset_builder_test import USERS, raw_lines, write_movielens
from experiments.paper import figures_5_to_7
from experiments.report import tables
from interhat_tf import Field, Schema
from interhat_tf.utils.files import read_json

GENRES = {"figure_5": "Action|Sci-Fi|Thriller", "figure_6": "Crime|Drama", "figure_7": "Comedy"}


def small_movielens(folder):
    """Writes MovieLens' files in small, the paper's three movies among them, rated by all."""
    lines = raw_lines()
    for number, (figure, (title, _)) in enumerate(figures_5_to_7.CASES.items(), 51):
        lines["movies"].append(f"{number}::{title}::{GENRES[figure]}")
        lines["ratings"] += [f"{user}::{number}::4::978300760" for user in range(1, USERS + 1)]
    return write_movielens(folder, lines)


class Movies:
    """Movies 1 to 3 and their ratings: a record's user is its position in the test split."""

    name = "movielens_ctr/1.0.0"
    statistics: dict = {}  # noqa: RUF012
    schema = Schema([Field("user", "categorical", 99), Field("movie", "categorical", 9)])

    def evaluation_batches(self, split):
        assert split == "test"
        movies = np.array([1, 2, 3, 1, 2, 3, 1, 5, 2], "int32")
        labels = np.array([1, 1, 1, 0, 1, 0, 1, 1, 1], "float32")
        records = np.stack([np.arange(len(movies), dtype="int32"), movies], axis=1)  # (9, 2)
        return tf.data.Dataset.from_tensor_slices(({"categorical": records}, labels)).batch(4)

    def id_of(self, field, value):
        assert field == "movie"
        return [title for title, _ in figures_5_to_7.CASES.values()].index(value) + 1


@pytest.fixture
def of_made_up_weights(study_flags, monkeypatch):
    """Runs the program on `Movies`, with given order weights of its seven ratings."""

    def run(weights):
        explained = {"order_weights": np.array(weights), "logits": np.zeros(len(weights))}

        def describe(model, data, ratings, position):
            return ratings["categorical"][position].tolist()

        monkeypatch.setattr(figures_5_to_7, "open_data", Movies)
        monkeypatch.setattr(figures_5_to_7, "train_rows", lambda runs: {})
        monkeypatch.setattr(figures_5_to_7.keras.saving, "load_model", lambda path: path)
        monkeypatch.setattr(figures_5_to_7, "explain_inputs", lambda model, inputs: explained)
        monkeypatch.setattr(figures_5_to_7, "describe", describe)
        figures_5_to_7.main(None)
        return read_json(study_flags / "results/figures_5_to_7/summary.json")

    return run


# The ratings are those of users 0, 1, 2, 4, 6, 7 and 8, of movies 1, 2, 3, 2, 1, 5 and 2.
WEIGHTS = [
    [0.2, 0.1, 0.7],
    [0.5, 0.4, 0.1],
    [0.2, 0.2, 0.6],
    [0.1, 0.6, 0.3],
    [0.3, 0.3, 0.4],
    [0.8, 0.2, 0.0],
    [0.2, 0.5, 0.3],
]


def test_the_records_have_the_most_weight_on_the_figures_order(of_made_up_weights):
    summary = of_made_up_weights(WEIGHTS)
    assert summary["ratings"] == 7 and summary["probability"] == 0.5
    np.testing.assert_allclose(summary["dominated"], [2 / 7, 2 / 7, 3 / 7])
    cases = summary["cases"]
    assert {name: case["record"] for name, case in cases.items()} == {
        "figure_5": [6, 1],
        "figure_6": [4, 2],
        "figure_7": [2, 3],
    }
    assert {name: case["any_movie"] for name, case in cases.items()} == {
        "figure_5": [7, 5],
        "figure_6": [4, 2],
        "figure_7": [0, 1],
    }
    assert [case["ratings"] for case in cases.values()] == [2, 3, 1]
    np.testing.assert_allclose(cases["figure_6"]["dominated"], [1 / 3, 2 / 3, 0])


def test_a_movie_without_a_rating_is_named(of_made_up_weights, monkeypatch):
    monkeypatch.setattr(Movies, "id_of", lambda *_: 4)
    with pytest.raises(ValueError, match=r"the test split has no rating of 'Terminator, The"):
        of_made_up_weights(WEIGHTS)


def test_a_picture_hides_the_user_and_its_effects_are_against_training_records(monkeypatch):
    asked = {}

    def explain_records(model, inputs, **given):
        asked.update(given, inputs=inputs)
        return types.SimpleNamespace(to_dict=lambda: {"records": [{"sentence": "of it"}]})

    class Data:
        schema = Schema(
            [
                Field(name, "categorical", 9)
                for name in (*figures_5_to_7.OF_THE_USER, "movie", "Crime", "Drama")
            ]
        )

        def decode(self, inputs):
            return np.array([["7", "F", "25", "artist", "Fargo", "Crime", "not Drama"]], object)

    monkeypatch.setattr(figures_5_to_7, "explain_records", explain_records)
    monkeypatch.setattr(figures_5_to_7, "first_records", lambda data, *of: of)
    ratings = {"categorical": np.arange(21).reshape(3, 7)}
    found = figures_5_to_7.describe(None, Data(), ratings, 1)
    shown = [*figures_5_to_7.OF_THE_USER, "Fargo", "Crime", "not Drama"]
    assert asked["values"].tolist() == [shown]
    assert asked["inputs"]["categorical"].tolist() == [[7, 8, 9, 10, 11, 12, 13]]
    assert asked["background"] == ("train", figures_5_to_7.BACKGROUND)
    assert found["genres"] == ["Crime"] and found["sentence"] == "of it"


@pytest.mark.slow
def test_from_the_files_to_the_pictures(study_flags, runs_in_process):
    raw = small_movielens(study_flags / "ml-1m")
    given = {"dataset": "movielens_ctr", "raw_dir": str(raw), "epochs": 1, "seeds": [1, 2]}
    with flagsaver.flagsaver(**given):
        figures_5_to_7.main(None)
        tables.main(None)
    results = study_flags / "results"
    summary = read_json(results / "figures_5_to_7/summary.json")
    assert list(summary["models"]) == ["interhat", "fm", "deepfm"]
    assert all(row["seeds"] == [1, 2] for row in summary["models"].values())
    assert set(summary["differences"]) == {"fm", "deepfm"}
    assert sum(summary["dominated"]) == pytest.approx(1)
    for figure, (title, order) in figures_5_to_7.CASES.items():
        case = summary["cases"][figure]
        assert case["ratings"] > 0
        assert case["record"]["values"]["movie"] == title
        for record in (case["record"], case["any_movie"]):
            assert all(record["values"][name] == name for name in figures_5_to_7.OF_THE_USER)
            assert "user =" not in record["sentence"]
        assert case["record"]["genres"] == sorted(GENRES[figure].split("|"))
        most = case["any_movie"]["order_weights"][order - 1]
        assert most >= case["record"]["order_weights"][order - 1]
        for name in (figure, f"{figure}_any_movie"):
            assert (results / f"{name}.png").read_bytes().startswith(b"\x89PNG")
    page = (results / "README.md").read_text()
    assert "## MovieLens: test AUC and logloss" in page and "Figure 7, Toy Story 2" in page
