import numpy as np
import pytest
from absl.testing import flagsaver

from experiments.faithfulness import planted
from experiments.report import tables
from interhat_tf.utils.files import read_json


def test_recovery_by_hand():
    values = np.array([[0.1, -0.9, 0.5, 0.0], [0.2, 0.7, 0.3, 0.6]])
    # Means: 0.15, -0.1, 0.4, 0.3; of single records the largest two are 1, 2 and 1, 3.
    assert planted.recovery("attention", values, np.array([2, 3])) == {"found": True, "share": 0.5}
    assert planted.recovery("attention", values, np.array([1, 2]))["found"] is False
    # A signed method's values count in either direction.
    signed = np.array([[-3.0, 1.0, 0.0], [-3.0, 0.0, 1.0]])
    assert planted.recovery("occlusion", signed, np.array([0])) == {"found": True, "share": 1.0}


def test_models_are_averaged_around_in_a_circle_and_count_the_same(study_flags):
    with flagsaver.flagsaver(together=2):
        means = list(planted.averages([np.full((1, 2), 10.0**s) * [1, s] for s in (1, 2, 3)]))
    scaled = [np.array([1, s]) / np.mean([1, s]) for s in (1, 2, 3)]
    for mean, (one, other) in zip(means, [(0, 1), (1, 2), (2, 0)], strict=True):
        np.testing.assert_allclose(mean[0], (scaled[one] + scaled[other]) / 2)


def test_the_interval_of_a_count():
    row = planted.summarise_recovery([{"found": i < 19, "share": 1.0} for i in range(20)])
    assert (row["found"], row["of"]) == (19, 20)
    assert 0.75 < row["low"] < 0.77 and 0.99 < row["high"] < 0.995


@pytest.mark.slow
def test_a_learnt_rule_is_found_and_stands_on_the_page(study_flags, runs_in_process):
    given = {"dataset": "synthetic_rules/rule_2_dense", "seeds": [1, 2], "together": 2}
    with flagsaver.flagsaver(**given, planted_records=10, epochs=1, background=16):
        planted.main(None)
    folder = study_flags / "results/faithfulness"
    summary = read_json(folder / "planted/rule_2_dense-released/summary.json")
    assert summary["group"] == ["f3", "f4"] and summary["records"] == 10
    assert abs(summary["test"]["mean"] - summary["best_auc"]) < 0.02
    for method in ("occlusion", "shap"):
        assert summary["methods"][method]["alone"]["found"] == 2
        assert summary["methods"][method]["alone"]["share"]["mean"] > 0.9
    assert summary["methods"]["random"]["alone"]["share"]["mean"] < 0.7
    tables.main(None)
    text = (folder / "README.md").read_text()
    assert "Rule 2, dense" in text and "| 2 [34%, 100%], " in text


def test_an_unknown_rule(study_flags):
    with (
        flagsaver.flagsaver(dataset="synthetic_rules/rule_9"),
        pytest.raises(ValueError, match="synthetic_rules/…: rule_1, rule_2"),
    ):
        planted.main(None)
