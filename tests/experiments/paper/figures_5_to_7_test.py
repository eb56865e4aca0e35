import pytest
from absl.testing import flagsaver

from data.movielens_ctr.movielens_ctr_dataset_builder_test import USERS, raw_lines, write_movielens
from experiments.paper import figures_5_to_7
from experiments.report import tables
from interhat_tf.utils.files import read_json

GENRES = {"figure_5": "Action|Sci-Fi|Thriller", "figure_6": "Crime|Drama", "figure_7": "Comedy"}


def small_movielens(folder):
    """Writes MovieLens' files in small, the paper's three movies among them, rated by all."""
    lines = raw_lines()
    for number, (figure, (title, _)) in enumerate(figures_5_to_7.CASES.items(), 51):
        lines["movies"].append(f"{number}::{title}::{GENRES[figure]}")
        lines["ratings"] += [f"{user}::{number}::4::978300760" for user in range(1, USERS + 1)]
    return write_movielens(folder, lines)


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
