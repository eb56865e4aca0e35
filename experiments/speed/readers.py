"""Which library reads a raw click log fastest: pyarrow, polars or DuckDB.

    pip install polars duckdb
    python -m experiments.speed.readers --rows=2000000

Each of them reads a generated Criteo log (`parse`: all values, kept no longer
than a chunk) and counts the values of all 26 categorical fields (`count`, what
preparation's first pass is about), in processes of their own and in turn.
Writes `experiments/results/readers.json`: rows/s and peak memory. Some 5
minutes on 2 cores; nothing else should run meanwhile.
"""

import datetime
import json
import pathlib
import resource
import statistics
import subprocess
import sys
import time

from absl import flags

from experiments.common.markdown import markdown_table
from experiments.common.running import run_program
from experiments.generated_logs.generator import generate
from interhat_tf.datasets.criteo.criteo_dataset_builder import CATEGORIES, COLUMNS
from interhat_tf.preprocessing.fields import Categorical
from interhat_tf.preprocessing.local_runner import read_chunks
from interhat_tf.preprocessing.rows import Rows, random_splits
from interhat_tf.preprocessing.text_chunks import log_chunks
from interhat_tf.preprocessing.text_parsing import parse
from interhat_tf.preprocessing.vocabulary import CountStore, count_rows
from interhat_tf.utils.files import write_json
from interhat_tf.utils.provenance import versions

READERS = ("pyarrow", "polars", "duckdb")
TASKS = ("parse", "count")

ROWS = flags.DEFINE_integer("rows", 2_000_000, "rows of the log")
ROUNDS = flags.DEFINE_integer("rounds", 3, "rounds of each measurement")
LOG = flags.DEFINE_string("log", "prepared/logs/readers.txt", "where the log is generated")
RESULTS = flags.DEFINE_string("results", "experiments/results/readers.json", "what is written")
READER = flags.DEFINE_enum("reader", None, READERS, "measure this one in this process, and print")
TASK = flags.DEFINE_enum("task", None, TASKS, "what the one does")


def main(_):
    path = pathlib.Path(LOG.value)
    if READER.value:
        started = time.perf_counter()
        result = globals()[f"{TASK.value}_with_{READER.value}"](str(path))
        seconds = time.perf_counter() - started
        kilobytes = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        print(json.dumps({"seconds": seconds, "gigabytes": kilobytes / 2**20, "result": result}))
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    generate(path, "criteo", ROWS.value, overwrite=True)
    measured = {(task, reader): [] for task in TASKS for reader in READERS}
    for _ in range(ROUNDS.value):
        for task, reader in measured:
            command = [sys.executable, "-m", "experiments.speed.readers", f"--log={path}"]
            command += [f"--reader={reader}", f"--task={task}"]
            done = subprocess.run(command, capture_output=True, text=True, check=False)
            if done.returncode:
                raise ValueError(f"{reader}: {done.stderr.strip().splitlines()[-1]}")
            measured[task, reader].append(json.loads(done.stdout.splitlines()[-1]))
    for task in TASKS:
        results = {json.dumps(r["result"]) for reader in READERS for r in measured[task, reader]}
        if len(results) != 1:
            raise ValueError(f"{task}: the readers do not agree: {' / '.join(results)}")
    figures = [
        {
            "task": task,
            "reader": reader,
            "rows_per_second": ROWS.value / statistics.median(r["seconds"] for r in runs),
            "seconds": [r["seconds"] for r in runs],
            "gigabytes": max(r["gigabytes"] for r in runs),
        }
        for (task, reader), runs in measured.items()
    ]
    libraries = {name: __import__(name).__version__ for name in READERS}
    write_json(
        RESULTS.value,
        {
            "date": datetime.date.today().isoformat(),
            "rows": ROWS.value,
            "versions": {**versions(), **libraries},
            "figures": figures,
        },
    )
    rows = [
        [f["task"], f["reader"], f"{f['rows_per_second']:,.0f}", f"{f['gigabytes']:.2f}"]
        for f in figures
    ]
    print(markdown_table(["task", "reader", "rows/s", "peak GB"], rows))


def parse_with_pyarrow(path):
    """Reads all values in the chunks and threads of the preparation."""
    chunks = log_chunks([path])
    tables = read_chunks(chunks, lambda chunk: parse(chunk, COLUMNS, delimiter="\t"), "reading")
    return sum(len(table) for table in tables)


def count_with_pyarrow(path):
    """Counts values as the preparation does."""
    fields = [Categorical(name) for name in CATEGORIES]

    def count(chunk):
        values = parse(chunk, COLUMNS, delimiter="\t", include=CATEGORIES)
        splits = random_splits(chunk.first_row, chunk.rows)
        return count_rows(Rows(values, splits > 0, splits, chunk.path), fields)

    store = CountStore(fields, pathlib.Path(path + ".counts"))
    for counts in read_chunks(log_chunks([path]), count, "counting"):
        store.add(counts)
    return {name: values.distinct for name, values in store.value_counts().items()}


def parse_with_polars(path):
    """Reads all values with polars' streaming engine; a maximum makes it look at each of them."""
    import polars

    maxima = _scan_with_polars(path).select(polars.all().max(), rows=polars.len())
    return maxima.collect(engine="streaming")["rows"][0]


def count_with_polars(path):
    """Counts values with polars' streaming engine."""
    import polars

    log = _scan_with_polars(path).with_columns(polars.col(CATEGORIES).fill_null(""))
    counts = [log.group_by(name).len() for name in CATEGORIES]
    tables = polars.collect_all(counts, engine="streaming")
    return dict(zip(CATEGORIES, map(len, tables), strict=True))


def _scan_with_polars(path):
    import polars

    kinds = {
        name: polars.String if name in (*CATEGORIES, "label") else polars.Int64 for name in COLUMNS
    }
    return polars.scan_csv(path, separator="\t", has_header=False, schema=kinds, quote_char=None)


def parse_with_duckdb(path):
    """Reads all values with DuckDB; a maximum makes it look at each of them."""
    import duckdb

    maxima = ", ".join(f"max({name})" for name in COLUMNS)
    return duckdb.sql(f"SELECT count(*), {maxima} FROM {_scan_with_duckdb(path)}").fetchall()[0][0]


def count_with_duckdb(path):
    """Counts values with DuckDB, all fields in one scan."""
    import duckdb

    sets = ", ".join(f"({name})" for name in CATEGORIES)
    names = ", ".join(CATEGORIES)
    found = duckdb.sql(
        f"SELECT field, count(*) FROM (SELECT GROUPING_ID({names}) AS field, count(*) "
        f"FROM {_scan_with_duckdb(path)} GROUP BY GROUPING SETS ({sets})) GROUP BY field"
    ).fetchall()
    # The bit of the field that a set groups by is 0; the first field has the highest bit.
    everything = 2 ** len(CATEGORIES) - 1
    counts = {everything - field: count for field, count in found}
    return {
        name: counts[2 ** (len(CATEGORIES) - 1 - position)]
        for position, name in enumerate(CATEGORIES)
    }


def _scan_with_duckdb(path):
    kinds = ", ".join(
        f"'{name}': '{'VARCHAR' if name in (*CATEGORIES, 'label') else 'BIGINT'}'"
        for name in COLUMNS
    )
    return f"read_csv('{path}', delim='\t', header=false, quote='', columns={{{kinds}}})"


if __name__ == "__main__":
    run_program(main)
