"""How the default scale of numbers was chosen: the same log under each scale, on validation.

    python -m experiments.tuning.number_scales
    python -m experiments.tuning.number_scales --counts=FOLDER/train.txt

The generated log has heavy tails, counts that are often 0, numbers of either sign, missing
numbers that mean something, and one number without a tail, which a scale should not harm.
`--counts` is a log in Criteo's format, of which the 13 counts alone are read. Models are
`tuned` and a DNN; a seed draws the log or its split and the model's first weights. Writes
`number_scales/generated/summary.json` or `number_scales/counts/summary.json`. About 15
seconds a run on one core.
"""

import gzip
from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from absl import flags

from experiments.common.results import record, write_result
from experiments.common.running import run_program
from experiments.common.seed_flags import SEEDS
from experiments.common.statistics import METRICS, mean_and_std, paired_difference
from interhat_tf import Field, InterHAt, Schema
from interhat_tf.models import DNN
from interhat_tf.preprocessing.scaling import fit_scale
from interhat_tf.training import Adam, EarlyStopping, evaluate_batches

COUNTS = flags.DEFINE_string("counts", None, "log in Criteo's format, plain or .gz, for its counts")
ROWS = flags.DEFINE_integer("scaled_rows", 30_000, "rows of the generated log", lower_bound=1000)

SCALES = ("min-max", "log", "log from 0 to 1", "quantiles", "buckets")
BUCKETS = 32
USERS, APPS = 300, 30
EPOCHS = 12

Build = Callable[[Schema, int], keras.Model]
"""A function of a schema and the number of training rows."""

Log = tuple[np.ndarray, np.ndarray, np.ndarray]
"""Ids (rows, C), numbers (rows, N) with NaN where missing, and labels (rows,)."""


def main(_):
    path, seeds = COUNTS.value, list(SEEDS.value)
    logs = [read_counts(path, seed) if path else generate(ROWS.value, seed) for seed in seeds]
    models: dict[str, Any] = {}
    for name, build in MODELS.items():
        found = models[name] = {}
        for scaling in SCALES:
            runs = [run(build, log, scaling, seed) for log, seed in zip(logs, seeds, strict=True)]
            metrics = {metric: [values[metric] for values in runs] for metric in METRICS}
            found[scaling] = compared(metrics, found.get(SCALES[0], {}))
            print(name, scaling, *(f"{m} {np.mean(v):.4f}" for m, v in metrics.items()), flush=True)
    about = record(seeds=seeds, rows=len(logs[0][2]))
    folder = "counts" if path else "generated"
    write_result(f"number_scales/{folder}/summary.json", {**about, "models": models})


def tuned(schema: Schema, rows: int) -> keras.Model:
    """Returns the preset `tuned`."""
    return InterHAt.from_preset("tuned", schema, rows=rows)


def dnn(schema: Schema, rows: int) -> keras.Model:
    """Returns a small DNN."""
    return DNN(schema, mlp_units=(64, 64), embedding_l2=1e-5)


MODELS: dict[str, Build] = {"tuned": tuned, "dnn": dnn}


def run(build: Build, log: Log, scaling: str, seed: int) -> dict[str, float]:
    """Trains a model on the first 80% of a log and returns its metrics on the rest."""
    keras.utils.set_random_seed(seed)
    ids, numbers, labels = log
    train = len(labels) * 8 // 10
    schema, inputs = scaled(ids, numbers, train, scaling)
    parts = [
        ({kind: values[part] for kind, values in inputs.items()}, labels[part])
        for part in (slice(train), slice(train, None))
    ]
    rows, validation = (tf.data.Dataset.from_tensor_slices(part) for part in parts)
    batches, validation = rows.shuffle(train, seed=seed).batch(512), validation.batch(8192)
    model = build(schema, train)
    model.compile(Adam(2e-3), keras.losses.BinaryCrossentropy(from_logits=True))
    model.adapt_scores(batches)  # as `train` does
    stopping = EarlyStopping(validation, criterion="logloss")
    model.fit(batches, epochs=EPOCHS, callbacks=[stopping], verbose=0)
    return evaluate_batches(validation, model.predict_on_batch)


