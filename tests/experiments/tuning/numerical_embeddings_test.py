import gzip

import numpy as np
import pandas as pd
import pytest
from absl.testing import flagsaver

from data.movielens_ctr.movielens_ctr_dataset_builder_test import raw_lines, write_movielens
from experiments.tuning import numerical_embeddings as program
from interhat_tf.errors import SettingError
from interhat_tf.utils.files import read_json


def test_embeddings_are_compared_on_the_same_rows(study_flags, monkeypatch):
    monkeypatch.setattr(program, "EPOCHS", 1)
    monkeypatch.setattr(program, "EMBEDDINGS", ("product", "piecewise"))
    tested, evaluate = [], program.evaluate_batches

    def evaluate_batches(batches, predict):
        tested.append(sum(len(labels) for _, labels in batches))
        return evaluate(batches, predict)

    monkeypatch.setattr(program, "evaluate_batches", evaluate_batches)
    with flagsaver.flagsaver(seeds=[0, 1], embedded_rows=1000, embedding_models=["dnn"]):
        program.main(None)
    found = read_json(study_flags / "results/numerical_embeddings/generated/dnn.json")
    assert 0.8 < found["best"]["auc"] < 0.9 and found["rows"] == 1000
    assert tested == [200] * 4  # not the 100 that choose the epoch
    auc = {name: metrics["auc"] for name, metrics in found["numbers"].items()}
    difference = np.mean(np.subtract(auc["piecewise"]["runs"], auc["product"]["runs"]))
    assert difference and auc["piecewise"]["difference"]["mean"] == pytest.approx(difference)


def test_criteos_columns(tmp_path):
    row = ["1", "", "3", *["7"] * 11, "NA", "", *["a"] * 24]
    rows = ["\t".join(row), "\t".join(["1", "4", *row[2:]])]
    (tmp_path / "log.txt").write_text("\n".join(rows * 15))
    columns, labels = program.read_criteo(str(tmp_path / "log.txt"))
    assert columns.shape == (30, 39) and labels.tolist() == [1] * 30
    columns.iloc[25:, 13] = "rare"
    schema, parts = program.split(columns, labels, 0)
    assert [len(part) for _, part in parts] == [21, 3, 6]
    inputs = parts[2][0]
    schema.check(inputs)
    assert np.isnan(inputs["numerical"][:, 0]).tolist() == [True, False] * 3
    assert inputs["categorical"][:, 0].tolist() == [1, 0, 0, 0, 0, 0]  # NA is a text
    assert inputs["categorical"][:, 1].tolist() == [1] * 6  # as nothing is


def test_a_tables_median_parts_its_rows(tmp_path):
    (tmp_path / "table.csv").write_text(
        "size,colour,price\n1,red,5\n2,blue,9\n,red,6\n3,red,6\n4,red,7\n"
    )
    columns, labels = program.read_table(str(tmp_path / "table.csv"), "price")
    assert list(columns) == ["size", "colour"] and labels.tolist() == [0, 1, 0, 0, 1]
    with pytest.raises(SettingError, match=r"no column of .*size, colour, price"):
        program.read_table(str(tmp_path / "table.csv"), None)


def test_a_users_age_and_a_movies_year_are_numbers(tmp_path):
    lines = raw_lines()
    folder = write_movielens(tmp_path, lines)
    ratings = folder / "ratings.dat"
    (folder / "ratings.dat.gz").write_bytes(gzip.compress(ratings.read_bytes()))
    ratings.unlink()
    columns, labels = program.read_movielens(str(folder))
    assert len(columns) == len(labels) == len(lines["ratings"])
    user, movie, stars, _ = lines["ratings"][7].split("::")
    _, _, age, *_ = lines["users"][int(user) - 1].split("::")
    _, title, genres = lines["movies"][int(movie) - 1].split("::")
    found = columns.iloc[7]
    assert (found["user"], found["genres"]) == (user, genres) and found["movie"] in title
    assert (found["age"], found["year"]) == (float(age), 1950 + int(movie))
    assert labels[7] == (int(stars) >= 4) and 0 < labels.mean() < 1
    schema, _ = program.split(columns, labels, 0)
    assert [field.name for field in schema.numerical] == ["age", "year"]


def test_labels_stay_with_their_rows(tmp_path, study_flags):
    rows = "\n".join(f"{i},{i}" for i in range(50))
    (tmp_path / "table.csv").write_text(f"size,price\n{rows}\n")
    with flagsaver.flagsaver(table=str(tmp_path / "table.csv"), above="price"):
        columns, labels, best = program.read(seed=1)
    assert best is None and columns["size"].tolist() != list(range(50))
    assert (columns["size"] > 24.5).tolist() == labels.astype(bool).tolist()


def test_which_values_are_rare_is_the_training_rows_to_say():
    column = pd.Series(["a"] * 10 + ["b"] * 9 + ["b"] * 9)
    assert program.encode(column, 19).tolist() == [1] * 10 + [0] * 18
