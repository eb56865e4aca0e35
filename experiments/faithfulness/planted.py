"""Whether each method finds the fields of a planted rule.

    python -m experiments.faithfulness.planted --dataset=synthetic_rules/rule_2 --form=released

Trains a form of InterHAt with 20 seeds on a rule of `planted_rules.py` and
explains test records that match the rule by every method of `methods.py`.
A method has found the rule's group G if the |G| fields with the largest numbers,
averaged over the records, are G. Writes
`experiments/results/faithfulness/planted/RULE-FORM/summary.json`; `python -m
experiments.faithfulness.page` makes the page. Runs that are done are not run again.
"""

import pathlib

import numpy as np
from absl import flags
from scipy import stats

from experiments.common.data_flags import DATASET
from experiments.common.planted_rules import FORMS, PLANTED_RULES, condition
from experiments.common.results import RESULTS_DIR
from experiments.common.running import run_program
from experiments.common.statistics import CONFIDENCE, mean_and_std
from experiments.common.studies import heading, open_data, run_flags
from experiments.faithfulness.methods import METHODS, attributions, magnitudes
from experiments.faithfulness.models import background_of, explained_runs
from interhat_tf.commands.conditions import first_records
from interhat_tf.utils.files import write_json

FORM = flags.DEFINE_enum("form", "released", list(FORMS), "form of the model")
PLANTED_SEEDS = flags.DEFINE_integer("planted_seeds", 20, "number of seeds, from 1")
PLANTED_RECORDS = flags.DEFINE_integer("planted_records", 50, "matching records that are explained")
TOGETHER = flags.DEFINE_integer("together", 5, "models whose explanations are averaged")


def main(_):
    rule_name = DATASET.value.partition("/")[2]
    if rule_name not in PLANTED_RULES:
        raise ValueError(f"--dataset must be synthetic_rules/…: {', '.join(PLANTED_RULES)}")
    rule = PLANTED_RULES[rule_name]
    data = open_data()
    records = first_records(data, "test", PLANTED_RECORDS.value, condition(rule))
    background = background_of(data)
    seeds = range(1, PLANTED_SEEDS.value + 1)
    runs = [run_flags("interhat", seed=s, order=rule.order, **FORMS[FORM.value]) for s in seeds]
    found, reports = {}, {}
    for seed, model, report in explained_runs(runs):
        found[seed] = attributions(model, records, background, seed)
        reports[seed] = report
    group = np.array(rule.group) - 1
    of_methods = {}
    for name in METHODS:
        alone = [recovery(name, found[seed][name], group) for seed in seeds]
        together = [recovery(name, mean, group) for mean in averages(found, name, seeds)]
        of_methods[name] = {
            "alone": summarise_recovery(alone),
            "together": summarise_recovery(together),
            "seeds": alone,
        }
    summary = {
        **heading(data),
        "rule": rule_name,
        "form": FORM.value,
        "flags": FORMS[FORM.value],
        "group": [f"f{i}" for i in rule.group],
        "best_auc": rule.best_auc,
        "test": mean_and_std([reports[seed]["test"]["auc"] for seed in seeds]),
        "seeds": list(seeds),
        "records": len(records["categorical"]),
        "background": len(background["categorical"]),
        "models_together": TOGETHER.value,
        "methods": of_methods,
    }
    folder = pathlib.Path(RESULTS_DIR.value) / f"faithfulness/planted/{rule_name}-{FORM.value}"
    write_json(folder / "summary.json", summary)
    for name, row in of_methods.items():
        print(f"{name:22} found in {row['alone']['found']} of {len(seeds)}")


def recovery(name, values, group):
    """Returns how far a method's numbers point at the planted fields.

    Args:
        name: The method.
        values: Its numbers, (B, m).
        group: Places of the planted fields.

    Returns:
        `found`: whether the means over the records are largest for the group;
        `share`: the share of the group among the |G| largest, over the records.
    """
    mean = magnitudes(name, values.mean(axis=0))  # (m,)
    each = np.argsort(-magnitudes(name, values), axis=1)[:, : len(group)]  # (B, |G|)
    return {
        "found": set(np.argsort(-mean)[: len(group)]) == set(group),
        "share": float(np.isin(each, group).mean()),
    }


def averages(found, name, seeds):
    """Yields the numbers of each `TOGETHER` consecutive seeds, averaged, around in a circle.

    A model whose numbers are all twice another's counts no more for it.
    """
    scaled = [values / np.abs(values).mean() for values in (found[seed][name] for seed in seeds)]
    for first in range(len(scaled)):
        places = [(first + i) % len(scaled) for i in range(TOGETHER.value)]
        yield np.mean([scaled[place] for place in places], axis=0)


def summarise_recovery(rows):
    """Returns in how many of the rows the group was found, and the mean share, with intervals."""
    count, shares = sum(row["found"] for row in rows), [row["share"] for row in rows]
    wilson = stats.binomtest(count, len(rows)).proportion_ci(CONFIDENCE, method="wilson")
    return {
        "found": count,
        "of": len(rows),
        "low": float(wilson.low),
        "high": float(wilson.high),
        "share": mean_and_std(shares),
    }


if __name__ == "__main__":
    run_program(main, required=["dataset"])
