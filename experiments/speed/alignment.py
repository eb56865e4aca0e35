"""What aligned attention adds to a training step: a ratio of CPU times, in one process.

    python -m experiments.speed.alignment

Takes steps of a preset of InterHAt on random records, plain, with field weights aligned with
one-pass effects or with effects measured against donors, with the latter as after a training,
where the model's own predictions are asked for, with aligned order weights and with fields and
orders, in turn, one thread an operation, so that what else the machine does counts little. Writes
`speed/alignment.json`: for each preset the median ratio to the plain step of the same round, and
the quartiles. A minute on one core.
"""

import time
from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from absl import flags
from tqdm.auto import tqdm

from experiments.common.results import record, write_result
from experiments.common.running import run_program
from interhat_tf import Field, InterHAt, Schema
from interhat_tf.training import TrainingSettings
from interhat_tf.training.step import compile_steps
from interhat_tf.training.teacher import Teacher
from interhat_tf.utils.threads import use_one_thread_an_operation

ROUNDS = flags.DEFINE_integer("alignment_rounds", 12, "rounds of all kinds of steps")
STEPS = flags.DEFINE_integer("alignment_steps", 5, "steps of a kind in a round")
CASES = {
    "released": ("released", "frappe", 10),
    "tuned": ("tuned", "frappe", 10),
}
"""Preset, data set whose sizes it has, and number of fields, of 500 values each."""
NOT_ALIGNED = {"effect_weight": 0.0, "effect_donors": 0, "alignment_epochs": 0}
KINDS: dict[str, dict[str, Any]] = {
    "plain": {},
    "effects": {"effect_weight": 0.05},
    "measured effects": {"effect_weight": 0.05, "effect_donors": 8},
    "measured effects, after a training": {
        "effect_weight": 0.05,
        "effect_donors": 8,
        "alignment_epochs": 3,
    },
    "orders": {"order_weight": 0.05},
    "both": {"effect_weight": 0.05, "order_weight": 0.05},
}
BATCH_SIZE = 1024


def main(_):
    use_one_thread_an_operation()
    seconds: dict[str, dict[str, list[float]]] = {}
    for name, (preset, dataset, fields) in CASES.items():
        steps = {kind: steps_of(preset, dataset, fields, how) for kind, how in KINDS.items()}
        seconds[name] = time_in_turn(steps)
        keras.backend.clear_session()
    summary = {
        **record(),
        "batch_size": BATCH_SIZE,
        "rounds": ROUNDS.value,
        "cases": {name: ratios(of_case) for name, of_case in seconds.items()},
    }
    write_result("speed/alignment.json", summary)
    for name, of_case in summary["cases"].items():
        told = ", ".join(f"{kind} {row['ratio']:.2f}" for kind, row in of_case.items())
        print(f"{name}: {told}")


def steps_of(preset: str, dataset: str, fields: int, how: dict[str, Any]) -> Callable[[int], None]:
    """Returns a function that takes a number of training steps on random records."""
    schema = Schema([Field(f"f{i}", "categorical", 500) for i in range(fields)])
    rng = np.random.default_rng(0)
    ids = rng.integers(500, size=(4 * BATCH_SIZE, fields)).astype("int32")
    labels = rng.integers(2, size=len(ids)).astype("float32")
    model = InterHAt.from_preset(preset, schema, dataset)
    settings = TrainingSettings.of_model(model, **{**NOT_ALIGNED, **how})
    teacher = Teacher.copy_of(model) if settings.alignment_epochs else None
    settings = settings.of_alignment()
    train_steps = compile_steps(
        model,
        settings.make_optimizer(model),
        tf.Variable(0.0, dtype=tf.float64, trainable=False),
        microbatch_size=settings.microbatch_size,
        alignments=settings.make_alignments(model),
        teacher=teacher,
    )
    data = tf.data.Dataset.from_tensor_slices(({"categorical": ids}, labels))
    batches = iter(data.batch(BATCH_SIZE).cache().repeat())
    return lambda number: train_steps(batches, tf.constant(number))


def time_in_turn(steps: dict[str, Callable[[int], None]]) -> dict[str, list[float]]:
    """Returns the CPU seconds of a step of each kind in each round."""
    seconds: dict[str, list[float]] = {kind: [] for kind in steps}
    for run in steps.values():
        run(2)  # which traces it
    for _ in tqdm(range(ROUNDS.value), desc="rounds", disable=None):
        for kind, run in steps.items():
            started = time.process_time()
            run(STEPS.value)
            seconds[kind].append((time.process_time() - started) / STEPS.value)
    return seconds


def ratios(seconds: dict[str, list[float]]) -> dict[str, dict[str, float]]:
    """Returns each kind's median ratio to the plain step, the quartiles, and a step's seconds.

    Example:

    >>> found = ratios({"plain": [1.0, 2.0, 1.0], "both": [1.5, 3.0, 2.0]})
    >>> found["both"]["ratio"], found["both"]["high"]
    (1.5, 1.75)
    """
    plain = np.array(seconds["plain"])
    found = {}
    for kind, of_kind in seconds.items():
        low, median, high = np.quantile(np.array(of_kind) / plain, [0.25, 0.5, 0.75])
        found[kind] = {
            "ratio": float(median),
            "low": float(low),
            "high": float(high),
            "seconds": float(np.median(of_kind)),
        }
    return found


if __name__ == "__main__":
    run_program(main)
