from experiments.tuning import paper_penalty
from interhat_tf.models.presets import DATASETS, hyperparameters
from interhat_tf.utils.files import read_json


def test_the_penalties_that_are_tried(study_flags, fake_runs, fake_data):
    paper_penalty.main(None)
    rows = read_json(study_flags / "results/paper_penalty/frappe/summary.json")["changes"]
    assert len(fake_runs.asked) == 3 * len(rows)
    assert rows["printed"]["flags"] == {}
    of_mean = rows["lambda beside the mean"]["flags"]
    printed, _ = hyperparameters("frappe", "paper", rows=1)
    assert of_mean == {name: printed[name] for name in of_mean}
    assert DATASETS["frappe"].l2 == paper_penalty.LAMBDA
    assert rows["embeddings 5e-3"]["flags"] == {
        "embedding_l2": 5e-3,
        "aggregation_l2": 0.0,
        "dense_l2": 0.0,
    }
