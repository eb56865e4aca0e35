"""What the programs that measure speed share."""

import statistics
import time

import numpy as np
import tensorflow as tf
from tqdm.auto import tqdm

from experiments.common.statistics import mean_and_std
from experiments.speed.paper_sizes import batches_of
from interhat_tf.training.step import compile_steps
from interhat_tf.utils.provenance import versions


class Training:
    """A model, its optimizer and its batches, to be trained for a few steps at a time.

    Args:
        model: The model.
        optimizer: The optimizer.
        batch_size: Records of a step; they are made up.
        **how: `jit_compile` and `microbatch_size` of `compile_steps`.
    """

    def __init__(self, model, optimizer, batch_size, **how):
        self.model, self.optimizer = model, optimizer
        optimizer.build(model.trainable_variables)
        loss_sum = tf.Variable(0.0, dtype=tf.float64, trainable=False)
        self.steps = compile_steps(model, optimizer, loss_sum, **how)
        self.batches = iter(batches_of(model.schema, batch_size, batches=4))
        self.loss_sum = loss_sum

    def time(self, steps):
        """Returns the seconds that so many steps take."""
        start = time.perf_counter()
        self.steps(self.batches, tf.constant(steps))
        self.loss_sum.numpy()  # waits for the device
        return time.perf_counter() - start


def train_in_turn(trainings, steps, rounds, title="rounds"):
    """Trains models for a few steps each, in turn, round after round.

    Args:
        trainings: Dictionary from a key to a `Training`.
        steps: Steps of each in a round.
        rounds: Rounds that count; one before them does not.
        title: What the progress bar says.

    Returns:
        Dictionary from the keys to the seconds of their rounds.
    """
    seconds = {key: [] for key in trainings}
    for number in tqdm(range(rounds + 1), desc=title, disable=None):
        for key, training in trainings.items():
            elapsed = training.time(steps)
            if number:
                seconds[key].append(elapsed)
    return seconds


def ratio(times, others):
    """Returns how many times as long the first took, round by round: mean and deviation."""
    return mean_and_std([time / other for time, other in zip(times, others, strict=True)])


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


def device():
    """Returns the name of the GPU, or the machine's."""
    if gpus := tf.config.list_physical_devices("GPU"):
        return tf.config.experimental.get_device_details(gpus[0])["device_name"]
    return versions()["machine"]
