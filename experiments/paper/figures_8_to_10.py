"""Figures 8 to 10: what InterHAt attends to when labels follow a planted rule.

    python -m experiments.paper.figures_8_to_10 --seeds=0

Prepares the records of the paper's Rules 1 to 3 (Table 4) and of a denser third
rule, trains InterHAt on each, and writes to
`figures_8_to_10/` under `--results_dir`: `summary.json`, a row a run, and a page
with the heat maps of the first seed, the mean effects beneath. About 3 minutes on 2
cores for a seed; the rows of other seeds stay as long as they come from the same
configuration, and those of other rules with `--rule`; none stays from other `--epochs`.
"""

import pathlib
from typing import Any

import keras
import numpy as np
from absl import flags

from experiments.common.flags import DATA_DIR, EPOCHS, RUNS_DIR
from experiments.common.planted_rules import PLANTED_RULES, condition
from experiments.common.results import read_result, record, result_path, write_result
from experiments.common.running import run_program, train_runs
from experiments.common.seed_flags import SEEDS, WORKERS
from experiments.report.rules_page import write_rules_page
from interhat_tf.commands import conditions
from interhat_tf.explanation.attention_maps import Attention
from interhat_tf.explanation.attributions import occlusion
from interhat_tf.explanation.batches import predict
from interhat_tf.explanation.selection import first_records
from interhat_tf.input_pipeline.catalog import prepared_dataset
from interhat_tf.preprocessing.rows import SPLITS

RULES = {name: rule for name, rule in PLANTED_RULES.items() if rule.figure}
SUMMARY = "figures_8_to_10/summary.json"
# Test records whose effects are averaged, and training records that they are against.
RECORDS, BACKGROUND = 50, 32

RULE = flags.DEFINE_multi_enum("rule", list(RULES), list(RULES), "rules; default: all")
PRESET = flags.DEFINE_string("preset", "released", "form of the model, of rules that name none")


def main(_):
    # A full run cannot go on in the folder of a short one.
    short = f"-{EPOCHS.value}-epochs" if EPOCHS.value else ""
    runs = [
        {
            "dataset": f"synthetic_rules/{name}",
            "preset": PRESET.value,
            "order": rule.order,
            "seed": seed,
            "heatmap_where": condition(rule),
            "heatmap_splits": list(SPLITS),
            "data_dir": DATA_DIR.value,
            "output_dir": f"{RUNS_DIR.value}/{name}-{PRESET.value}-{seed}{short}",
            **rule.training,
            **({"max_epochs": EPOCHS.value} if EPOCHS.value else {}),
        }
        for seed in SEEDS.value
        for name, rule in RULES.items()
        if name in RULE.value
    ]
    rows = []
    for run, report in train_runs(runs, WORKERS.value):
        name = run["dataset"].split("/")[1]
        attention = Attention.load(next(pathlib.Path(run["output_dir"]).glob("attention/*/f*.npz")))
        matching = on_matching_records(run, condition(RULES[name]))
        rows.append({**describe(name, run["seed"], attention, report), **matching})
    epochs = {"epochs": EPOCHS.value} if EPOCHS.value else {}
    summary = {**record(), **epochs, "runs": with_earlier_rows(rows)}
    write_result(SUMMARY, summary)
    write_rules_page(result_path("figures_8_to_10"), summary)


def on_matching_records(run: dict[str, Any], text: str) -> dict[str, Any]:
    """Returns means over test records that satisfy a condition: log-odds, and effects, [m]."""
    data = prepared_dataset(run["dataset"], run["data_dir"])
    model = keras.saving.load_model(f"{run['output_dir']}/model.keras")
    records = first_records(data, "test", RECORDS, conditions.condition(data, text))
    background = first_records(data, "train", BACKGROUND)
    return {
        "log_odds": round(float(predict(model, records).mean()), 4),
        "effects": occlusion(model, records, background).mean(axis=0).round(4).tolist(),
    }


def describe(name: str, seed: int, attention: Attention, report: dict[str, Any]) -> dict[str, Any]:
    """Returns what a run's attention, over the records that match the rule, says of the rule."""
    planted = np.array(RULES[name].group) - 1
    order = len(planted)
    combined = attention.order_weights @ attention.field_weights  # (m,)

    def found(weights):
        return set(np.argsort(-weights)[:order]) == set(planted)

    return {
        "rule": name,
        "seed": seed,
        "config": report["config"],
        "found": {
            # The row that the paper's figure shows, and all orders weighted by alpha_f.
            "row": bool(found(attention.field_weights[order - 1])),
            "combined": bool(found(combined)),
            "highest": bool(combined.argmax() in planted),
        },
        "planted_weights": combined[planted].round(4).tolist(),
        "order_weights": attention.order_weights.round(4).tolist(),
        "field_weights": attention.field_weights.round(4).tolist(),
        "records": attention.records,
        "probability": round(attention.probability, 4),
        "test": report["test"],
        "seconds": round(report["training"]["seconds"], 1),
        "machine": report["versions"]["machine"],
        "commit": report["versions"]["commit"],
    }


def with_earlier_rows(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Adds the earlier rows of other rules, and of other seeds of the same configuration.

    Rows of other epochs are all left out: those of other rules have no configuration to be
    compared with.
    """
    configs = {row["rule"]: row["config"] for row in rows}
    done = {(row["rule"], row["seed"]) for row in rows}
    earlier = read_result(SUMMARY) or {"runs": []}
    if earlier.get("epochs") != EPOCHS.value:
        earlier = {"runs": []}
    kept = [
        row
        for row in earlier["runs"]
        if row["rule"] not in configs
        or ((row["rule"], row["seed"]) not in done and is_of(row["config"], configs[row["rule"]]))
    ]
    return sorted(rows + kept, key=lambda row: (list(RULES).index(row["rule"]), row["seed"]))


def is_of(earlier: dict[str, Any], config: dict[str, Any]) -> bool:
    """Returns whether an earlier configuration is the same but for the seed.

    What a configuration of today says in addition, it did not have to choose.

    Example:

    >>> is_of({"training": {"seed": 1}}, {"training": {"seed": 2, "ema_momentum": 0}})
    True
    """
    return all(
        is_of(value, config.get(key, {})) if isinstance(value, dict) else config.get(key) == value
        for key, value in earlier.items()
        if key != "seed"
    )


if __name__ == "__main__":
    run_program(main, seeds=[0], runs_dir="runs/synthetic")
