import numpy as np
import pytest

from experiments.generated_logs.generator import generate
from experiments.generated_logs.truth import best_of_split, levels_of
from interhat_tf import prepare_click_log


@pytest.fixture(scope="module")
def log(tmp_path_factory):
    """The planted fields of a generated log, prepared, and the truth about its clicks."""
    folder = tmp_path_factory.mktemp("log")
    truth = generate(folder / "train.csv", "avazu", 20_000)
    fields = [name for term in truth["terms"] for name in term["fields"]]
    how = {"name": "planted", "data_dir": folder / "prepared", "categorical": fields}
    return prepare_click_log(folder / "train.csv", min_count=2, **how), truth


def test_the_best_on_a_split_is_nearly_the_best_on_the_log(log):
    data, truth = log
    found = {split: best_of_split(data, truth, split) for split in ("train", "validation")}
    for figures in found.values():
        assert figures["auc"] == pytest.approx(truth["best"]["auc"], abs=0.03)
        assert figures["logloss"] == pytest.approx(truth["best"]["logloss"], abs=0.03)
    assert found["train"]["auc"] == pytest.approx(truth["best"]["auc"], abs=0.006)
    without = {**truth, "terms": truth["terms"][1:]}
    assert best_of_split(data, without, "train")["auc"] < found["train"]["auc"] - 0.01


def test_a_value_that_is_too_rare_has_level_0(log):
    data, truth = log
    (name, *_), levels = truth["terms"][0]["fields"], truth["terms"][0]["levels"]
    found = levels_of(data, name, {**levels[name], "never seen": 1})
    value = next(v for v in data.vocabularies[name] if levels[name].get(v))
    assert found[data.id_of(name, value)] == levels[name][value]
    assert found[0] == 0 and set(np.unique(found)) <= {0, *levels[name].values()}
