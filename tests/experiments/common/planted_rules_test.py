import itertools

import numpy as np
import pyarrow.compute as pc
import pytest

from data.synthetic_rules import synthetic_rules_dataset_builder as records
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


@pytest.mark.parametrize("name", ["rule_1", "rule_2", "rule_3_dense", "parity", "mixture"])
def test_the_true_shares_are_those_of_what_each_set_of_values_adds(name):
    rule = PLANTED_RULES[name]

    def log_odds(inserted):
        kept = [set(group) & set(inserted) for group in rule.interacting()]
        if name == "parity":  # of two values: records match as well that differ in both fields
            return float(len(kept[0]) != 1)
        return sum(
            found == set(group) for found, group in zip(kept, rule.interacting(), strict=True)
        )

    def added(fields):  # by inclusion and exclusion
        sets = [s for n in range(len(fields) + 1) for s in itertools.combinations(fields, n)]
        return sum((-1) ** (len(fields) - len(s)) * log_odds(s) for s in sets)

    of_orders = np.array(
        [sum(added(f) ** 2 for f in itertools.combinations(rule.group, n)) for n in (1, 2, 3)]
    )
    np.testing.assert_allclose(rule.true_shares(), of_orders / of_orders.sum())


def test_rules_and_their_conditions():
    assert condition(PLANTED_RULES["rule_2_dense"]) == "f3=b3,f4=b1"
    assert PLANTED_RULES["rule_3"].interacting() == ((5, 6, 7),)
    assert PLANTED_RULES["mixture"].interacting() == ((1,), (3, 4))


@pytest.mark.parametrize("name", PLANTED_RULES)
def test_the_best_auc_of_a_rule_is_that_of_its_records(name, tmp_path):
    builder = records.Builder(config=name, data_dir=tmp_path)
    drawn = builder._read_chunk(records.Records(0, 100_000)).values
    numbers = [pc.utf8_slice_codeunits(column, 1).cast("int64") for column in drawn.columns]
    values = np.column_stack(numbers) - 1
    clicks = records._probabilities(builder.builder_config, values).round(6)
    probabilities, counts = np.unique(-clicks, return_counts=True)
    found = best_auc(counts / counts.sum(), -probabilities)
    assert PLANTED_RULES[name].best_auc == pytest.approx(found, abs=3e-3)
