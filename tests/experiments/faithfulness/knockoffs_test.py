import types

import numpy as np
import pytest
from absl.testing import flagsaver
from scipy import stats

from experiments.faithfulness import knockoffs
from interhat_tf import Field, Schema
from interhat_tf.models import FM
from interhat_tf.utils.files import read_json

FILE = "results/faithfulness/knockoffs/rule_2/summary.json"


def test_discoveries_are_benjamini_and_hochbergs(rng):
    p = np.concatenate([rng.random(size=40), [1e-4, 2e-3, 5e-3]])
    found = knockoffs.discoveries(p)
    np.testing.assert_array_equal(found, stats.false_discovery_control(p) <= 0.1)
    assert found[40:].all()


def test_where_nothing_is_there_small_p_values_are_rare(rng):
    draws = np.exp(rng.normal(size=(4000, 11)))
    p = np.array([knockoffs.p_value(draw[0], draw[1:]) for draw in draws])
    assert stats.kstest(p, "uniform").pvalue > 0.01
    assert abs((p < 0.01).mean() - 0.01) < 0.005


def test_what_is_false_and_what_is_right():
    found = knockoffs.judged({(0, 1), (2, 3)}, {(2, 3), (2, 4)})
    assert found == {"named": 2, "right": 1, "planted": 2, "false": 0.5}
    assert knockoffs.judged(set(), {(2, 3)})["false"] == 0


def test_a_pair_that_a_model_knows_is_named(rng):
    model = FM(Schema([Field(f"f{i}", "categorical", 4) for i in range(1, 21)]))
    weights = [0.05 * rng.normal(size=weight.shape) for weight in model.weights]
    table = next(w for w in weights if w.ndim == 2 and w.shape[1] > 1)
    for field in (2, 3):
        table[4 * field : 4 * field + 4] *= 40
    model.set_weights(weights)
    records, background = ({"categorical": rng.integers(1, 4, (n, 20))} for n in (20, 16))
    assert (2, 3) in knockoffs.named_pairs(model, records, background)


def test_a_field_that_counts_is_not_taken_for_pairs(rng, monkeypatch):
    sizes = np.exp(0.3 * rng.normal(size=(20, 20)))
    sizes[2] *= 50  # with every field
    sizes = sizes + sizes.T
    of_pairs = sizes[np.triu_indices(20, 1)]
    monkeypatch.setattr(knockoffs, "pair_effects", lambda *_: np.tile(of_pairs, (3, 1)))
    assert not knockoffs.named_pairs(None, {}, {})


def test_seeds_of_other_data_or_epochs_are_not_kept(study_flags, fake_data, monkeypatch):
    monkeypatch.setattr(knockoffs, "first_records", lambda *_: {})
    monkeypatch.setattr(knockoffs, "backgrounds_of", lambda data: types.SimpleNamespace(own={}))
    report = {"test": {"auc": 0.6}}
    monkeypatch.setattr(knockoffs, "explained_runs", lambda runs: [(1, None, report)])
    monkeypatch.setattr(knockoffs, "named_pairs", lambda *_: set())

    def seeds_after(seed, **given):
        name = "synthetic_rules/rule_2_knockoffs"
        with flagsaver.flagsaver(dataset=name, seeds=[seed], **given):
            knockoffs.main(None)
        return list(read_json(study_flags / FILE)["runs"])

    seeds_after(1)
    assert seeds_after(2) == ["1", "2"]
    assert seeds_after(3, epochs=1) == ["3"]
    assert seeds_after(4) == ["4"]
    monkeypatch.setattr(type(fake_data), "statistics", {"records": 7})
    assert seeds_after(5) == ["5"]


def test_a_rule_without_knockoffs_is_an_error(study_flags):
    with (
        flagsaver.flagsaver(dataset="synthetic_rules/rule_2"),
        pytest.raises(ValueError, match="RULE_knockoffs, got synthetic_rules/rule_2"),
    ):
        knockoffs.main(None)
