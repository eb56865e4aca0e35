"""Which library reads a raw click log fastest: pyarrow, polars or DuckDB.

    pip install polars duckdb
    python -m experiments.speed.readers --reader_rows=2000000

Each of them reads a generated Criteo log (`parse`: all values, kept no longer than a chunk) and
counts the values of all 26 categorical fields (`count`, what preparation's first pass is
about), in separate processes and in turn. Writes `speed/readers.json` among the results:
rows/s and peak memory. Some 5 minutes on 2 cores; nothing else should run meanwhile.
"""

import pathlib
import resource
import statistics
import time
from typing import Any

from absl import flags

from experiments.common.flags import DATA_DIR
from experiments.common.markdown import markdown_table
from experiments.common.results import record, write_result
from experiments.common.running import run_program
from experiments.generated_logs.generator import generate
from experiments.speed.processes import ROUNDS, run_alone
from interhat_tf.datasets.criteo.criteo_dataset_builder import CATEGORIES, COLUMNS
from interhat_tf.preprocessing.fields import Categorical
from interhat_tf.preprocessing.local_runner import read_chunks
from interhat_tf.preprocessing.rows import Rows, random_splits
from interhat_tf.preprocessing.text_chunks import log_chunks
from interhat_tf.preprocessing.text_parsing import parse
from interhat_tf.preprocessing.vocabulary import CountStore, count_rows

READER_ROWS = flags.DEFINE_integer("reader_rows", 2_000_000, "rows of the log")


def main(_):
    path = pathlib.Path(DATA_DIR.value) / "logs/readers.txt"
    path.parent.mkdir(parents=True, exist_ok=True)
    generate(path, "criteo", READER_ROWS.value, overwrite=True)
    measured = {key: [] for key in TASKS}
    for _ in range(ROUNDS.value):
        for key, runs in measured.items():
            runs.append(run_alone(measure, *key, str(path)))
    figures = []
    for (task, reader), runs in measured.items():
        expected = measured[task, "pyarrow"][0]["result"]
        if any(run["result"] != expected for run in runs):
            raise ValueError(f"{task}: {reader} and pyarrow do not agree: {runs}, {expected}")
        seconds = [run["seconds"] for run in runs]
        figures.append(
            {
                "task": task,
                "reader": reader,
                "rows_per_second": READER_ROWS.value / statistics.median(seconds),
                "seconds": seconds,
                "gigabytes": max(run["gigabytes"] for run in runs),
            }
        )
    rows = [
        [f["task"], f["reader"], f"{f['rows_per_second']:,.0f}", f"{f['gigabytes']:.2f}"]
        for f in figures
    ]
    print(markdown_table(["task", "reader", "rows/s", "peak GB"], rows))
    about = record("pyarrow", "polars", "duckdb", rows=READER_ROWS.value, figures=figures)
    write_result("speed/readers.json", about)


def measure(task: str, reader: str, path: str) -> dict[str, Any]:
    """Lets a reader do a task; returns its result, seconds and this process's peak memory."""
    started = time.perf_counter()
    result = TASKS[task, reader](path)
    seconds = time.perf_counter() - started
    kilobytes = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return {"seconds": seconds, "gigabytes": kilobytes / 2**20, "result": result}


def parse_with_pyarrow(path: str) -> int:
    """Reads all values in the chunks and threads of the preparation."""
    chunks = log_chunks([path])
    tables = read_chunks(chunks, lambda chunk: parse(chunk, COLUMNS, delimiter="\t"), "reading")
    return sum(len(table) for table in tables)


def count_with_pyarrow(path: str) -> dict[str, int]:
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


def parse_with_polars(path: str) -> int:
    """Reads all values with polars' streaming engine; a maximum makes it look at each of them."""
    import polars

    maxima = _scan_with_polars(path).select(polars.all().max(), rows=polars.len())
    return maxima.collect(engine="streaming")["rows"][0]


def count_with_polars(path: str) -> dict[str, int]:
    """Counts values with polars' streaming engine."""
    import polars

    log = _scan_with_polars(path).with_columns(polars.col(CATEGORIES).fill_null(""))
    counts = [log.group_by(name).len() for name in CATEGORIES]
    tables = polars.collect_all(counts, engine="streaming")
    return dict(zip(CATEGORIES, map(len, tables), strict=True))


def _scan_with_polars(path):
    import polars

    kinds = {name: polars.String if _is_text(name) else polars.Int64 for name in COLUMNS}
    return polars.scan_csv(path, separator="\t", has_header=False, schema=kinds, quote_char=None)


def parse_with_duckdb(path: str) -> int:
    """Reads all values with DuckDB; a maximum makes it look at each of them."""
    import duckdb

    maxima = ", ".join(f"max({name})" for name in COLUMNS)
    return duckdb.sql(f"SELECT count(*), {maxima} FROM {_scan_with_duckdb(path)}").fetchall()[0][0]


def count_with_duckdb(path: str) -> dict[str, int]:
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
    return {name: counts[1 << bit] for bit, name in enumerate(reversed(CATEGORIES))}


def _scan_with_duckdb(path):
    kinds = ", ".join(
        f"'{name}': '{'VARCHAR' if _is_text(name) else 'BIGINT'}'" for name in COLUMNS
    )
    return f"read_csv('{path}', delim='\t', header=false, quote='', columns={{{kinds}}})"


def _is_text(name):
    return name in (*CATEGORIES, "label")


TASKS = {
    ("parse", "pyarrow"): parse_with_pyarrow,
    ("parse", "polars"): parse_with_polars,
    ("parse", "duckdb"): parse_with_duckdb,
    ("count", "pyarrow"): count_with_pyarrow,
    ("count", "polars"): count_with_polars,
    ("count", "duckdb"): count_with_duckdb,
}


if __name__ == "__main__":
    run_program(main, rounds=3)
