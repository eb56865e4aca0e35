"""How fast a log of full size is prepared, in how much memory, and how fast it is read back.

    python -m experiments.speed.preparation

Generates Criteo logs of 13.75 million rows, the paper's 30% of the real one, and of twice as
many; prepares all of their rows with the fields of each configuration, in a process of its
own; and reads the smaller one's training rows back, shuffled, beside NumPy copying the same
bytes. Writes `speed/preparation.json` among the results. Some 20 minutes and 25 GB of disk on
2 cores; nothing else should run meanwhile.
"""

import dataclasses
import pathlib
import resource
import shutil
import time
from typing import Any

from absl import flags

from experiments.common.flags import DATA_DIR
from experiments.common.markdown import markdown_table
from experiments.common.results import record, write_result
from experiments.common.running import run_program
from experiments.generated_logs.generator import generate_once
from experiments.speed.processes import ROUNDS, run_alone
from experiments.speed.reading import reading
from interhat_tf.datasets.criteo.criteo_dataset_builder import Builder
from interhat_tf.input_pipeline.catalog import prepare
from interhat_tf.input_pipeline.dataset import PreparedDataset

BATCH_SIZE = 2048

LOG_ROWS = flags.DEFINE_multi_integer("log_rows", [13_750_000, 27_500_000], "rows of the logs")
CONFIGS = flags.DEFINE_multi_string("configs", ["bucketed", "all_fields"], "configurations")


def main(_):
    folder = pathlib.Path(DATA_DIR.value) / "preparation"
    for rows in LOG_ROWS.value:
        generate_once(log_path(folder, rows), "criteo", rows)
    prepared, read = [], []
    for config in CONFIGS.value:
        for rows in LOG_ROWS.value:
            shutil.rmtree(_sets(folder, rows) / "criteo" / _name(config), ignore_errors=True)
            prepared.append(run_alone(measure, folder, rows, config))
            print(config, f"{rows:,} rows: {prepared[-1]['rows_per_second']:,.0f} rows/s")
        rows = LOG_ROWS.value[0]
        data = open_set(folder, rows, config)
        read += reading(f"{config}, {rows:,} rows", data, BATCH_SIZE, ROUNDS.value)
    header = ["fields", "rows", "rows_per_second", "peak_gigabytes", "prepared_gigabytes"]
    cells = [[f["config"], f["rows"], *(f"{f[name]:.4g}" for name in header[2:])] for f in prepared]
    print(markdown_table(header, cells))
    print(markdown_table(["what", "rows/s"], [[f["what"], f["rows_per_second"]] for f in read]))
    write_result("speed/preparation.json", record(prepared=prepared, read=read))


def measure(folder: pathlib.Path, rows: int, config: str) -> dict[str, Any]:
    """Prepares a set in this process, and returns what that took."""
    before = peak_gigabytes()
    started = time.perf_counter()
    data = open_set(folder, rows, config)
    seconds = time.perf_counter() - started
    splits = ("train", "validation", "test")
    files = [pathlib.Path(path) for split in splits for path in data.files(split)]
    return {
        "config": config,
        "rows": rows,
        "seconds": seconds,
        "rows_per_second": rows / seconds,
        "peak_gigabytes": peak_gigabytes(),
        "gigabytes_of_imports": before,
        "log_gigabytes": log_path(folder, rows).stat().st_size / 1e9,
        "prepared_gigabytes": sum(path.stat().st_size for path in files) / 1e9,
        "distinct_features": data.statistics["distinct_features"],
    }


def open_set(folder: pathlib.Path, rows: int, config: str) -> PreparedDataset:
    """Returns the set of all rows of a log, prepared if it is not there."""
    chosen = next(known for known in Builder.BUILDER_CONFIGS if known.name == config)
    chosen = dataclasses.replace(chosen, name=_name(config), share=1.0)
    builder = Builder(data_dir=_sets(folder, rows), config=chosen)
    return prepare(builder, log_path(folder, rows).parent)


def log_path(folder: pathlib.Path, rows: int) -> pathlib.Path:
    """Returns the path of the generated log of a number of rows."""
    return folder / f"log-{rows}" / "train.txt"


def _sets(folder, rows):
    return folder / f"sets-{rows}"


def _name(config):
    return f"{config}_all_rows"


def peak_gigabytes() -> float:
    """Returns the most memory that this process has had resident so far, in 10^9 bytes."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e9


if __name__ == "__main__":
    run_program(main)
