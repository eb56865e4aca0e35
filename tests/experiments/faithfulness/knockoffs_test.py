import numpy as np
import pytest
from absl.testing import flagsaver
from scipy import stats

from experiments.faithfulness import knockoffs
from interhat_tf import Field, Schema
from interhat_tf.models import FM


def test_discoveries_are_benjamini_and_hochbergs(rng):
    null = np.exp(rng.normal(size=400))
    sizes = np.exp(np.concatenate([rng.normal(size=40), [5.0, 6.0, 4.5]]))
    found = knockoffs.discoveries(sizes, null)
    logs = np.log(null)
    p = stats.norm.sf((np.log(sizes) - logs.mean()) / logs.std(ddof=1))
    np.testing.assert_array_equal(found, stats.false_discovery_control(p) <= 0.1)
    assert found[40:].all()


def test_nothing_stands_out_of_a_null(rng):
    shares = [
        knockoffs.discoveries(np.exp(rng.normal(size=45)), np.exp(rng.normal(size=135))).any()
        for _ in range(200)
    ]
    assert np.mean(shares) < 0.2  # 0.1, and what estimating the null costs


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


def test_a_rule_without_knockoffs_is_an_error(study_flags):
    with (
        flagsaver.flagsaver(dataset="synthetic_rules/rule_2"),
        pytest.raises(ValueError, match="RULE_knockoffs, got synthetic_rules/rule_2"),
    ):
        knockoffs.main(None)
