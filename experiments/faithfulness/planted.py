"""Whether each method finds the fields, pairs, triples and orders of a planted rule.

    python -m experiments.faithfulness.planted --dataset=synthetic_rules/rule_2 --form=released

Trains a form of InterHAt, or `lightgbm` or `ebm`, with each of `--seeds` on a rule
of `common/planted_rules.py`, and explains test records that match the rule. A
method has found the rule's fields if as many fields as are planted, those with
the largest values, averaged over the records, are the planted ones. What else is
asked stands in `field_measures.py` and `group_measures.py`. Writes
`faithfulness/planted/RULE-FORM/summary.json` after each model, for `make page`, and
keeps the seeds that it has, of the same data and epochs: a study can be stopped, and
gone on with, at any one. Delete the file to do them again.
"""

from typing import Any

import keras
import numpy as np
from absl import flags

from experiments.common.flags import DATASET
from experiments.common.planted_rules import (
    FORMS,
    LAST_PHASE,
    ORDERED,
    PLANTED_RULES,
    Rule,
    condition,
)
from experiments.common.results import write_result
from experiments.common.running import run_program
from experiments.common.seed_flags import SEEDS
from experiments.common.studies import known_summary, open_data, run_flags, study_record
from experiments.faithfulness import field_measures, group_measures
from experiments.faithfulness.field_measures import Backgrounds
from experiments.faithfulness.methods import Inputs, magnitudes
from experiments.faithfulness.models import (
    BACKGROUND,
    backgrounds_of,
    explained_runs,
    forget_models,
    with_effects,
)
from experiments.faithfulness.tree_models import TreeModel
from interhat_tf.calibration import probability
from interhat_tf.commands import conditions
from interhat_tf.explanation import effect_fitting
from interhat_tf.explanation.batches import predict
from interhat_tf.explanation.selection import first_records
from interhat_tf.input_pipeline.dataset import PreparedDataset
from interhat_tf.training import align_attention
from interhat_tf.training.evaluation import evaluate
from interhat_tf.utils.provenance import versions

TREES = {"lightgbm": "tree_shap", "ebm": "ebm"}
# The form whose models are given an effect head, as is the form that a rule names for its training.
WITH_EFFECTS = "released"
FORM = flags.DEFINE_enum("form", "released", [*FORMS, *TREES], "what is trained")
PLANTED_RECORDS = flags.DEFINE_integer("planted_records", 50, "matching records that are explained")
# Training records from which donors' values are drawn.
DONORS = 4096
# Records whose interactions are computed over all coalitions.
COALITIONS = 10


def main(_):
    rule_name = DATASET.value.partition("/")[2]
    if rule_name not in PLANTED_RULES:
        raise ValueError(f"--dataset must be synthetic_rules/…: {', '.join(PLANTED_RULES)}")
    rule, data = PLANTED_RULES[rule_name], open_data()
    name = f"faithfulness/planted/{rule_name}-{FORM.value}/summary.json"
    about = {
        "rule": rule_name,
        "form": FORM.value,
        "flags": {**rule.training, **FORMS.get(FORM.value, {})},
        "group": [f"f{i}" for i in rule.group],
        "records": PLANTED_RECORDS.value,
        "background": BACKGROUND.value,
    }
    if FORM.value == ORDERED:
        about["last_phase"] = LAST_PHASE
    if takes_effects(rule):
        about["effect_steps"] = effect_fitting.least_steps(data.schema)
    runs = (known_summary(name, study_record(data), **about) or {"runs": {}})["runs"]
    missing = [seed for seed in SEEDS.value if str(seed) not in runs]
    records = first_records(
        data, "test", PLANTED_RECORDS.value, conditions.condition(data, condition(rule))
    )
    for seed in missing:
        model, of_model = trained(rule, data, seed)
        runs[str(seed)] = {
            **of_model,
            **explained(model, rule, data, records, seed),
            "commit": versions()["commit"],
        }
        del model
        forget_models()
        in_order = {str(s): runs[str(s)] for s in sorted(map(int, runs))}
        summary = {**study_record(data), **about, "best_auc": rule.best_auc, "runs": in_order}
        write_result(name, summary)
        found = [m for m, row in runs[str(seed)]["fields"].items() if row["found"]]
        print(f"{rule_name}, {FORM.value}, seed {seed}: found by {', '.join(found)}", flush=True)


