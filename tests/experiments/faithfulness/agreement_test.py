import types

import numpy as np
import pytest
from absl.testing import flagsaver

from experiments.faithfulness import agreement
from experiments.faithfulness.methods import HOW_TRAINED
from experiments.report import tables
from interhat_tf import Field, InterHAt, Schema
from interhat_tf.explanation import attributions, effect_fitting
from interhat_tf.utils.files import read_json
from tests.commands.train_test import write_raw


@pytest.fixture
def records(rng):
    return [{"categorical": rng.integers(0, 2, (n, 3))} for n in (40, 8, 8)]


@pytest.fixture
def model():
    model = InterHAt(Schema([Field(name, "categorical", 2) for name in "abc"]), order=2)
    model.hold_effects(model.make_effect_head({"num_pairs": 3}), {})
    return model


def test_what_agrees_and_what_does_not(model, records, monkeypatch):
    effects = np.tile([3.0, -2.0, 1.0], (40, 1))
    monkeypatch.setattr(attributions, "occlusion", lambda *_: effects)
    monkeypatch.setattr(attributions, "attention", lambda *_: np.abs(effects))
    monkeypatch.setattr(attributions, "contributions", lambda *_: effects[:, ::-1])
    estimates = {"effects": np.tile([-2.0, 3.0, 1.0], (40, 1))}
    monkeypatch.setattr(agreement, "estimate_effects", lambda *_: estimates)
    found = agreement.rank_agreement(model, *records)
    assert found == {
        "attention": 1.0,
        "contributions": -1.0,
        "one_pass": 0.5,
        "constant": 1.0,
        "ceiling": 1.0,
    }


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
    assert set(found) == {"attention", "contributions", "one_pass", "constant", "ceiling"}
    assert all(-1 <= value <= 1 for value in found.values())


@pytest.mark.slow
def test_the_program_and_its_page(study_flags, runs_in_process, monkeypatch):
    monkeypatch.setattr(effect_fitting, "BATCH_SIZE", 64)  # there are few records
    # Without self-attention their steps are traced in half of the time.
    small = {form: {**how, "self_attention": False} for form, how in agreement.OF_RUNS.items()}
    monkeypatch.setattr(agreement, "OF_RUNS", small)
    given = {"raw_dir": str(write_raw(study_flags / "raw")), "epochs": 1, "seeds": [1]}
    with flagsaver.flagsaver(**given, ranked=5, background=2, explained_presets=["released"]):
        agreement.main(None)
    folder = study_flags / "results/faithfulness"
    found = {
        form: read_json(folder / f"agreement/frappe/released-{form}.json") for form in HOW_TRAINED
    }
    for form, summary in found.items():
        assert summary["seeds"] == [1] and len(summary["runs"]) == 1
        assert summary["ranked"] == 5 and summary["form"] == form
        assert 0 <= summary["largest_error"]["mean"] < 1e-5
    assert len({summary["logloss"]["mean"] for summary in found.values()}) == 3
    tables.main(None)
    text = (folder / "README.md").read_text()
    assert text.count("| `frappe/nfm/1.0.0`, 1 epoch | `released` | continued | 1 |") == 2


def test_a_model_is_aligned_once_for_its_settings(model, tmp_path, monkeypatch):
    done = []
    monkeypatch.setattr(agreement, "align", lambda model, data, **how: done.append(how))
    for _ in range(2):
        found = agreement.continued(model, None, str(tmp_path))
        assert found.effect_head.num_pairs == 3
    assert len(done) == 1
    monkeypatch.setattr(agreement, "ALIGNMENT", {**agreement.ALIGNMENT, "effect_weight": 0.2})
    agreement.continued(model, None, str(tmp_path))
    assert [how["effect_weight"] for how in done] == [0.05, 0.2]
    monkeypatch.setattr(effect_fitting, "STEPS", effect_fitting.STEPS + 1)
    agreement.continued(model, None, str(tmp_path))
    assert len(done) == 3  # other heads than those that the folder has


def test_a_models_figures_are_those_of_the_test_split(monkeypatch):
    effects = {"r2": 0.9, "pair_r2": 0.8, "pair_rank_correlation": 0.7, "steps": 5}
    diagnosis = {"effects": effects, "attention": {"auc_lost": 0.01}}
    monkeypatch.setattr(agreement, "evaluate", lambda model, data, split: {"of": split})
    found = agreement.of_model(types.SimpleNamespace(diagnosis=diagnosis), None)
    del effects["steps"]
    assert found == {"of": "test", "auc_lost": 0.01, **effects}
