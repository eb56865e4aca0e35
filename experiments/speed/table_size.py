"""Seconds a step against the size of the vocabularies, with the exact Adam and the lazy one.

    python -m experiments.speed.table_size

Trains InterHAt, `released`, and FM, whose steps are little but look-up and
optimizer, in turn on records of Criteo's 36 fields: with `LazyAdam` at 0.6, 6 and
60 million features, with `Adam` at the first two. Writes `experiments/results/
vocabulary/summary.json`. About five minutes on 2 cores, with nothing else
running, and 20 GB of memory.
"""

import dataclasses
import datetime
import gc
import pathlib

import keras
from absl import flags

from experiments.common.results import RESULTS_DIR
from experiments.common.running import run_program
from experiments.common.statistics import mean_and_std
from experiments.speed.paper_sizes import SIZES, schema_of
from experiments.speed.timing import Training, device, ratio, train_in_turn
from interhat_tf.models import MODELS
from interhat_tf.models.presets import DATASETS, hyperparameters
from interhat_tf.training.loop import OPTIMIZERS
from interhat_tf.utils.files import write_json
from interhat_tf.utils.provenance import versions

CRITEO = SIZES["criteo"]
BATCH_SIZE = 2048
STEPS = {"interhat": 3, "fm": 30}

FACTORS = flags.DEFINE_multi_integer("factors", [1, 10, 100], "times Criteo's number of features")
ADAM_UP_TO = flags.DEFINE_integer("adam_up_to", 10, "largest of them for the exact Adam")
TIMES = flags.DEFINE_integer("times", 7, "rounds that count; the first is none of them")


def main(_):
    seconds = {}
    for model in STEPS:
        seconds |= times_of(model)
        # The next model's tables would not fit beside this one's.
        keras.backend.clear_session()
        gc.collect()
    rows = [
        {
            "model": model,
            "optimizer": optimizer,
            "features": CRITEO.features * factor,
            "seconds_per_step": mean_and_std(times),
            "rows_per_second": BATCH_SIZE / (sum(times) / len(times)),
            "against_smallest": ratio(times, seconds[model, optimizer, FACTORS.value[0]]),
        }
        for (model, optimizer, factor), times in seconds.items()
    ]
    summary = {
        "date": datetime.date.today().isoformat(),
        "versions": versions(),
        "device": device(),
        "batch_size": BATCH_SIZE,
        "fields": CRITEO.categories + CRITEO.numbers,
        "rounds": TIMES.value,
        "rows": rows,
    }
    write_json(pathlib.Path(RESULTS_DIR.value) / "vocabulary/summary.json", summary)
    for row in rows:
        print(
            f"{row['model']:9} {row['optimizer']:10} {row['features']:12,} features "
            f"{row['seconds_per_step']['mean'] * 1e3:8.1f} ms a step, "
            f"{row['against_smallest']['mean']:.2f} times the smallest's"
        )


def times_of(model):
    """Returns the seconds a step of a model's trainings, round by round, in turn."""
    trainings = {
        (model, optimizer, factor): training(model, optimizer, factor)
        for optimizer in OPTIMIZERS
        for factor in FACTORS.value
        if optimizer != "adam" or factor <= ADAM_UP_TO.value
    }
    seconds = train_in_turn(trainings, STEPS[model], TIMES.value, model)
    return {key: [time / STEPS[model] for time in times] for key, times in seconds.items()}


def training(model, optimizer, factor):
    """Returns a model of Criteo's sizes but for its features, ready to be trained."""
    schema = schema_of(dataclasses.replace(CRITEO, features=CRITEO.features * factor))
    arguments = {"embedding_dim": DATASETS["criteo"].sizes["embedding_dim"]}
    if model == "interhat":
        arguments, _ = hyperparameters("criteo", "released")
    # A penalty on the whole table would give every row a gradient.
    built = MODELS[model](schema, **{**arguments, "embedding_l2": 0.0})
    return Training(built, OPTIMIZERS[optimizer](), BATCH_SIZE)


if __name__ == "__main__":
    run_program(main)
