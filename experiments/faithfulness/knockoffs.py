"""How many of the pairs that are called interactions are false, at a level that is set before.

    python -m experiments.faithfulness.knockoffs --dataset=synthetic_rules/rule_2_dense_knockoffs

Trains a `released` InterHAt with each of `--seeds` on a planted rule whose ten
fields have ten knockoffs, fields of the same distribution that decide nothing.
Fields that count have larger pair effects with every other field, also where
nothing decides together with it, so that each field has a null of its own, its pair effects
with the knockoffs; measures have to be calibrated in this sense in Diamond as
well (Chen et al., 2024). A pair of the ten fields is named if its effect is too large
for the nulls of both, at a false discovery rate of 10% by Benjamini and Hochberg's
rule. Sizes are means over the first test records, whichever they are. Writes
`faithfulness/knockoffs/RULE/summary.json` after each model, for `make page`, and
keeps the seeds that it has, of the same data and epochs.
"""

import itertools
from typing import Any

import keras
import numpy as np
from scipy import stats

from experiments.common.flags import DATASET
from experiments.common.planted_rules import PLANTED_RULES
from experiments.common.results import write_result
from experiments.common.running import run_program
from experiments.common.seed_flags import SEEDS
from experiments.common.studies import known_summary, open_data, run_flags, study_record
from experiments.faithfulness.group_measures import planted_pairs
from experiments.faithfulness.models import backgrounds_of, explained_runs, forget_models
from interhat_tf.explanation.interactions import pair_effects
from interhat_tf.explanation.selection import first_records
from interhat_tf.schema import Batch

SUFFIX, FIELDS, LEVEL = "_knockoffs", 10, 0.1
# Test records over which the sizes of effects are averaged.
RECORDS = 50


def main(_):
    rule_name = DATASET.value.partition("/")[2].removesuffix(SUFFIX)
    if not DATASET.value.endswith(SUFFIX) or rule_name not in PLANTED_RULES:
        raise ValueError(f"--dataset must be synthetic_rules/RULE{SUFFIX}, got {DATASET.value}")
    rule, data = PLANTED_RULES[rule_name], open_data()
    name = f"faithfulness/knockoffs/{rule_name}/summary.json"
    about = {"rule": rule_name, "records": RECORDS, "level": LEVEL}
    runs = (known_summary(name, study_record(data), **about) or {"runs": {}})["runs"]
    records, background = first_records(data, "test", RECORDS), backgrounds_of(data).own
    for seed in [seed for seed in SEEDS.value if str(seed) not in runs]:
        run = run_flags("interhat", seed=seed, order=rule.order, preset="released")
        ((_, model, report),) = explained_runs([run])
        planted = planted_pairs(rule.interacting())
        named = named_pairs(model, records, background)
        runs[str(seed)] = {"test": report["test"]["auc"], **judged(named, planted)}
        del model
        forget_models()
        in_order = {str(s): runs[str(s)] for s in sorted(map(int, runs))}
        write_result(name, {**study_record(data), **about, "runs": in_order})


def judged(named: set[tuple[int, int]], planted: set[tuple[int, int]]) -> dict[str, Any]:
    """Returns how many pairs were `named`, and how many of them, and of the planted, are right.

    `false` is the share of false pairs among those that were named, 0 of none.
    """
    right = len(named & planted)
    false = (len(named) - right) / max(len(named), 1)
    return {"named": len(named), "right": right, "planted": len(planted), "false": false}


def named_pairs(model: keras.Model, records: Batch, background: Batch) -> set[tuple[int, int]]:
    """Returns the pairs of the first ten fields that are called interactions, as positions."""
    effects = np.abs(pair_effects(model, records, background)).mean(axis=0)  # (pairs,)
    sizes = np.zeros((2 * FIELDS, 2 * FIELDS))
    one, other = np.triu_indices(2 * FIELDS, 1)
    sizes[one, other] = sizes[other, one] = effects
    pairs = list(itertools.combinations(range(FIELDS), 2))
    nulls = sizes[:FIELDS, FIELDS:]  # of each field with the knockoffs
    p = [max(p_value(sizes[pair], nulls[field]) for field in pair) for pair in pairs]
    return set(itertools.compress(pairs, discoveries(np.array(p))))


def p_value(size: float, null: np.ndarray) -> float:
    """Returns how probable a size that large is where there is no interaction.

    The logarithms of sizes are taken for normal, so that one more of them is apart from the mean
    of the null's n as Student's t with n - 1 degrees of freedom says.

    Args:
        size: Of the pair in question.
        null: Of pairs without an interaction, (n,).

    Example:

    >>> null = np.exp([-1.0, 0.0, 1.0])
    >>> round(p_value(1.0, null), 3), round(p_value(np.exp(5.0), null), 3)
    (0.5, 0.025)
    """
    logs = np.log(null)
    spread = logs.std(ddof=1) * np.sqrt(1 + 1 / len(logs))
    return float(stats.t.sf((np.log(size) - logs.mean()) / spread, len(logs) - 1))


def discoveries(p: np.ndarray) -> np.ndarray:
    """Returns which of several p-values, (n,), are small enough, by Benjamini and Hochberg's rule.

    Example:

    >>> discoveries(np.array([0.02, 0.9, 0.06, 0.3]))
    array([ True, False, False, False])
    """
    return stats.false_discovery_control(p) <= LEVEL


if __name__ == "__main__":
    run_program(main, required=["dataset"], seeds=list(range(1, 21)))
