import numpy as np
import pytest

from experiments.common.planted_rules import PLANTED_RULES, best_auc, condition
from interhat_tf.training.metrics import auc


def test_the_best_auc_is_that_of_true_probabilities(rng):
    shares, probabilities = [0.1, 0.3, 0.6], [0.95, 0.6, 0.2]
    found = best_auc(shares, probabilities)
    p = np.repeat(probabilities, [10_000, 30_000, 60_000])
    labels = np.concatenate(
        [np.arange(n) < n * q for n, q in zip([10_000, 30_000, 60_000], probabilities, strict=True)]
    )
    assert found == pytest.approx(auc(labels.astype("float32"), p), abs=1e-9)


def test_rules_and_their_conditions():
    assert condition(PLANTED_RULES["rule_2_dense"]) == "f3=b3,f4=b1"
    assert PLANTED_RULES["rule_3"].interacting() == ((5, 6, 7),)
    assert PLANTED_RULES["mixture"].interacting() == ((1,), (3, 4))
