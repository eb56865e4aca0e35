"""How long an exported model takes to answer: p50 and p99 for 1, 100 and 10,000 records.

    python -m experiments.speed.latency

Exports InterHAt, `tuned` and `released`, of Criteo's sizes as a SavedModel and as ONNX files, and
asks them for the same records, with all explanations and without any; the ONNX file also for
`PART` records at a time, and beside them this package itself. They are asked in turn, in rounds
of some calls each, as a busy process is; the first call of a round follows on the other exports,
whose data fill the processor's caches by then, and is reported beside all. The explanations have
effects: the models hold a head, and neither that nor they are trained, on which no time depends.
Writes `speed/latency.json` among the results. About five minutes on 2 cores, with nothing
else running.
"""

import pathlib
import tempfile
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import onnxruntime
import tensorflow as tf
from absl import flags
from tqdm.auto import tqdm

from experiments.common.markdown import markdown_table
from experiments.common.results import record, write_result
from experiments.common.running import run_program
from experiments.speed.paper_sizes import SIZES, batches_of, schema_of
from interhat_tf.explanation.batches import predict
from interhat_tf.models import InterHAt
from interhat_tf.schema import CATEGORICAL
from interhat_tf.serving import export_onnx, export_saved_model

PRESETS = ("tuned", "released")
ROUNDS = 20
CALLS = {1: 50, 100: 15, 10_000: 1}
"""Calls of a round, by number of records."""
PART = 256
TIMES = ("p50", "p99", "first")

SIZE = flags.DEFINE_enum("size", "criteo", list(SIZES), "whose sizes the records have")

Ask = Callable[[np.ndarray], np.ndarray]
"""A function from ids, (B, C), to probabilities, (B,)."""


def main(_):
    rows = [row for preset in PRESETS for row in of_preset(preset)]
    cells = [
        [r["preset"], r["export"], f"{r['records']:,}", *(f"{r[t] * 1e3:.2f}" for t in TIMES)]
        for r in rows
    ]
    header = ["preset", "export", "records", *(f"{time}, ms" for time in TIMES)]
    print(markdown_table(header, cells))
    calls = {str(records): calls for records, calls in CALLS.items()}
    write_result(
        "speed/latency.json",
        record("onnxruntime", size=SIZE.value, rounds=ROUNDS, calls=calls, rows=rows),
    )


def of_preset(preset: str) -> list[dict[str, Any]]:
    """Returns how long each export of a preset's model takes, for each number of records."""
    schema = schema_of(SIZES[SIZE.value])
    model = InterHAt.from_preset(preset, schema, dataset=SIZE.value)
    model.adapt(batches_of(schema, 256).take(1))
    model.hold_effects(model.make_effect_head({}), {})
    with tempfile.TemporaryDirectory() as folder:
        exports = exported(model, pathlib.Path(folder))
        return [
            {"preset": preset, **row}
            for records in CALLS
            for row in latencies(model, exports, records)
        ]


def latencies(model: InterHAt, exports: dict[str, Ask], records: int) -> list[dict[str, Any]]:
    """Returns how long each export takes to answer, all of them asked in turn.

    Raises:
        ValueError: If an answer is not the model's.
    """
    inputs, _ = next(iter(batches_of(model.schema, records, batches=1)))
    ids = inputs[CATEGORICAL].numpy()
    expected = tf.sigmoid(model({CATEGORICAL: ids})[:, 0]).numpy()
    seconds = {name: [] for name in exports}
    for _ in tqdm(range(ROUNDS + 1), desc=f"{records:,} records", disable=None):
        for name, ask in exports.items():
            seconds[name].append([])
            for _ in range(CALLS[records]):
                start = time.perf_counter()
                probability = ask(ids)
                seconds[name][-1].append(time.perf_counter() - start)
                if (error := np.abs(probability - expected).max()) > 1e-5:
                    raise ValueError(f"{name}: off by {error:.1e}")
    # The first round warms up.
    return [
        {"export": name, "records": records, **quantiles(np.array(rounds[1:]))}
        for name, rounds in seconds.items()
    ]


def quantiles(seconds: np.ndarray) -> dict[str, float]:
    """Returns p50 and p99 of all calls, and p50 of the rounds' first calls.

    Args:
        seconds: What each call of each round takes, (rounds, calls).
    """
    p50, p99 = np.quantile(seconds, [0.5, 0.99])
    return {"p50": float(p50), "p99": float(p99), "first": float(np.median(seconds[:, 0]))}


def exported(model: InterHAt, folder: pathlib.Path) -> dict[str, Ask]:
    """Exports a model to a folder; returns the function that asks each export."""
    export_saved_model(model, folder / "saved_model")
    signatures = tf.saved_model.load(str(folder / "saved_model")).signatures
    exports = {
        "SavedModel, explained": saved_model(model, signatures["serving_default"]),
        "SavedModel, probability alone": saved_model(model, signatures["predict"]),
    }
    for title, explain in (("ONNX, explained", True), ("ONNX, probability alone", False)):
        export_onnx(model, folder / f"{explain}.onnx", explain=explain)
        exports[title] = onnx(folder / f"{explain}.onnx")
    exports[f"ONNX, probability alone, {PART} at a time"] = in_parts(exports[title])
    exports["this package, probability alone"] = lambda ids: tf.sigmoid(
        predict(model, {CATEGORICAL: ids})
    ).numpy()
    return exports


def saved_model(model: InterHAt, signature: Any) -> Ask:
    """Returns a function that asks a SavedModel's signature, a tensor a field."""

    def ask(ids):
        fields = zip(model.schema.field_names, ids.T, strict=True)
        outputs = signature(**{name: tf.constant(column) for name, column in fields})
        return {name: value.numpy() for name, value in outputs.items()}["probability"]

    return ask


def onnx(path: pathlib.Path) -> Ask:
    """Returns a function that asks an ONNX file."""
    session = onnxruntime.InferenceSession(path)
    number = [output.name for output in session.get_outputs()].index("probability")
    return lambda ids: session.run(None, {CATEGORICAL: ids})[number]


def in_parts(ask: Ask) -> Ask:
    """Returns a function that asks for a few records at a time."""
    return lambda ids: np.concatenate(
        [ask(ids[start : start + PART]) for start in range(0, len(ids), PART)]
    )


if __name__ == "__main__":
    run_program(main)
