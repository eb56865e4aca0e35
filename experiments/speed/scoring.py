"""How fast a log is scored, in how much memory, and how much of that is prediction.

    python -m experiments.speed.scoring

Generates a Criteo log with a header, prepares its first rows and scores all of it, without
reasons, with effects that the model estimates and with exact ones, of fewer rows; each in a
process of its own. Then, in one process, round by round, the processor's seconds of scoring
beside those of predicting the same rows, encoded before and in memory, and of reading and
predicting them. The model has new weights, on which no time depends. Writes
`speed/scoring.json` among the results.
"""

import itertools
import pathlib
import time
from collections.abc import Callable
from typing import Any

import keras
import numpy as np
from absl import flags

from experiments.common.flags import DATA_DIR
from experiments.common.markdown import markdown_table
from experiments.common.results import record, write_result
from experiments.common.running import run_program
from experiments.common.statistics import mean_and_std
from experiments.generated_logs.generator import generate_once
from experiments.generated_logs.own_log import HEADER, prepare_own
from experiments.speed.preparation import peak_gigabytes
from experiments.speed.processes import ROUNDS, run_alone
from interhat_tf import InterHAt, score
from interhat_tf.explanation.batches import predict
from interhat_tf.input_pipeline.dataset import PreparedDataset
from interhat_tf.preprocessing.log_formats import find_log
from interhat_tf.scoring.log_scoring import read_chunk
from interhat_tf.utils.threads import number_of_threads

SCORED_ROWS = flags.DEFINE_integer("scored_rows", 5_000_000, "rows of the log that is scored")
EXACT_ROWS = flags.DEFINE_integer("exact_rows", 5_000, "its first rows that get exact effects")
COMPARED_ROWS = flags.DEFINE_integer("compared_rows", 200_000, "first rows, by processor time")
PRESETS = flags.DEFINE_multi_string("presets", ["tuned", "released"], "forms of InterHAt")


def main(_):
    folder = pathlib.Path(DATA_DIR.value) / "scoring"
    whole = write_log(folder, SCORED_ROWS.value)
    few = first_lines(whole, EXACT_ROWS.value)
    ways: dict[str, tuple[pathlib.Path, dict[str, Any]]] = {
        "none": (whole, {"reasons": 0}),
        "estimated effects": (whole, {"background": 0}),
        "exact effects, 32 records": (few, {"background": 32}),
    }
    log = first_lines(whole, COMPARED_ROWS.value)
    prepare_own(log, "scored", folder)
    scored = [
        {"way": way, **run_alone(measure, folder, log, of_way, options)}
        for way, (of_way, options) in ways.items()
    ]
    shares = [run_alone(compare, folder, log, preset, ROUNDS.value) for preset in PRESETS.value]
    write_result(
        "speed/scoring.json",
        record(scored=scored, shares=shares, rounds=ROUNDS.value, threads=number_of_threads()),
    )
    header = ["rows", "rows_per_second", "gigabytes_before", "peak_gigabytes"]
    cells = [[f["way"], *(f"{f[name]:,.5g}" for name in header)] for f in scored]
    print(markdown_table(["reasons", *header], cells))
    for share in shares:
        print(share["preset"], {k: v["mean"] for k, v in share.items() if isinstance(v, dict)})


def write_log(folder: pathlib.Path, rows: int) -> pathlib.Path:
    """Returns a generated log of Criteo's format, with a line that names the columns."""
    raw = folder / f"log-{rows}" / "train.txt"
    generate_once(raw, "criteo", rows)
    path = raw.with_name("log.tsv")
    with open(path, "w") as log, open(raw) as lines:
        log.write(HEADER)
        log.writelines(lines)
    return path


def first_lines(log: pathlib.Path, rows: int) -> pathlib.Path:
    """Returns a log of the first rows of another."""
    path = log.with_name(f"first-{rows}.tsv")
    with open(log) as lines, open(path, "w") as part:
        part.writelines(itertools.islice(lines, rows + 1))
    return path


def make_model(data: PreparedDataset, preset: str) -> keras.Model:
    """Returns a model of new weights, which estimates effects."""
    model = InterHAt.from_preset(preset, data.schema)
    model.hold_effects(model.make_effect_head({}), {})
    return model


def measure(
    folder: pathlib.Path, prepared: pathlib.Path, log: pathlib.Path, options: dict[str, Any]
) -> dict[str, Any]:
    """Scores a log in this process by the set of another, and returns what that took."""
    data = prepare_own(prepared, "scored", folder)
    model = make_model(data, "tuned")
    output = folder / "scored.parquet"
    output.unlink(missing_ok=True)
    before, started = peak_gigabytes(), time.perf_counter()
    found = score(model, data, log, output, **options)
    seconds = time.perf_counter() - started
    return {
        "rows": found["rows"],
        "seconds": seconds,
        "rows_per_second": found["rows"] / seconds,
        "peak_gigabytes": peak_gigabytes(),
        "gigabytes_before": before,
    }


def compare(folder: pathlib.Path, log: pathlib.Path, preset: str, rounds: int) -> dict[str, Any]:
    """Returns by how much prediction is slowed down, as shares of its rows a processor second."""
    data = prepare_own(log, "scored", folder)
    model, opened = make_model(data, preset), find_log(log)

    def read() -> dict[str, np.ndarray]:
        parts = [read_chunk(opened, data, chunk)[-1] for chunk in opened.chunks]
        return {kind: np.concatenate([part[kind] for part in parts]) for kind in parts[0]}

    def scoring(suffix: str) -> Callable[[], Any]:
        output = folder / f"compared{suffix}"
        output.unlink(missing_ok=True)
        return lambda: score(model, data, log, output, reasons=0)

    inputs = read()
    predict(model, inputs)
    of_rounds: dict[str, list[float]] = {}
    for _ in range(rounds):
        prediction = processor_seconds(lambda: predict(model, inputs))
        reading = processor_seconds(lambda: predict(model, read()))
        for suffix in (".parquet", ".csv"):
            seconds = processor_seconds(scoring(suffix))
            for name, other in (("prediction", prediction), ("reading, prediction", reading)):
                of_rounds.setdefault(f"{suffix} of {name}", []).append(other / seconds)
    rows = len(next(iter(inputs.values())))
    return {
        "preset": preset,
        "rows": rows,
        "predicted_rows_a_processor_second": rows / prediction,
        **{name: mean_and_std(values) for name, values in of_rounds.items()},
    }


def processor_seconds(function: Callable[[], Any]) -> float:
    """Returns the seconds that all of the process's threads work during a call."""
    started = time.process_time()
    function()
    return time.process_time() - started


if __name__ == "__main__":
    run_program(main)
