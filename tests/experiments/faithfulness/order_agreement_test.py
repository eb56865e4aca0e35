import numpy as np
import pytest
from absl.testing import flagsaver

from experiments.faithfulness import order_agreement
from experiments.report import tables
from interhat_tf import Field, InterHAt, Schema
from interhat_tf.utils.files import read_json
from tests.commands.train_test import write_raw


@pytest.fixture
def records(rng):
    return [{"categorical": rng.integers(0, 9, (n, 3))} for n in (6, 40, 40)]


def model_of(weights, monkeypatch):
    explained = {"order_weights": np.array(weights, "float32")}
    monkeypatch.setattr(order_agreement, "explain_inputs", lambda *_: explained)
    return InterHAt(Schema([Field(name, "categorical", 9) for name in "abc"]), order=2)


def test_weights_that_are_the_shares_correlate_fully(records, monkeypatch):
    shares = np.array([[0.2, 0.8], [0.9, 0.1]] * 3)
    others = np.array([[0.3, 0.7], [0.5, 0.5]] * 3)
    model = model_of(shares, monkeypatch)
    by_donors = {id(records[1]): shares, id(records[2]): others}
    monkeypatch.setattr(
        order_agreement, "order_shares", lambda model, inputs, donors, **_: by_donors[id(donors)]
    )
    found = order_agreement.order_agreement(model, *records)
    assert found["alpha_f"] == pytest.approx(1)
    # The other donors' mean shares are larger where these are smaller.
    assert found["constant"] < 0 < found["ceiling"] < 1
    assert found["mean_shares"] == found["mean_alpha_f"] == [0.55, 0.45]


def test_shares_are_of_the_models_orders(records, monkeypatch):
    model = model_of([[0.5, 0.5]] * 6, monkeypatch)
    model.set_weights([np.random.default_rng(0).normal(size=w.shape) for w in model.weights])
    found = order_agreement.order_agreement(model, *records)
    assert len(found["mean_shares"]) == 2
    assert sum(found["mean_shares"]) == pytest.approx(1, abs=1e-3)
    assert found["alpha_f"] == 0  # which are all alike


@pytest.mark.slow
def test_the_program_and_its_page(study_flags, runs_in_process, monkeypatch):
    # Without self-attention its steps are traced in half of the time.
    small = {**order_agreement.NOT_ALIGNED, "self_attention": False}
    monkeypatch.setattr(order_agreement, "NOT_ALIGNED", small)
    given = {"raw_dir": str(write_raw(study_flags / "raw")), "epochs": 1, "seeds": [1, 2]}
    with flagsaver.flagsaver(**given, of_orders=4, explained_presets=["released"]):
        order_agreement.main(None)
    folder = study_flags / "results/faithfulness"
    summary = read_json(folder / "order_agreement/frappe/released.json")
    plain, continued = summary["forms"]["plain"], summary["forms"]["continued"]
    assert [row["seed"] for row in plain] == [row["seed"] for row in continued] == [1, 2]
    assert plain[0]["mean_alpha_f"] != continued[0]["mean_alpha_f"]
    tables.main(None)
    text = (folder / "README.md").read_text()
    assert "| `frappe/nfm/1.0.0`, 1 epoch | `released` | continued | 2 |" in text