def scaled(
    ids: np.ndarray, numbers: np.ndarray, train: int, scaling: str
) -> tuple[Schema, dict[str, np.ndarray]]:
    """Returns the schema and the inputs of a log under a scale that its training rows fit."""
    columns = list(ids.T)
    if scaling == "buckets":
        columns += [in_buckets(column, train) for column in numbers.T]
    fields = [Field(f"id_{j}", "categorical", int(c.max()) + 1) for j, c in enumerate(columns)]
    inputs = {"categorical": np.column_stack(columns).astype("int32")} if columns else {}
    if scaling == "buckets":
        return Schema(fields), inputs
    columns = [on_scale(column, train, scaling) for column in numbers.T]
    fields += [Field(f"number_{j}", "numerical", may_be_missing=True) for j in range(len(columns))]
    return Schema(fields), {**inputs, "numerical": np.column_stack(columns).astype("float32")}


def on_scale(column: np.ndarray, train: int, scaling: str) -> np.ndarray:
    """Returns a column of numbers on a scale that its training rows fit, NaN where missing."""
    seen = column[:train][~np.isnan(column[:train])]
    low, high = seen.min(), seen.max()
    scale = fit_scale("log" if scaling == "log from 0 to 1" else scaling, low, high, seen)
    found = scale.apply(column)
    if scaling == "log from 0 to 1":
        start, end = scale.apply(np.array([low, high]))
        found = (found - start) / (end - start)
    return found


def in_buckets(column: np.ndarray, train: int) -> np.ndarray:
    """Returns ids of buckets of about as many training rows each; a missing number has the last."""
    seen = column[:train][~np.isnan(column[:train])]
    edges = np.unique(np.quantile(seen, np.linspace(0, 1, BUCKETS + 1)[:-1]))
    ids = np.searchsorted(edges, column, side="right").clip(1)
    return np.where(np.isnan(column), len(edges) + 1, ids)


def generate(rows: int, seed: int) -> Log:
    """Draws a log: what is clicked on follows from ids, numbers and what is missing."""
    random = np.random.default_rng([seed, 7])
    ids = np.column_stack([random.integers(1, USERS, rows), random.integers(1, APPS, rows)])
    price = np.exp(random.normal(1.0, 2.5, rows)) * random.pareto(1.5, rows)
    visits = np.floor(random.pareto(0.8, rows))
    balance = random.standard_t(1.2, rows) * 100
    share = random.random(rows)
    age = np.clip(random.normal(40, 12, rows), 18, 90).round()
    user, app = random.normal(0, 0.7, USERS)[ids[:, 0]], random.normal(0, 0.7, APPS)[ids[:, 1]]
    sensitivity = random.normal(0, 0.5, APPS)[ids[:, 1]]  # what an app's price does
    logit = user + app - 1.0
    logit += 1.2 * np.exp(-np.square(np.log(price + 1e-9) - 1.5) / 4) - 0.5
    logit += sensitivity * np.log1p(price) / 2 + 0.35 * np.log1p(visits)
    logit += 0.15 * np.sign(balance) * np.log1p(np.abs(balance) / 50) + np.sin(5 * share)
    logit += 0.02 * (age - 40)
    numbers = np.column_stack([price, visits, balance, share, age])
    for column, missing, effect in ((0, 0.1, -1.0), (1, 0.3, 0.8), (4, 0.15, 0.6)):
        gone = random.random(rows) < missing
        numbers[gone, column] = np.nan
        logit[gone] += effect
    return ids, numbers, (random.random(rows) < 1 / (1 + np.exp(-logit))).astype("float32")


def read_counts(path: str, seed: int) -> Log:
    """Reads the counts of a log in Criteo's format, its rows in random order."""
    with (gzip.open if path.endswith(".gz") else open)(path, "rt") as file:
        rows = np.array([[v or "nan" for v in line.split("\t")[:14]] for line in file], "float64")
    rows = rows[np.random.default_rng(seed).permutation(len(rows))]
    return np.empty((len(rows), 0)), rows[:, 1:], rows[:, 0].astype("float32")


def compared(metrics: dict[str, list[float]], first: dict[str, Any]) -> dict[str, Any]:
    """Returns each metric's mean, spread, and difference from the first scale's, by seed."""
    found: dict[str, Any] = {}
    for metric, values in metrics.items():
        found[metric] = {**mean_and_std(values), "runs": values}
        if first:
            found[metric]["difference"] = paired_difference(values, first[metric]["runs"])
    return found


if __name__ == "__main__":
    run_program(main, seeds=[0, 1, 2])
