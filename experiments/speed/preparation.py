"""How fast a log of full size is prepared, in how much memory, and how fast it is read back.

    python -m experiments.speed.preparation

Generates Criteo logs of 13.75 million rows, the paper's 30% of the real one,
and of twice as many; prepares all of their rows with the fields of each
configuration, in a process of its own; and reads the smaller one's training
rows back, shuffled, beside NumPy copying the same bytes. Writes
`experiments/results/preparation.json`. Some 20 minutes and 25 GB of disk on 2
cores; nothing else should run meanwhile.
"""

import dataclasses
import datetime
import json
import pathlib
import resource
import shutil
import subprocess
import sys
import time

from absl import flags

from experiments.common.markdown import markdown_table
from experiments.common.running import run_program
from experiments.generated_logs.generator import generate_once
from experiments.speed.timing import reading
from interhat_tf.datasets.criteo.criteo_dataset_builder import Builder
from interhat_tf.input_pipeline.catalog import prepare
from interhat_tf.utils.files import write_json
from interhat_tf.utils.provenance import versions

BATCH_SIZE = 2048

ROWS = flags.DEFINE_multi_integer("rows", [13_750_000, 27_500_000], "rows of the logs")
CONFIGS = flags.DEFINE_multi_string("configs", ["bucketed", "all_fields"], "configurations")
ROUNDS = flags.DEFINE_integer("rounds", 5, "epochs that are read")
FOLDER = flags.DEFINE_string("folder", "prepared/preparation", "logs and prepared sets")
RESULTS = flags.DEFINE_string("results", "experiments/results/preparation.json", "what is written")
ONLY = flags.DEFINE_boolean("only", False, "prepare one set in this process, and print")


def main(_):
    if ONLY.value:
        print(json.dumps(measure(ROWS.value[0], CONFIGS.value[0])))
        return
    for rows in ROWS.value:
        generate_once(log_path(rows), "criteo", rows)
    prepared = [prepare_alone(rows, config) for config in CONFIGS.value for rows in ROWS.value]
    read = []
    for config in CONFIGS.value:
        data = open_set(ROWS.value[0], config)
        read += reading(f"{config}, {ROWS.value[0]:,} rows", data, BATCH_SIZE, ROUNDS.value)
    write_json(
        RESULTS.value,
        {
            "date": datetime.date.today().isoformat(),
            "versions": versions(),
            "prepared": prepared,
            "read": read,
        },
    )
    header = ["fields", "rows", "rows/s", "peak GB", "log GB", "prepared GB", "distinct features"]
    lines = [
        [
            f["config"],
            f"{f['rows']:,}",
            f"{f['rows_per_second']:,.0f}",
            f"{f['peak_gigabytes']:.2f}",
            f"{f['log_gigabytes']:.2f}",
            f"{f['prepared_gigabytes']:.2f}",
            f"{f['distinct_features']:,}",
        ]
        for f in prepared
    ]
    print(markdown_table(header, lines))
    lines = [[f["what"], f"{f['rows_per_second']:,.0f}", f["times"]] for f in read]
    print(markdown_table(["what", "rows/s", "measured"], lines))


def prepare_alone(rows, config):
    """Prepares a set in a process of its own, anew, and returns what that took."""
    shutil.rmtree(sets_folder(rows) / "criteo" / f"{config}_all_rows", ignore_errors=True)
    command = [sys.executable, "-m", "experiments.speed.preparation", "--only", f"--rows={rows}"]
    command += [f"--configs={config}", f"--folder={FOLDER.value}"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise ValueError(done.stderr.strip().splitlines()[-1])
    return json.loads(done.stdout.splitlines()[-1])


def measure(rows, config):
    """Prepares a set in this process, and returns what that took."""
    before = peak_gigabytes()
    started = time.perf_counter()
    data = open_set(rows, config)
    seconds = time.perf_counter() - started
    files = [
        pathlib.Path(path)
        for split in ("train", "validation", "test")
        for path in data.files(split)
    ]
    return {
        "config": config,
        "rows": rows,
        "seconds": seconds,
        "rows_per_second": rows / seconds,
        "peak_gigabytes": peak_gigabytes(),
        "gigabytes_of_imports": before,
        "log_gigabytes": log_path(rows).stat().st_size / 1e9,
        "prepared_gigabytes": sum(path.stat().st_size for path in files) / 1e9,
        "distinct_features": data.statistics["distinct_features"],
    }


def open_set(rows, config):
    """Returns the set of all rows of a log, prepared if it is not there."""
    chosen = next(known for known in Builder.BUILDER_CONFIGS if known.name == config)
    chosen = dataclasses.replace(chosen, name=f"{config}_all_rows", share=1.0)
    return prepare(Builder(data_dir=sets_folder(rows), config=chosen), log_path(rows).parent)


def log_path(rows):
    return pathlib.Path(FOLDER.value) / f"log-{rows}" / "train.txt"


def sets_folder(rows):
    return pathlib.Path(FOLDER.value) / f"sets-{rows}"


def peak_gigabytes():
    """Returns the most memory that this process has had resident so far, in 10^9 bytes."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e9


if __name__ == "__main__":
    run_program(main)
