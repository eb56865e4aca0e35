"""Whether exported models say of raw values what Python says, without this library.

    python -m experiments.robustness.exports

Generates a log with every kind of column, text, ids with gaps, booleans, numbers of each scale,
times, and missing values in all of them; trains `tuned` on it, fits effects, and for each way
of calibrating exports a SavedModel and an ONNX file. Both are asked for `--asked` records, of
which a share of the values is missing and a share unknown, in processes that cannot import this
library (nor, for ONNX, TensorFlow), and held against `data.encode` and the model here. Writes
`exports/summary.json`: the largest difference of each output. About a minute on one core.
"""

import json
import pathlib
import subprocess
import sys
import tempfile
from typing import Any

import keras
import numpy as np
import pandas as pd
from absl import flags

from experiments.common.markdown import markdown_table
from experiments.common.results import record, write_result
from experiments.common.running import run_program
from interhat_tf import InterHAt, TrainingSettings, prepare_click_log, train
from interhat_tf.calibration import METHODS
from interhat_tf.explanation import fit_effects
from interhat_tf.input_pipeline.dataset import PreparedDataset
from interhat_tf.models import ClickModel
from interhat_tf.schema import CATEGORICAL
from interhat_tf.serving import export_onnx, export_saved_model, input_names
from interhat_tf.training import calibrate

ASKED = flags.DEFINE_integer("asked", 10_000, "records that the models are asked for")
LOG_ROWS = flags.DEFINE_integer("log_rows_trained", 20_000, "rows of the log to train on")

SCALING = {"price": "log", "age": "quantiles", "hits": "min-max", "depth": "buckets"}
MISSING, UNKNOWN = 0.1, 0.1
"""Shares of the values of each column."""
OUTPUTS = ("probability", "unknown_share", "order_weights", "field_weights", "effects")

ALONE = """
import json, sys

class Forbidden:
    def find_spec(self, name, *_):
        if name.partition(".")[0] in names:
            raise ImportError(f"{name} is out of reach")

kind, path, folder, *names = sys.argv[1:]
sys.meta_path.insert(0, Forbidden())
import numpy as np

columns = dict(np.load(f"{folder}/columns.npz", allow_pickle=True))
inputs = json.load(open(f"{folder}/names.json"))
if kind == "ONNX":
    import onnxruntime

    session = onnxruntime.InferenceSession(path)
    found = [output.name for output in session.get_outputs()]
    outputs = dict(zip(found, session.run(None, columns)))
else:
    import tensorflow as tf

    signature = tf.saved_model.load(path).signatures["serving_default"]
    outputs = signature(**{inputs[name]: tf.constant(values) for name, values in columns.items()})
    outputs = {name: value.numpy() for name, value in outputs.items()}
np.savez(f"{folder}/outputs.npz", **outputs)
"""


def main(_):
    keras.utils.set_random_seed(0)
    values, rows = drawn(ASKED.value, seed=1, with_unknown=True), []
    with tempfile.TemporaryDirectory() as temporary:
        folder = pathlib.Path(temporary)
        data, model = trained(folder)
        np.savez(folder / "columns.npz", **as_served(values, data))
        names = input_names(data.reading.columns)
        (folder / "names.json").write_text(json.dumps(names))
        for method in METHODS:
            calibrate(model, data, method)
            expected = of_python(model, data, values)
            for kind, export in (("SavedModel", export_saved_model), ("ONNX", export_onnx)):
                path = folder / f"{method}.{kind}"
                export(model, path, data)
                found = differences(ask(kind, path, folder), expected)
                rows.append({"file": kind, "calibration": method, **found})
    cells = [
        [row["file"], row["calibration"], *(f"{row[name]:.1e}" for name in OUTPUTS)] for row in rows
    ]
    print(markdown_table(["file", "calibration", *OUTPUTS], cells))
    of_values = {
        "records": ASKED.value,
        "missing": float(values.isna().mean().mean()),
        "unknown": float(expected["unknown_share"].mean()),
        "probabilities": np.quantile(expected["probability"], [0.05, 0.95]).tolist(),
    }
    write_result("exports/summary.json", record("onnxruntime", **of_values, rows=rows))


