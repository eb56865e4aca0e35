"""Training rows a second of InterHAt against vocabularies, fields, heads, orders and batches.

    python -m experiments.speed.scaling

Changes one of them at a time from Criteo's sizes and Table 2's hyperparameters,
and trains `released` with the exact Adam, whole batches, all values of one axis in
turn; over orders InterHAt-S as well, whose steps are little but the orders. Fits a
line to the seconds a step against the order k, whose cost the paper says is linear.
Writes `experiments/results/scaling/summary.json`, from which `make tables` draws a
figure. About six minutes on 2 cores, with nothing else running; a GPU is used where
there is one.
"""

import dataclasses
import datetime
import gc
import pathlib

import keras
import numpy as np
from absl import flags

from experiments.common.results import RESULTS_DIR
from experiments.common.running import run_program
from experiments.common.statistics import mean_and_std
from experiments.speed.paper_models import build
from experiments.speed.paper_sizes import SIZES, schema_of
from experiments.speed.timing import Training, device, train_in_turn
from interhat_tf.training.optimizers import Adam
from interhat_tf.utils.files import write_json
from interhat_tf.utils.provenance import versions

CRITEO = SIZES["criteo"]
AXES = {
    "features": [60_570, 605_700, 6_057_000],
    "fields": [9, 18, 36, 72],
    "heads": [1, 2, 4, 8, 12, 16],
    "order": [1, 2, 3, 4, 6, 8],
    "batch": [256, 512, 1024, 2048, 4096, 8192],
}
MODELS_OF = {"order": ("interhat", "interhat_s")}
"""The models of an axis; InterHAt alone, if it is not here."""

AXIS = flags.DEFINE_multi_enum("axes", list(AXES), list(AXES), "what is changed")
SCALING_ROUNDS = flags.DEFINE_integer("scaling_rounds", 5, "rounds that count")
SCALING_STEPS = flags.DEFINE_integer("scaling_steps", 2, "steps of a round")


def main(_):
    axes = {axis: along(axis) for axis in AXIS.value}
    summary = {
        "date": datetime.date.today().isoformat(),
        "versions": versions(),
        "device": device(),
        "rounds": SCALING_ROUNDS.value,
        "axes": axes,
    }
    write_json(pathlib.Path(RESULTS_DIR.value) / "scaling/summary.json", summary)
    for axis, models in axes.items():
        for model, found in models.items():
            for row in found["rows"]:
                print(
                    f"{model:11} {axis:9} {row['value']:9,} {row['rows_per_second']:10,.0f} rows/s"
                )
            if "line" in found:
                print(f"{model:11} seconds a step against {axis}: {found['line']}")


def along(axis):
    """Returns, for each model of an axis, the rows a second at each of its values."""
    trainings = {
        (model, value): training(model, **{axis: value})
        for model in MODELS_OF.get(axis, ("interhat",))
        for value in AXES[axis]
    }
    seconds = train_in_turn(trainings, SCALING_STEPS.value, SCALING_ROUNDS.value, axis)
    models = {}
    for (model, value), times in seconds.items():
        batch = value if axis == "batch" else 2048
        steps = [time / SCALING_STEPS.value for time in times]
        row = {
            "value": value,
            "rows_per_second": batch / (sum(steps) / len(steps)),
            "seconds_per_step": mean_and_std(steps),
        }
        models.setdefault(model, {"rows": []})["rows"].append(row)
    if axis == "order":
        for found in models.values():
            found["line"] = line(found["rows"])
    del trainings
    # The next axis' tables would not fit beside these.
    keras.backend.clear_session()
    gc.collect()
    return models


def training(model, features=CRITEO.features, fields=None, heads=None, order=None, batch=2048):
    """Returns a model of Criteo's sizes but for what is given, ready to be trained."""
    size = dataclasses.replace(CRITEO, features=features)
    if fields:
        size = dataclasses.replace(size, categories=fields, numbers=0)
    given = {"num_heads": heads, "order": order}
    arguments = {name: value for name, value in given.items() if value}
    built = build(model, schema_of(size), "criteo", **arguments)
    return Training(built, Adam(), batch)


def line(rows):
    """Fits the seconds a step by a line in the value; `r2` is the share that it explains."""
    values = np.array([row["value"] for row in rows])
    seconds = np.array([row["seconds_per_step"]["mean"] for row in rows])
    slope, start = np.polyfit(values, seconds, 1)
    rest = seconds - (start + slope * values)
    r2 = 1 - rest.var() / seconds.var()
    return {"seconds_each": float(slope), "seconds_at_0": float(start), "r2": float(r2)}


if __name__ == "__main__":
    run_program(main)
