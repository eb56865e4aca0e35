import pandas as pd
import pytest
from absl.testing import flagsaver

from experiments.robustness import new_users
from interhat_tf.utils.files import read_json


@pytest.mark.slow
def test_new_users_are_compared_with_their_own_rate(study_flags, monkeypatch):
    monkeypatch.setattr(new_users, "FORMS", {"share 0.05": {"share": 0.05}})
    monkeypatch.setitem(new_users.TRAINING, "max_epochs", 1)
    with flagsaver.flagsaver(seeds=[0, 1], users=200):
        new_users.main(None)
    found = read_json(study_flags / "results/new_users/generated/summary.json")["forms"]
    runs = {name: value["runs"] for name, value in found["share 0.05"].items()}
    assert runs["difference"] == [
        predicted - rate for predicted, rate in zip(runs["predicted"], runs["rate"], strict=True)
    ]
    log = new_users.generate(200, 1)
    assert min(log["click"].mean(), runs["rate"][1]) > 0.3
    pd.testing.assert_frame_equal(log, new_users.generate(200, 1))


def test_ratings_of_movielens(tmp_path, monkeypatch):
    monkeypatch.setattr(new_users, "RATINGS", 2)
    ratings = [f"{user}::{movie}::{movie}::9" for user in (1, 2) for movie in (2, 4, 5)]
    (tmp_path / "ratings.dat").write_text("\n".join(ratings))
    (tmp_path / "users.dat").write_text("1::F::18::3::a\n2::M::25::4::b\n")
    (tmp_path / "movies.dat").write_text("")
    log = new_users.read_movielens(tmp_path)
    assert log["user"].value_counts().to_dict() == {1: 2, 2: 2}
    assert (log["click"] == (log["movie"] >= 4)).all()
    assert set(log.columns) == {"user", "movie", "gender", "age", "job", "click"}