def drawn(rows: int, seed: int, with_unknown: bool = False) -> pd.DataFrame:
    """Returns made-up records, `None` or NaN where a value is missing."""
    random = np.random.default_rng(seed)
    wider = 1 + UNKNOWN if with_unknown else 1
    seconds = random.integers(0, 4 * 7 * 86_400, rows)
    times = pd.Timestamp("2024-01-01") + pd.to_timedelta(seconds, "s")
    values = pd.DataFrame(
        {
            "app": [f"größe {i}" for i in random.integers(0, int(200 * wider), rows)],
            "M.ID": pd.array(random.integers(0, int(3_000 * wider), rows), "Int64"),
            "member": pd.array(random.random(rows) < 0.4, "boolean"),
            "price": random.lognormal(3, 3, rows),
            "age": random.normal(40, 15, rows).round(1),
            "hits": 1e9 + random.integers(0, 1000, rows) + 0.5,
            "depth": random.normal(0, 1, rows).round(2),
            "seen at": times.strftime("%Y-%m-%d %H:%M:%S"),
        }
    )
    return values.mask(random.random(values.shape) < MISSING)


def trained(folder: pathlib.Path) -> tuple[PreparedDataset, ClickModel]:
    """Returns a set of such records whose clicks depend on them, and a model of it."""
    values = drawn(LOG_ROWS.value, seed=0)
    ids, depth, price = (values[name].astype(float) for name in ("M.ID", "depth", "price"))
    member = values["member"].fillna(False).astype(float)
    logits = ids.fillna(0) % 7 - 3 + depth.fillna(0) + np.log(price.fillna(1)) * member
    clicks = np.random.default_rng(2).random(len(values)) < 1 / (1 + np.exp(-0.4 * logits))
    log = folder / "log.csv"
    values.assign(click=clicks.astype(int)).to_csv(log, index=False)
    data = prepare_click_log(log, name="exports", data_dir=folder, scaling=SCALING)
    model = InterHAt.from_preset("tuned", data.schema, rows=data.num_rows("train"))
    settings = TrainingSettings(max_epochs=2, batch_size=256, learning_rate=2e-3)
    train(model, data, folder / "run", settings)
    fit_effects(model, data)
    return data, model


def of_python(model: ClickModel, data: PreparedDataset, values: pd.DataFrame) -> dict[str, Any]:
    """Returns what the library says of records."""
    inputs = data.encode(values, max_unknown=1.0)
    explanation = {name: np.asarray(value) for name, value in model.explain(inputs).items()}
    outputs = {name: explanation[name] for name in OUTPUTS if name in explanation}
    outputs["probability"] = model.calibration.probability(explanation["logits"])
    return {**outputs, "unknown_share": (inputs[CATEGORICAL] == 0).mean(axis=1)}


def as_served(values: pd.DataFrame, data: PreparedDataset) -> dict[str, np.ndarray]:
    """Returns records as an exported model takes them: a text, or a number, of each column."""
    columns = {}
    for name in data.reading.columns:
        column = values[name]
        if name in ("app", "M.ID", "member"):
            texts = column.astype("string").fillna("")
            columns[name] = texts.to_numpy(object)
        elif name == "seen at":
            seconds = (pd.to_datetime(column) - pd.Timestamp(0)).dt.total_seconds()
            columns[name] = seconds.to_numpy("float64")
        else:
            columns[name] = column.to_numpy("float64", na_value=np.nan)
    return columns


def ask(kind: str, path: pathlib.Path, folder: pathlib.Path) -> dict[str, np.ndarray]:
    """Returns what an exported model says, in a process that has nothing else."""
    names = ["interhat_tf", *(["tensorflow", "keras"] if kind == "ONNX" else [])]
    command = [sys.executable, "-c", ALONE, kind, str(path), str(folder), *names]
    subprocess.run(command, check=True)
    return dict(np.load(folder / "outputs.npz"))


def differences(found: dict[str, np.ndarray], expected: dict[str, Any]) -> dict[str, float]:
    """Returns the largest difference of each output.

    Raises:
        ValueError: If the outputs are not the same, or one is no number.
    """
    if set(found) != set(expected):
        raise ValueError(f"the outputs are {', '.join(found)}, not {', '.join(expected)}")
    largest = {name: float(np.abs(found[name] - expected[name]).max()) for name in OUTPUTS}
    if not np.isfinite(list(largest.values())).all():
        raise ValueError(f"an output is no number: {largest}")
    return largest


if __name__ == "__main__":
    run_program(main)
