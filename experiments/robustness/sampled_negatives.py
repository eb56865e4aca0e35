"""Trains on a log of which most rows without a click were left out, by several corrections.

    python -m experiments.robustness.sampled_negatives

A generated log of rare clicks is kept whole (`all`), or a share of its rows without a click
is, by chance. On those rows a model is trained with `negative_sampling_rate` (`offset`: the logit
in the loss is shifted), with weights of 1 / share for the rows without a click (`weights`; the
penalty of the embeddings is that for the rows of the whole log), and as they are (`none`).
Writes `sampled_negatives/summary.json`: AUC, logloss and the mean prediction on new rows of the
whole log, and the rate of clicks there. About a minute a seed on one core.
"""

import pathlib
import tempfile
from typing import Any

import keras
import numpy as np
import pyarrow as pa
from absl import flags

from experiments.common.results import record, write_result
from experiments.common.running import run_program
from experiments.common.seed_flags import SEEDS
from experiments.common.statistics import mean_and_std, paired_difference
from interhat_tf import InterHAt, TrainingSettings, prepare_click_log, train
from interhat_tf.calibration import probability
from interhat_tf.explanation.batches import predict
from interhat_tf.training.metrics import auc, logloss

METHODS: dict[str, dict[str, Any]] = {
    "offset": {"exclude": "weight"},
    "weights": {"weight": "weight"},
    "none": {"exclude": "weight"},
    "all": {"exclude": "weight"},
}
SIZES = {"embedding_dim": 8, "value_dim": 32, "mlp_units": (32,)}
FIELDS = {"user": 200, "app": 30, "day": 7, "city": 50}

RATE = flags.DEFINE_float("rate", 0.05, "share of the rows without a click that are kept")
ROWS = flags.DEFINE_integer("sampled_rows", 100_000, "rows of the whole log", lower_bound=1_000)


def main(_):
    runs = []
    for seed in SEEDS.value:
        whole, fresh = make_log(ROWS.value, seed), make_log(ROWS.value, seed + 1_000)
        drawn = np.random.default_rng([seed, 1]).random(ROWS.value)
        kept = (whole["click"] == 1) | (drawn < RATE.value)
        whole["weight"] = np.where(whole["click"] == 1, 1.0, 1 / RATE.value)
        for method in METHODS:
            log = {name: v if method == "all" else v[kept] for name, v in whole.items()}
            runs.append({"seed": seed, "method": method, **train_on(log, fresh, method, seed)})
    summary = {
        **record(seeds=SEEDS.value),
        **{"rows": ROWS.value, "rate": RATE.value},
        "methods": {method: summarise(runs, method) for method in METHODS},
        "runs": runs,
    }
    write_result("sampled_negatives/summary.json", summary)
    for method, found in summary["methods"].items():
        figures = ", ".join(
            f"{name} {found[name]['mean']:.4f} ({found[name]['std']:.4f})"
            for name in ("auc", "logloss", "ratio")
        )
        print(f"{method}: {figures}")


def make_log(rows: int, seed: int) -> dict[str, np.ndarray]:
    """Returns rows whose clicks, some 4%, depend on a user and an app together, and on a city."""
    random, truth = np.random.default_rng(seed), np.random.default_rng(7)
    log = {name: random.integers(0, size, rows) for name, size in FIELDS.items()}
    users, apps = truth.normal(size=(FIELDS["user"], 3)), truth.normal(size=(FIELDS["app"], 3))
    together = 0.8 * (users[log["user"]] * apps[log["app"]]).sum(axis=1)
    logits = together + 0.5 * truth.normal(size=FIELDS["city"])[log["city"]] - 4.0
    return {"click": (random.random(rows) < probability(logits)).astype(int), **log}


def train_on(
    log: dict[str, np.ndarray], fresh: dict[str, np.ndarray], method: str, seed: int
) -> dict[str, Any]:
    """Trains a model on a log and returns what it says of fresh rows of the whole log."""
    options = METHODS[method]
    if method == "offset":
        options = {**options, "negative_sampling_rate": RATE.value}
    with tempfile.TemporaryDirectory() as folder:
        data = prepare_click_log(pa.table(log), name="log", data_dir=folder, **options)
        keras.utils.set_random_seed(seed)
        rows = data.num_rows("train")
        of_penalty = ROWS.value * 8 // 10 if method == "weights" else rows
        model = InterHAt.from_preset("tuned", data.schema, rows=of_penalty, **SIZES)
        settings = TrainingSettings.of_model(
            model,
            # Predictions alone are compared: attention is not aligned.
            **{"max_epochs": 15, "ema_momentum": None, "effect_weight": 0.0},
            batch_size=512 if method == "all" else 64,
        )
        report = train(model, data, pathlib.Path(folder) / "run", settings, test=False)
        logits = predict(model, data.encode({name: fresh[name] for name in FIELDS}))
    rate, mean = float(fresh["click"].mean()), float(probability(logits).mean())
    return {
        **{"train_rows": rows, "epochs": report["training"]["epochs"]},
        **{"auc": auc(fresh["click"], logits), "logloss": logloss(fresh["click"], logits)},
        **{"click_rate": rate, "predicted_rate": mean, "ratio": mean / rate},
    }


def summarise(runs: list[dict[str, Any]], method: str) -> dict[str, Any]:
    """Returns means and deviations of a method's runs, and their differences to `offset`'s."""
    of_method, of_offset = (
        [run for run in runs if run["method"] == name] for name in (method, "offset")
    )
    found: dict[str, Any] = {}
    for figure in ("auc", "logloss", "ratio"):
        values, others = ([run[figure] for run in of] for of in (of_method, of_offset))
        found[figure] = mean_and_std(values)
        if method != "offset" and len(values) > 1:
            found[f"{figure}_less_offset"] = paired_difference(values, others)
    return found


if __name__ == "__main__":
    run_program(main, seeds=[1, 2, 3])
