"""What the crosses that a model suggests are worth to other models, as GLIDER tests them.

    python -m experiments.faithfulness.crosses --dataset=frappe/nfm --raw_dir=FOLDER

An InterHAt with seed 0 and without crosses suggests crosses, by its pair effects
on validation. LR, InterHAt and LightGBM are then trained with none, with the first, the
first 3 and the first 5 of them, with the click counts of as many, and with as many crosses
drawn at random among the other pairs, others for each seed. The penalty is chosen on
validation for each, with two other seeds, but for LightGBM, which has Table 3's setting;
the runs of `--seeds` alone read the test split, once each. Writes `crosses/DATASET/MODEL.json`
as each variant is done, for `make page`, and keeps those that it has, of the same data, crosses,
settings and seeds. Runs that are done are not run again.
"""

import json
import random
from collections.abc import Sequence
from typing import Any

import keras
from absl import flags

from experiments.common.flags import chosen_models
from experiments.common.markdown import spread
from experiments.common.published import PAIRS_ROW
from experiments.common.results import write_result
from experiments.common.running import run_program
from experiments.common.seed_flags import SEEDS
from experiments.common.studies import (
    METRICS,
    Run,
    known_summary,
    open_data,
    result_name,
    run_flags,
    study_record,
    summarise,
    train_all,
)
from interhat_tf.explanation.interactions import Group, field_groups
from interhat_tf.explanation.suggested_crosses import SuggestedCross, suggest_crosses
from interhat_tf.input_pipeline.dataset import PreparedDataset

# Two, since the seeds of one penalty may differ by more than penalties do.
SEARCH_SEEDS = (0, 11)
COUNTS = (1, 3, 5)
KINDS = ("suggested", "clicks", "random")
_TUNED = {"model": "interhat", "preset": "tuned", "penalty_factor": 1.0}  # it is searched for
SETTINGS: dict[str, dict[str, Any]] = {
    "lr": {"model": "lr", "learning_rate": 1e-2, "ema_momentum": 0.995, "batch_size": 1024},
    # `tuned` as it was before it had values of pairs.
    "interhat": {
        **_TUNED,
        "pair_values": False,
        "embedding_dim": 32,
        "value_dim": 200,
        "patience": 5,
        "alignment_epochs": 0,
        "effect_weight": 0.0,
    },
    PAIRS_ROW: _TUNED,
    # As Table 3's search chose on Frappe.
    "lightgbm": {
        "model": "lightgbm",
        "num_leaves": 127,
        "learning_rate": 0.05,
        "min_data_in_leaf": 50,
        "max_cat_threshold": 8,
    },
}
# What each chooses on Frappe without crosses, and others on both sides: of InterHAt most below,
# since crosses bring it many more ids.
PENALTIES: dict[str, Sequence[float | None]] = {
    "lr": (0.0, 3e-6, 1e-5, 3e-5),
    "interhat": (1e-1, 3e-1, 2.5e-2, 1e-2, 3e-3),
    PAIRS_ROW: (3.2e-2, 1e-1, 3e-1, 1e-2, 3e-3),
    "lightgbm": (None,),
}
VARIANT = flags.DEFINE_multi_string("variant", None, "variants to train; default: all")


def main(_):
    if used := set(SEARCH_SEEDS) & set(SEEDS.value):
        raise ValueError(f"seed {min(used)} chose the settings; the final runs need others")
    data = open_data()
    suggested = suggestions(data)
    for cross in suggested:
        print(cross)
    about = {
        **study_record(data),
        "suggested": [vars(cross) for cross in suggested],
        "penalties": PENALTIES,
        "settings": SETTINGS,
    }
    for model in chosen_models(SETTINGS):
        rows = known_rows(model, about)
        for variant in chosen_variants():
            rows[variant] = study(model, variant, data, suggested)
            in_order = {variant: rows[variant] for variant in variants() if variant in rows}
            write_result(file_name(model), {**about, "rows": in_order})


def file_name(model: str) -> str:
    """Returns the name of a model's results on the data set."""
    return f"crosses/{result_name()}/{model}.json"


