import numpy as np
import pytest
from absl.testing import flagsaver

from experiments.faithfulness import additivity, curves
from experiments.faithfulness.methods import METHODS
from experiments.report import tables
from interhat_tf import Field, Schema
from interhat_tf.models import LR
from interhat_tf.utils.files import read_json
from tests.commands.train_test import write_raw


@pytest.fixture
def linear():
    """A linear model of three fields whose second value adds 4, 2 and 1 to the logit."""
    schema = Schema([Field(name, "categorical", 2) for name in "abc"])
    model = LR(schema)
    weights = {weight.path.split("/")[-1]: weight for weight in model.weights}
    for weight in weights.values():
        weight.assign(np.zeros(weight.shape))
    table = next(w for w in model.weights if int(np.prod(w.shape)) == 6)
    table.assign(np.reshape([0, 4, 0, 2, 0, 1], table.shape))
    return model


def test_the_true_order_is_the_best_one(linear):
    inputs = {"categorical": np.ones((5, 3), int)}
    background = {"categorical": np.zeros((2, 3), int)}
    truth = np.tile([4.0, 2.0, 1.0], (5, 1))
    numbers = {"occlusion": truth, "attention": truth[:, ::-1], "random": truth[:, [0, 2, 1]]}
    found = curves.curves_of(linear, inputs, background, numbers)

    def share(logit):
        return (1 / (1 + np.exp(-logit)) - 0.5) / (1 / (1 + np.exp(-7.0)) - 0.5)

    np.testing.assert_allclose(
        found["occlusion"]["deletion"], [share(z) for z in (7, 3, 1, 0)], atol=1e-6
    )
    np.testing.assert_allclose(
        found["occlusion"]["insertion"], [share(z) for z in (0, 4, 6, 7)], atol=1e-6
    )
    np.testing.assert_allclose(
        found["attention"]["insertion"], [share(z) for z in (0, 1, 3, 7)], atol=1e-6
    )
    for kind, best in (("deletion", min), ("insertion", max)):
        areas = {name: row[kind].mean() for name, row in found.items()}
        assert best(areas, key=areas.get) == "occlusion"


def test_a_record_below_the_background_is_explained_by_what_lowers_it(linear):
    inputs = {"categorical": np.zeros((5, 3), int)}
    background = {"categorical": np.ones((2, 3), int)}
    numbers = {"occlusion": np.tile([-4.0, -2.0, -1.0], (5, 1))}
    found = curves.curves_of(linear, inputs, background, numbers)["occlusion"]
    # The largest of all, the first field, goes first: 0 0 0, 1 0 0, 1 1 0, 1 1 1.
    sigmoid = 1 / (1 + np.exp(-np.array([0.0, 4, 6, 7])))
    expected = (sigmoid[-1] - sigmoid) / (sigmoid[-1] - sigmoid[0])
    np.testing.assert_allclose(found["deletion"], expected, atol=1e-6)


def test_agreement_by_hand():
    one = np.array([[3.0, 2.0, 1.0], [1.0, 2.0, 3.0]])
    assert curves.agreement([one, one]) == {"correlation": 1.0, "first": 1.0}
    assert curves.agreement([one, -one]) == {"correlation": -1.0, "first": 0.0}
    both = curves.agreement([one, one, -one])
    assert both["correlation"] == pytest.approx(-1 / 3) and both["first"] == pytest.approx(1 / 3)


@pytest.mark.slow
def test_from_raw_files_to_the_page(study_flags, runs_in_process, monkeypatch):
    monkeypatch.setattr(additivity, "ROUNDS", 2)
    raw = write_raw(study_flags / "raw")
    given = {"raw_dir": str(raw), "epochs": 1, "seeds": [1, 2]}
    with flagsaver.flagsaver(**given, explained=8, background=4):
        curves.main(None)
        additivity.main(None)
    folder = study_flags / "results/faithfulness"
    summary = read_json(folder / "frappe/summary.json")
    assert summary["records"] == 8 and summary["seeds"] == [1, 2]
    for name in METHODS:
        deletion, insertion = (
            summary["methods"][name][k]["curve"] for k in ("deletion", "insertion")
        )
        assert len(deletion) == 11
        assert deletion[0] == pytest.approx(1) and deletion[-1] == pytest.approx(0, abs=1e-5)
        assert insertion[0] == pytest.approx(0, abs=1e-5) and insertion[-1] == pytest.approx(1)
    added = read_json(folder / "additivity/frappe/summary.json")
    assert 0 < added["records"] <= 10_000 and added["rounds"] == 4
    assert added["largest_error"] < 1e-4
    tables.main(None)
    text = (folder / "README.md").read_text()
    assert "## Contributions add up" in text
    assert "## Frappe: deletion and insertion" in text
    assert (folder / "curves_frappe.png").read_bytes().startswith(b"\x89PNG")
