"""The page's parts on what the other programs of `experiments.speed` measured.

Each takes a program's summary, or `None`, and returns its section, or none.
"""

from typing import Any

from experiments.common.markdown import interval, spread
from experiments.report.grid_cells import title
from experiments.report.pages import Section, Table, written
from experiments.report.speed_page import OPTIMIZERS, table_size

Summary = dict[str, Any]

PROFILED = 10


def large_tables(sizes: Summary | None, quality: dict[str, Summary]) -> list[Section]:
    """Returns the section on the lazy Adam.

    Args:
        sizes: Summary of the grid `table_size`, or `None`.
        quality: From a data set's name to its summary of `experiments.speed.lazy_adam`.
    """
    blocks = table_size(sizes)
    for summary in quality.values():
        blocks += _quality(summary)
    if not blocks:
        return []
    about = (
        "Not in the paper. `LazyAdam` touches only those rows of the embeddings that a batch "
        "holds; `Adam` lets all rows' moments decay in every step."
    )
    return [Section("Large vocabularies: the lazy Adam", [about, *blocks])]


def _quality(summary):
    rows = [
        [OPTIMIZERS[optimizer], *(spread(row["test"][metric]) for metric in ("auc", "logloss"))]
        for optimizer, row in summary["optimizers"].items()
    ]
    auc, logloss = (interval(summary["differences"][metric]) for metric in ("auc", "logloss"))
    note = f", {summary['data']['note']}" if summary["data"]["note"] else ""
    seeds = len(summary["optimizers"]["adam"]["seeds"])
    about = (
        f"`{summary['data']['set']}`{note}: InterHAt, `{summary['preset']}` without a penalty on "
        f"the embeddings, {seeds} seeds. LazyAdam less Adam, paired by seed: AUC {auc}, logloss "
        f"{logloss}. {written(summary, 'python -m experiments.speed.lazy_adam')}"
    )
    return [about, Table(["optimizer", "test AUC", "test logloss"], rows)]


def profile(summary: Summary | None) -> list[Section]:
    """Returns the section on where a step's time goes."""
    if summary is None:
        return []
    rows = [
        [
            title(name),
            row["operation"],
            f"{row['times']:,}",
            f"{row['ms']:.1f}",
            f"{row['ms'] / found['ms']:.0%}",
        ]
        for name, found in summary["models"].items()
        for row in found["operations"][:PROFILED]
    ]
    times = ", ".join(f"{title(m)} {f['ms']:,.0f} ms" for m, f in summary["models"].items())
    about = (
        f"One step of {summary['batch_size']:,} records of Criteo's sizes on one thread, as "
        f"TensorFlow's profiler has it: {times}. The {PROFILED} kinds of operations that take "
        f"longest. {written(summary, 'python -m experiments.speed.profile')}"
    )
    table = Table(
        ["model", "operation", "times", "ms", "of the step"], rows, fold="Operations of a step"
    )
    return [Section("Speed: where a step's time goes", [about, table])]


def serving(summary: Summary | None) -> list[Section]:
    """Returns the section on how long exported models take to answer."""
    if summary is None:
        return []
    rows = [
        [
            row["export"],
            f"{row['records']:,}",
            *(f"{row[quantile] * 1e3:,.2f}" for quantile in ("p50", "p99")),
        ]
        for row in summary["rows"]
    ]
    calls = ", ".join(f"{calls} of {int(n):,}" for n, calls in summary["calls"].items())
    about = (
        f"Not in the paper. InterHAt, `released`, of {summary['size'].capitalize()}'s sizes, "
        f"exported and asked in turn: {calls} records; every answer is the model's own within "
        f"1e-5. {written(summary, 'python -m experiments.speed.latency')}"
    )
    table = Table(["export", "records", "p50, ms", "p99, ms"], rows)
    return [Section("Serving: latency", [about, table])]


def data_pipeline(preparation: Summary | None, readers: Summary | None) -> list[Section]:
    """Returns the section on preparing data sets and reading them.

    Args:
        preparation: Summary of `experiments.speed.preparation`, or `None`.
        readers: Summary of `experiments.speed.readers`, or `None`.
    """
    blocks = [*_preparation(preparation), *_readers(readers)]
    about = "Not in the paper."
    return [Section("Preparing and reading data", [about, *blocks])] if blocks else []


