import pytest
from absl.testing import flagsaver

from experiments.tuning import tuned
from interhat_tf.models.presets import average_momentum, hyperparameters
from interhat_tf.utils.files import read_json, write_json


def test_the_changes_that_are_tried(study_flags, fake_runs, fake_data):
    setting = {"embedding_dim": 16, "mlp_units": [8]}
    for model in ("deepfm", "lr"):
        write_json(study_flags / f"results/table_3/frappe/{model}.json", {"setting": setting})
    with flagsaver.flagsaver(seeds=[0]):
        tuned.main(None)
    rows = read_json(study_flags / "results/tuned/frappe/summary.json")["changes"]
    assert rows["preset"]["flags"] == {} and rows["order 3"]["flags"] == {"order": 3}
    assert rows["deepfm"]["flags"] == {"model": "deepfm", **setting}
    given = {"rows": fake_data.num_rows("train"), "schema": fake_data.schema}
    penalty = hyperparameters(None, "tuned", **given)[0]["embedding_l2"]
    for name, l2 in (("penalty 1.2", penalty), ("penalty 12", 10 * penalty)):
        expected = {"embedding_l2": pytest.approx(l2), "penalty_factor": 1.0}
        assert rows[name]["flags"] == expected
    assert rows["penalty 12, falling"]["flags"] == rows["penalty 12"]["flags"] | tuned.FALLING
    assert all(run["test"] is False for run in fake_runs.asked)
    models = [run["model"] for run in fake_runs.asked]
    assert models.count("deepfm") == 1 and set(models) == {"deepfm", "interhat", "lr"}


def test_a_data_set_without_a_search_tries_deepfm_with_other_penalties(
    study_flags, fake_runs, fake_data
):
    setting = {"embedding_dim": 16, "embedding_l2": 0.05}
    write_json(study_flags / "results/table_3/frappe/deepfm.json", {"setting": setting})
    names = ["deepfm", "deepfm, penalty 0.001"]
    with flagsaver.flagsaver(seeds=[0], dataset="movielens_ctr", change=names):
        tuned.main(None)
    rows = read_json(study_flags / "results/tuned/movielens_ctr/summary.json")["changes"]
    assert [rows[name]["flags"]["embedding_l2"] for name in names] == [0.05, 0.001]
    assert rows[names[1]]["flags"]["embedding_dim"] == 16
    steps = fake_data.num_rows("train")
    assert rows[names[1]]["flags"]["ema_momentum"] == average_momentum(steps, 1024)
