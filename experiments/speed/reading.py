"""How fast the input pipeline reads a prepared set, and what training steps wait for it."""

import statistics
from typing import Any

import numpy as np

from data.synthetic_rules.synthetic_rules_dataset_builder import Builder, RuleConfig
from experiments.speed.grids import Case
from experiments.speed.paper_models import build
from experiments.speed.paper_sizes import SIZES, batches_of, schema_of
from experiments.speed.timed_cases import Training, seconds_of
from interhat_tf.input_pipeline.catalog import prepare
from interhat_tf.training.optimizers import Adam


def time_input(case: Case, rounds: int, seconds: float, rows: int, folder: str) -> dict[str, Any]:
    """Times the pipeline alone and under a case's step, on a generated set of the case's fields.

    Half a turn takes about as many seconds as given; the set is prepared in the folder.

    Returns:
        Rows a second of the pipeline and of NumPy copying the same bytes, and the share of a
        step that records in memory would save: the median, and each round's.
    """
    config = RuleConfig(
        name=f"benchmark_{case.size}_{rows}",
        group=(1,),
        records=rows,
        num_fields=len(schema_of(SIZES[case.size]).fields),
        num_values=1000,
    )
    data = prepare(Builder(config=config, data_dir=folder))
    pipeline, copying = reading(case.size, data, case.batch, rounds=2)
    model = build(case.model, data.schema, case.size, dtype=case.precision)
    in_memory = batches_of(model.schema, case.batch)
    training = Training(model, Adam(), in_memory, jit_compile=case.jit_compile)
    batches = data.training_batches(case.batch, seed=0)
    # The same kind of records: how often ids come again decides how long a look-up takes.
    sources = {
        "memory": iter(batches.take(4).cache().repeat().prefetch(2)),
        "pipeline": iter(batches),
    }
    training.train(1)
    steps = max(4, round(2 * seconds / training.time(1)))
    times = {source: [] for source in sources}
    for number in range(rounds + 1):
        for source, training.batches in sources.items():
            elapsed = training.time(steps)
            if number:
                times[source].append(elapsed)
    shares = [1 - m / p for m, p in zip(times["memory"], times["pipeline"], strict=True)]
    return {
        "rows_per_second": pipeline["rows_per_second"],
        "copying_rows_per_second": copying["rows_per_second"],
        "model": case.model,
        "share_of_the_step": statistics.median(shares),
        "shares": shares,
    }


def reading(name: str, data: Any, batch_size: int, rounds: int) -> list[dict[str, Any]]:
    """Times epochs of shuffled batches one after the other, and NumPy copying the same bytes.

    One round more comes first, to warm up; the figures call the data set by the name.
    """
    rows = data.num_rows("train")
    batches = iter(data.training_batches(batch_size, seed=0))

    def read(batches):
        for _ in range(-(-rows // batch_size)):
            next(batches)

    def copy():
        for path in data.files("train"):
            np.fromfile(path, np.uint8).copy()

    # The first round warms the pipeline up and the files' cache. There is no pause between the
    # epochs, in which the pipeline could work ahead.
    pipeline = [seconds_of(read, batches) for _ in range(rounds + 1)][1:]
    del batches  # the pipeline's threads end
    copying = [seconds_of(copy) for _ in range(rounds + 1)][1:]
    return [
        figure(f"{name}: shuffled batches", rows, pipeline),
        figure(f"{name}: NumPy copying the same bytes", rows, copying),
    ]


def figure(what: str, rows: int, seconds: list[float]) -> dict[str, Any]:
    """Returns the median of measured seconds as a rate, with its spread."""
    median = statistics.median(seconds)
    return {
        "what": what,
        "rows": rows,
        "rows_per_second": rows / median,
        "seconds": median,
        "seconds_min": min(seconds),
        "seconds_max": max(seconds),
        "times": len(seconds),
    }