def known_rows(model: str, about: dict[str, Any]) -> dict[str, Any]:
    """Returns the variants that a model's file has, of the same data, crosses, settings and seeds.

    An earlier file does not say its settings.
    """
    known = known_summary(file_name(model), about, suggested=about["suggested"])
    if known is None:
        return {}
    # Others' penalties and settings may be others by now.
    now = json.loads(json.dumps(about))
    known = {"settings": now["settings"], **known}
    if any(known[of][model] != now[of][model] for of in ("penalties", "settings")):
        return {}
    return {v: row for v, row in known["rows"].items() if row["seeds"] == sorted(SEEDS.value)}


def chosen_variants() -> list[str]:
    """Returns the names of the variants that `--variant` chooses.

    Raises:
        ValueError: If there is no such variant.
    """
    if unknown := set(VARIANT.value or ()) - set(variants()):
        raise ValueError(f"--variant: {', '.join(sorted(unknown))}: not of {', '.join(variants())}")
    return VARIANT.value or variants()


def suggestions(data: PreparedDataset) -> list[SuggestedCross]:
    """Returns the crosses that an InterHAt without any suggests, the strongest first."""
    run = run_of("interhat", PENALTIES["interhat"][0], SEARCH_SEEDS[0], ())
    train_all({"teacher": [run]})
    model = keras.saving.load_model(f"{run['output_dir']}/model.keras")
    return suggest_crosses(model, data, top=max(COUNTS))


def variants() -> list[str]:
    """Returns the names of the variants, in the order in which they are trained."""
    return ["none", *(f"{kind} {n}" for n in COUNTS for kind in KINDS)]


def study(
    model: str, variant: str, data: PreparedDataset, suggested: Sequence[SuggestedCross]
) -> dict[str, Any]:
    """Chooses a variant's penalty on validation, and returns its row of the final seeds."""

    def run(seed, penalty):
        crosses = crosses_of(variant, data, suggested, seed)
        return run_of(model, penalty, seed, crosses, clicks=variant.startswith("clicks"))

    penalty, *others = PENALTIES[model]
    if others:
        trials = train_all(
            {penalty: [run(seed, penalty) for seed in SEARCH_SEEDS] for penalty in PENALTIES[model]}
        )
        penalty = min(trials, key=lambda penalty: sum(map(loss_of, trials[penalty])))
    (reports,) = train_all({variant: [run(seed, penalty) for seed in SEEDS.value]}).values()
    row = summarise(reports)
    auc, logloss = (spread(row["test"][metric]) for metric in METRICS)
    print(f"{model}, {variant}: penalty {penalty}, test AUC {auc}, logloss {logloss}")
    crosses = {s: crosses_of(variant, data, suggested, s) for s in SEEDS.value}
    return {"penalty": penalty, "crosses": crosses, **row}


def loss_of(report: dict[str, Any]) -> float:
    """Returns what settings are chosen by, the smaller the better."""
    return report["validation"]["logloss"] - report["validation"]["auc"]


def run_of(
    model: str, penalty: float | None, seed: int, crosses: Sequence[Group], clicks: bool = False
) -> Run:
    """Returns the flags of a run; with a seed that chooses, the test split is not read."""
    settings = {**SETTINGS[model], "seed": seed}
    if penalty is not None:
        settings["embedding_l2"] = penalty
    if crosses:
        settings["click_counts" if clicks else "crosses"] = [",".join(pair) for pair in crosses]
    return run_flags(**settings, **({"test": False} if seed in SEARCH_SEEDS else {}))


def crosses_of(
    variant: str, data: PreparedDataset, suggested: Sequence[SuggestedCross], seed: int
) -> list[Group]:
    """Returns the crosses of a variant with a seed."""
    if variant == "none":
        return []
    kind, count = variant.split()
    if kind != "random":
        return [cross.fields for cross in suggested[: int(count)]]
    categorical = {field.name for field in data.schema.categorical}
    named = {cross.fields for cross in suggested}
    pairs = field_groups(data.schema, 2)
    others = [p for p in pairs if categorical.issuperset(p) and p not in named]
    return random.Random(seed).sample(others, max(COUNTS))[: int(count)]


if __name__ == "__main__":
    run_program(main, required=["dataset"], seeds=[1, 2, 3])
