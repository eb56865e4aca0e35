"""How long an exported model takes to answer: p50 and p99 for 1, 100 and 10,000 records.

    python -m experiments.speed.latency

Exports an untrained InterHAt, `released`, of Criteo's sizes as a SavedModel and
as ONNX files, and asks them in turn, with and without the attentions, for the
same records. Writes `experiments/results/latency/summary.json`. About three
minutes on 2 cores, with nothing else running.
"""

import datetime
import pathlib
import tempfile
import time

import numpy as np
import onnxruntime
import tensorflow as tf
from absl import flags
from tqdm.auto import tqdm

from experiments.common.markdown import markdown_table
from experiments.common.results import RESULTS_DIR
from experiments.common.running import run_program
from experiments.speed.paper_sizes import SIZES, batches_of, schema_of
from interhat_tf.models import InterHAt
from interhat_tf.models.presets import hyperparameters
from interhat_tf.schema import CATEGORICAL
from interhat_tf.serving import export_onnx, export_saved_model
from interhat_tf.utils.files import write_json
from interhat_tf.utils.provenance import versions

CALLS = {1: 500, 100: 300, 10_000: 20}

ANSWER_SIZE = flags.DEFINE_enum("answer_size", "criteo", list(SIZES), "sizes of the records")


def main(_):
    schema = schema_of(SIZES[ANSWER_SIZE.value])
    arguments, _ = hyperparameters(ANSWER_SIZE.value, "released")
    model = InterHAt(schema, **arguments)
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        engines = exported(model, pathlib.Path(folder))
        for records, calls in CALLS.items():
            inputs, _ = next(iter(batches_of(schema, records, batches=1)))
            ids = inputs[CATEGORICAL].numpy()
            expected = tf.sigmoid(model({CATEGORICAL: ids})[:, 0]).numpy()
            seconds = {name: [] for name in engines}
            for number in tqdm(range(calls + 1), desc=f"{records:,} records", disable=None):
                for name, ask in engines.items():
                    start = time.perf_counter()
                    probability = ask(ids)
                    if number:
                        seconds[name].append(time.perf_counter() - start)
                    elif (error := np.abs(probability - expected).max()) > 1e-5:
                        raise ValueError(f"{name}: off by {error:.1e}")
            for name, times in seconds.items():
                p50, p99 = np.quantile(times, [0.5, 0.99]).tolist()
                rows.append({"export": name, "records": records, "p50": p50, "p99": p99})
    summary = {
        "date": datetime.date.today().isoformat(),
        "versions": {**versions(), "onnxruntime": onnxruntime.__version__},
        "size": ANSWER_SIZE.value,
        "calls": {str(records): calls for records, calls in CALLS.items()},
        "rows": rows,
    }
    write_json(pathlib.Path(RESULTS_DIR.value) / "latency/summary.json", summary)
    cells = [
        [r["export"], f"{r['records']:,}", f"{r['p50'] * 1e3:.2f}", f"{r['p99'] * 1e3:.2f}"]
        for r in rows
    ]
    print(markdown_table(["export", "records", "p50, ms", "p99, ms"], cells))


def exported(model, folder):
    """Returns, for each export, a function from ids, (B, C), to probabilities, (B,)."""
    export_saved_model(model, folder / "saved_model")
    signatures = tf.saved_model.load(str(folder / "saved_model")).signatures
    engines = {
        "SavedModel, explained": saved_model(model.schema, signatures["serving_default"]),
        "SavedModel, probability alone": saved_model(model.schema, signatures["predict"]),
    }
    for explain, title in ((True, "ONNX, explained"), (False, "ONNX, probability alone")):
        path = folder / f"{'explain' if explain else 'predict'}.onnx"
        export_onnx(model, path, explain=explain)
        engines[title] = onnx(path)
    return engines


def saved_model(schema, signature):
    """Returns a function that asks a SavedModel's signature, a tensor a field."""

    def ask(ids):
        fields = zip(schema.field_names, ids.T, strict=True)
        outputs = signature(**{name: tf.constant(column) for name, column in fields})
        return {name: value.numpy() for name, value in outputs.items()}["probability"]

    return ask


def onnx(path):
    """Returns a function that asks an ONNX file."""
    session = onnxruntime.InferenceSession(path)
    place = [output.name for output in session.get_outputs()].index("probability")
    return lambda ids: session.run(None, {CATEGORICAL: ids})[place]


if __name__ == "__main__":
    run_program(main)
