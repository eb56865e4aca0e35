"""How fast a log of one's own is prepared, and in how much memory, for each way to split it.

    python -m experiments.speed.own_log

Generates a CSV file of 10 million rows and 12 columns, as users have them: ids with a long
tail, texts with commas in quotes, ids with gaps as `17.0`, NA beside numbers, times, booleans.
Prepares it, each time in a process of its own. Writes `speed/own_log.json`. About two minutes a
way on 2 cores, and 3 GB of disk; where other programs run, the seconds of the processor say more
than those of the clock.
"""

import pathlib
import resource
import shutil
import time
from collections.abc import Iterator
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.csv as arrow_csv
from absl import flags

from experiments.common.flags import DATA_DIR
from experiments.common.markdown import markdown_table
from experiments.common.results import record, write_result
from experiments.common.running import run_program
from experiments.speed.preparation import peak_gigabytes
from experiments.speed.processes import run_alone
from interhat_tf import prepare_click_log
from interhat_tf.utils.files import atomic_write

CHUNK_ROWS = 250_000
SEED = 0

OWN_ROWS = flags.DEFINE_integer("own_rows", 10_000_000, "rows of the log")
WAYS = flags.DEFINE_multi_string("ways", ["random", "time:time"], "ways to split the rows")


def main(_):
    folder = pathlib.Path(DATA_DIR.value) / "own_log"
    path = folder / f"log-{OWN_ROWS.value}.csv"
    if not path.exists():
        generate(path, OWN_ROWS.value)
    prepared = [run_alone(measure, path, OWN_ROWS.value, way) for way in WAYS.value]
    header = ["split", "rows_per_second", "rows_per_processor_second", "peak_gigabytes"]
    print(markdown_table(header, [[found[name] for name in header] for found in prepared]))
    write_result("speed/own_log.json", record("pyarrow", prepared=prepared))


def generate(path: pathlib.Path, rows: int) -> None:
    """Writes the log."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with atomic_write(path) as file:
        schema = next(tables(1)).schema
        with arrow_csv.CSVWriter(file, schema) as writer:
            for table in tables(rows):
                writer.write_table(table)


def tables(rows: int) -> Iterator[pa.Table]:
    """Yields the rows of the log, in chunks that fit into memory."""
    random = np.random.default_rng(SEED)
    cities = np.array([f"{name}, {number}" for number in range(60) for name in ("Rome", "Bern")])
    for start in range(0, rows, CHUNK_ROWS):
        size = min(CHUNK_ROWS, rows - start)
        prices = np.exp(random.normal(size=size)).round(2).astype(str)
        ages = random.integers(16, 80, size).astype(str).astype(object)
        seconds = 1_700_000_000 + (start + np.arange(size)) // 7
        users = random.zipf(1.3, size) % 300_000
        items = random.zipf(1.2, size) % 50_000
        yield pa.table(
            {
                "click": random.integers(2, size=size),
                "user": users,
                "item": [f"i{item:06}" for item in items],
                "city": cities[random.integers(len(cities), size=size)],
                "app": random.integers(400, size=size),
                "device": random.integers(2_000, size=size),
                "age": np.where(random.random(size) < 0.1, "", ages + ".0").astype(str),
                "price": np.where(random.random(size) < 0.05, "NA", prices),
                "score": random.normal(size=size).round(4),
                "paid": random.integers(2, size=size).astype(bool),
                "position": random.integers(20, size=size),
                "time": seconds.astype("datetime64[s]").astype(str),
            }
        )


def measure(path: pathlib.Path, rows: int, way: str) -> dict[str, Any]:
    """Prepares the log in this process, and returns what that took."""
    sets = path.parent / "sets"
    shutil.rmtree(sets, ignore_errors=True)
    before, started = _processor_seconds(), time.perf_counter()
    data = prepare_click_log(path, name="own_log", data_dir=sets, split=way)
    seconds = time.perf_counter() - started
    processor = _processor_seconds() - before
    shutil.rmtree(sets)
    return {
        "split": way,
        "rows": rows,
        "fields": len(data.schema.field_names),
        "log_gigabytes": path.stat().st_size / 1e9,
        "seconds": seconds,
        "rows_per_second": rows / seconds,
        "processor_seconds": processor,
        "rows_per_processor_second": rows / processor,
        "peak_gigabytes": peak_gigabytes(),
    }


def _processor_seconds() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


if __name__ == "__main__":
    run_program(main)
