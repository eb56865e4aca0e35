import numpy as np
import pytest
from absl.testing import flagsaver

from experiments.faithfulness import agreement
from experiments.report import tables
from interhat_tf import Field, InterHAt, Schema
from interhat_tf.explanation import attributions
from interhat_tf.utils.files import read_json, write_json
from tests.commands.train_test import write_raw


@pytest.fixture
def records(rng):
    return [{"categorical": rng.integers(0, 2, (n, 3))} for n in (40, 8, 8)]


@pytest.fixture
def model():
    return InterHAt(Schema([Field(name, "categorical", 2) for name in "abc"]), order=2)


def test_what_agrees_and_what_does_not(model, records, monkeypatch):
    effects = np.tile([3.0, -2.0, 1.0], (40, 1))
    monkeypatch.setattr(attributions, "occlusion", lambda *_: effects)
    monkeypatch.setattr(attributions, "attention", lambda *_: np.abs(effects))
    monkeypatch.setattr(attributions, "contributions", lambda *_: effects[:, ::-1])
    found = agreement.rank_agreement(model, *records)
    assert found == {"attention": 1.0, "contributions": -1.0, "constant": 1.0, "ceiling": 1.0}


def test_the_ceiling_and_the_constant_ranking_are_of_the_other_background(
    model, records, monkeypatch
):
    inputs, background, other = records
    of_background = {id(background): [[3.0, 2.0, 1.0]] * 40, id(other): [[1.0, 2.0, 3.0]] * 40}
    monkeypatch.setattr(
        attributions, "occlusion", lambda model, inputs, b: np.array(of_background[id(b)])
    )
    found = agreement.rank_agreement(model, inputs, background, other)
    assert found["constant"] == found["ceiling"] == -1.0


def test_a_real_model_has_all_figures(model, records):
    found = agreement.rank_agreement(model, *records)
    assert set(found) == {"attention", "contributions", "constant", "ceiling"}
    assert all(-1 <= value <= 1 for value in found.values())


def test_a_row_that_is_not_there_is_an_error(study_flags):
    with (
        flagsaver.flagsaver(row="ffffm"),
        pytest.raises(ValueError, match=r"no row ffffm for frappe: train it with .*--models=ffffm"),
    ):
        agreement.main(None)


@pytest.mark.slow
def test_the_program_and_its_page(study_flags, runs_in_process):
    raw = write_raw(study_flags / "raw")
    folder = study_flags / "results"
    setting = {"model": "interhat_s", "order": 1, "value_dim": 4, "batch_size": 16}
    write_json(folder / "table_3/frappe/interhat.json", {"setting": setting})
    given = {"raw_dir": str(raw), "epochs": 1, "seeds": [1, 2]}
    with flagsaver.flagsaver(**given, ranked=5, background=2):
        agreement.main(None)
    found = read_json(folder / "faithfulness/agreement/frappe/interhat.json")
    assert found["seeds"] == [1, 2] and len(found["runs"]) == 2 and found["ranked"] == 5
    assert 0 <= found["largest_error"]["mean"] < 1e-5
    tables.main(None)
    text = (folder / "faithfulness/README.md").read_text()
    assert "| `frappe/nfm/1.0.0` | `interhat` | 2 |" in text