def trained(
    rule: Rule, data: PreparedDataset, seed: int
) -> tuple[keras.Model | TreeModel, dict[str, Any]]:
    """Returns a model of the form with a seed, and its test AUC and what its effects are like."""
    if FORM.value in TREES:
        trees = TreeModel(TREES[FORM.value], data, seed)
        return trees, {"test": trees.test_auc}
    given = {"order": rule.order, **rule.training, **FORMS[FORM.value]}
    run = run_flags("interhat", seed=seed, **given)
    ((_, model, report),) = explained_runs([run])
    if FORM.value == ORDERED:
        align_attention(model, data, weight=0.0, **LAST_PHASE)
        return model, {"test": evaluate(model, data, "test")["auc"]}
    if not takes_effects(rule):
        return model, {"test": report["test"]["auc"]}
    model = with_effects(model, data, run["output_dir"])
    return model, {"test": report["test"]["auc"], "fidelity": model.diagnosis["effects"]}


def takes_effects(rule: Rule) -> bool:
    """Returns whether the form's models of a rule are given an effect head."""
    return FORM.value in (WITH_EFFECTS, rule.training.get("preset"))


def explained(
    model: keras.Model | TreeModel, rule: Rule, data: PreparedDataset, records: Inputs, seed: int
) -> dict[str, Any]:
    """Returns all that is asked of a model's explanations of records that match its rule."""
    training, backgrounds = first_records(data, "train", DONORS), backgrounds_of(data)
    of_all, of_matching = (
        float(probability(predict(model, inputs)).mean()) for inputs in (training, records)
    )
    return {
        "probability": {"matching": of_matching, "all": of_all},
        "fields": of_fields(model, rule, records, backgrounds, seed),
        **of_groups(model, rule, records, backgrounds.own, seed),
        "orders": group_measures.orders_of(model, records, training),
    }


def of_fields(
    model: keras.Model | TreeModel, rule: Rule, records: Inputs, backgrounds: Backgrounds, seed: int
) -> dict[str, Any]:
    """Returns what each method says of the fields, and whether it is true."""
    found = field_measures.explain(model, records, backgrounds, seed)
    group = np.array(rule.group) - 1
    return {
        name: {
            **recovery(name, values, group),
            **field_measures.measures(name, found),
            "means": magnitudes(name, values).mean(axis=0).round(4).tolist(),
        }
        for name, values in found.values.items()
    }


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


def of_groups(
    model: keras.Model | TreeModel, rule: Rule, records: Inputs, background: Inputs, seed: int
) -> dict[str, Any]:
    """Returns what each method says of pairs and triples, if the rule has any."""
    pairs = group_measures.planted_pairs(rule.interacting())
    if not pairs:
        return {}
    every = list(zip(*np.triu_indices(len(model.schema.fields), 1), strict=True))
    planted = np.array([pair in pairs for pair in every])
    few = {kind: values[:COALITIONS] for kind, values in records.items()}
    exact = group_measures.exact_interactions(model, few, background)
    values = group_measures.pair_values(model, records, background, seed)
    found = {
        name: {
            **group_measures.naming(of_pairs, planted),
            **group_measures.against_coalitions(name, of_pairs[:COALITIONS], exact),
        }
        for name, of_pairs in values.items()
    }
    triples = [group for group in rule.interacting() if len(group) == 3]
    if not triples:
        return {"pairs": found}
    triple = group_measures.triples_found(model, records, background, triples[0])
    return {"pairs": found, "triple": triple}


if __name__ == "__main__":
    run_program(main, required=["dataset"], seeds=list(range(1, 21)))
