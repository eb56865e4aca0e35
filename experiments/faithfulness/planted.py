"""Whether each method finds the fields of a planted rule.

    python -m experiments.faithfulness.planted --dataset=synthetic_rules/rule_2 --form=released

Trains a form of InterHAt with 20 seeds on a rule of `common/planted_rules.py`
and explains test records that match the rule by every method of `methods.py`. A
method has found the rule's group G if the |G| fields with the largest values,
averaged over the records, are G. Writes
`faithfulness/planted/RULE-FORM/summary.json`, for `make page`. Runs that are
done are not run again.
"""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from absl import flags
from scipy import stats

from experiments.common.flags import DATASET
from experiments.common.planted_rules import FORMS, PLANTED_RULES, condition
from experiments.common.results import write_result
from experiments.common.running import run_program
from experiments.common.seed_flags import SEEDS
from experiments.common.statistics import CONFIDENCE, mean_and_std
from experiments.common.studies import open_data, runs_of, study_record
from experiments.faithfulness.methods import METHODS, attributions, magnitudes
from experiments.faithfulness.models import background_of, explained_runs
from interhat_tf.commands.conditions import first_records

FORM = flags.DEFINE_enum("form", "released", list(FORMS), "form of the model")
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
    values, aucs = {}, {}
    runs = runs_of("interhat", order=rule.order, **FORMS[FORM.value])
    for seed, model, report in explained_runs(runs):
        values[seed] = attributions(model, records, background, seed)
        aucs[seed] = report["test"]["auc"]
    group = np.array(rule.group) - 1
    of_methods = {
        name: recoveries(name, [values[s][name] for s in SEEDS.value], group) for name in METHODS
    }
    summary = {
        **study_record(data),
        "rule": rule_name,
        "form": FORM.value,
        "flags": FORMS[FORM.value],
        "group": [f"f{i}" for i in rule.group],
        "best_auc": rule.best_auc,
        "test": mean_and_std([aucs[seed] for seed in SEEDS.value]),
        "seeds": SEEDS.value,
        "records": len(records["categorical"]),
        "background": len(background["categorical"]),
        "models_together": TOGETHER.value,
        "methods": of_methods,
    }
    write_result(f"faithfulness/planted/{rule_name}-{FORM.value}/summary.json", summary)
    for name, row in of_methods.items():
        print(f"{name:22} found in {row['alone']['found']} of {len(SEEDS.value)}")


def recoveries(name: str, of_seeds: Sequence[np.ndarray], group: np.ndarray) -> dict[str, Any]:
    """Returns how far a method points at the planted fields, one model and several.

    Its values are (B, m) for each seed; the group holds the fields' positions.
    """
    alone = [recovery(name, values, group) for values in of_seeds]
    together = summarise_recovery([recovery(name, mean, group) for mean in averages(of_seeds)])
    return {"alone": summarise_recovery(alone), "together": together, "seeds": alone}


def recovery(name: str, values: np.ndarray, group: np.ndarray) -> dict[str, Any]:
    """Returns how far a model's values, (B, m), point at the planted fields.

    `found` says whether the means over the records are largest for the group, `share` is the
    share of the group among the |G| largest of each record.
    """
    mean = magnitudes(name, values.mean(axis=0))  # (m,)
    each = np.argsort(-magnitudes(name, values), axis=1)[:, : len(group)]  # (B, |G|)
    return {
        "found": set(np.argsort(-mean)[: len(group)]) == set(group),
        "share": float(np.isin(each, group).mean()),
    }


def averages(of_seeds: Sequence[np.ndarray]) -> Iterator[np.ndarray]:
    """Yields the values of each `TOGETHER` consecutive seeds, averaged, around in a circle.

    A model whose values are all twice another's counts no more for it.
    """
    scaled = [values / np.abs(values).mean() for values in of_seeds]
    for first in range(len(scaled)):
        positions = [(first + i) % len(scaled) for i in range(TOGETHER.value)]
        yield np.mean([scaled[position] for position in positions], axis=0)


def summarise_recovery(rows: Sequence[dict[str, Any]]) -> dict[str, Any]:
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
    run_program(main, required=["dataset"], seeds=list(range(1, 21)))