def _preparation(summary):
    if summary is None:
        return []
    rows = [
        [
            f"`{row['config']}`",
            f"{row['rows']:,}",
            f"{row['rows_per_second']:,.0f}",
            f"{row['peak_gigabytes']:.2f}",
            f"{row['log_gigabytes']:.2f}",
            f"{row['prepared_gigabytes']:.2f}",
            f"{row['distinct_features']:,}",
        ]
        for row in summary["prepared"]
    ]
    about = (
        "**Preparation at full size**: generated Criteo logs, all of their rows, each in a process "
        f"of its own. {summary['prepared'][0]['gigabytes_of_imports']:.2f} GB of the peak memory "
        f"are imports. {written(summary, 'python -m experiments.speed.preparation')}"
    )
    header = ["fields", "rows", "rows/s", "peak GB", "log GB", "prepared GB", "distinct features"]
    read = [
        [figure["what"], f"{figure['rows_per_second']:,.0f}", f"{figure['seconds']:.2f}"]
        for figure in summary["read"]
    ]
    times = summary["read"][0]["times"]
    rates = Table(["read back", "rows/s", f"seconds an epoch, median of {times}"], read)
    return [about, Table(header, rows), rates]


def _readers(summary):
    if summary is None:
        return []
    rows = [
        [row["task"], row["reader"], f"{row['rows_per_second']:,.0f}", f"{row['gigabytes']:.2f}"]
        for row in summary["figures"]
    ]
    about = (
        f"**Readers of a raw log**: {summary['rows']:,} generated Criteo rows; *parse* reads all "
        "values, *count* counts those of all categorical fields. Medians of "
        f"{len(summary['figures'][0]['seconds'])}, peak memory. "
        f"{written(summary, 'python -m experiments.speed.readers')}"
    )
    return [about, Table(["task", "reader", "rows/s", "peak GB"], rows)]


def devices(workers: Summary | None, sharded: Summary | None) -> list[Section]:
    """Returns the section on several devices.

    Args:
        workers: Summary of `experiments.robustness.two_workers`, or `None`.
        sharded: Summary of `experiments.speed.sharded_tables`, or `None`.
    """
    blocks = [*_workers(workers), *_sharded(sharded)]
    return [Section("More than one device", ["Not in the paper.", *blocks])] if blocks else []


def _workers(summary):
    if summary is None:
        return []
    one, two = summary["runs"]["one"], summary["runs"]["two"]
    rows = [
        [str(epoch + 1), *(f"{value:.8f}" for value in values)]
        for epoch, values in enumerate(
            zip(one["losses"], two["losses"], one["validation"], two["validation"], strict=True)
        )
    ]
    killed = summary["killed"]
    equal = "the same weights as" if killed["equal"] else "**other weights than**"
    seconds = {
        name: sum(run["epoch_seconds"]) / len(run["epoch_seconds"])
        for name, run in summary["runs"].items()
    }
    about = (
        f"**Two worker processes on loopback** (`--strategy=multi_worker`), `released`, "
        f"`{summary['data']['set']}`, {summary['data']['rows']:,} training rows, batches of "
        f"{summary['batch_size']:,}: one process that reads both shards of the data, and two that "
        "read one each, in float64, where sums hardly depend on their order. Their losses differ "
        f"by at most {summary['largest_relative_loss_difference']:.1e} of their value. An epoch "
        f"takes {seconds['one']:.1f} s and {seconds['two']:.1f} s; both share the same cores. "
        f"With a worker killed in epoch {killed['epoch']} the other ended after "
        f"{killed['seconds_until_the_other_ended']:.0f} s, and both, resumed, ended with {equal} "
        f"the unbroken run. {written(summary, 'python -m experiments.robustness.two_workers')}"
    )
    header = ["epoch", "loss, one", "loss, two", "validation AUC, one", "validation AUC, two"]
    return [about, Table(header, rows)]


def _sharded(summary):
    if summary is None:
        return []
    rows = [
        [
            f"{row['devices']}",
            f"{row['table_bytes'][0] / 2**20:,.1f}",
            f"{row['optimizer_bytes'][0] / 2**20:,.1f}",
            spread({name: value * 1e3 for name, value in row["seconds_per_step"].items()}, 0),
            f"{row['loss']:.7f}",
        ]
        for row in summary["rows"]
    ]
    about = (
        "**Tables larger than a device's memory** (`interhat_tf.training.table_sharding`, on "
        f"Keras' JAX backend): `released` with {summary['features']:,} features, the same CPU "
        "counted as one device and as two, so that the seconds say what splitting costs. The "
        f"losses of all rounds differ by at most {summary['largest_difference_of_loss']:.1e}. "
        f"{written(summary, 'python -m experiments.speed.sharded_tables')}"
    )
    header = ["devices", "table, MiB each", "optimizer, MiB each", "ms a step", "loss"]
    return [about, Table(header, rows)]
