"""What the programs that measure speed share."""

import statistics
import time

import numpy as np


def reading(name, data, batch_size, rounds):
    """Times epochs of shuffled batches one after the other, and NumPy copying the same bytes.

    Args:
        name: What the figures call the data set.
        data: The `PreparedDataset`.
        batch_size: Rows of a batch.
        rounds: Epochs that count; one before them warms up.

    Returns:
        Two figures.
    """
    rows = data.num_rows("train")
    steps = -(-rows // batch_size)
    batches = iter(data.training_batches(batch_size, seed=0))
    pipeline, copying = [], []
    # No pause between the epochs, in which the pipeline could work ahead.
    for _ in range(rounds + 1):
        start = time.perf_counter()
        for _ in range(steps):
            next(batches)
        pipeline.append(time.perf_counter() - start)
    del batches
    for _ in range(rounds + 1):
        start = time.perf_counter()
        for path in data.files("train"):
            np.fromfile(path, np.uint8).copy()
        copying.append(time.perf_counter() - start)
    # The first round warms the pipeline up and the files' cache.
    return [
        figure(f"{name}: shuffled batches", rows, pipeline[1:]),
        figure(f"{name}: NumPy copying the same bytes", rows, copying[1:]),
    ]


def figure(what, rows, seconds):
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
