"""The page's parts on what the other programs beyond the paper measured.

Each takes a program's summary and returns a text and its tables.
"""

from statistics import fmean

from experiments.common.markdown import interval, spread
from experiments.report.cells import TEST_SCORES, Summary, data_of, named, table, written
from experiments.report.grid_cells import title
from experiments.report.pages import Block, Table
from experiments.report.speed_page import OPTIMIZERS

PROFILED = 10
ABOUT_LAZY_ADAM = (
    "Not in the paper. `LazyAdam` touches only those rows of the embeddings that a batch holds; "
    "`Adam` lets all rows' moments decay in every step."
)


def lazy_adam(summary: Summary) -> list[Block]:
    """Returns the blocks of `experiments.speed.lazy_adam`."""
    auc, logloss = (interval(summary["differences"][metric]) for metric in ("auc", "logloss"))
    about = (
        f"{data_of(summary)}: InterHAt, `{summary['preset']}` without a penalty on the "
        f"embeddings, {len(summary['optimizers']['adam']['seeds'])} seeds. LazyAdam less Adam, "
        f"paired by seed: AUC {auc}, logloss {logloss}. "
        f"{written(summary, 'python -m experiments.speed.lazy_adam')}"
    )
    columns = {"optimizer": lambda row: OPTIMIZERS[row["name"]], **TEST_SCORES}
    return [about, table(columns, named(summary["optimizers"]))]


def profile(summary: Summary) -> list[Block]:
    """Returns the blocks of `experiments.speed.profile`."""
    models = [{"model": name, **model} for name, model in summary["models"].items()]
    rows = [
        {"of": model, **operation}
        for model in models
        for operation in model["operations"][:PROFILED]
    ]
    times = ", ".join(f"{title(model)} {model['ms']:,.0f} ms" for model in models)
    about = (
        f"One step of {summary['batch_size']:,} records of Criteo's sizes on one thread, as "
        f"TensorFlow's profiler has it: {times}. The {PROFILED} kinds of operations that take "
        f"longest. {written(summary, 'python -m experiments.speed.profile')}"
    )
    columns = {
        "model": lambda row: title(row["of"]),
        "operation": "{operation}",
        "times": "{times:,}",
        "ms": "{ms:.1f}",
        "of the step": lambda row: f"{row['ms'] / row['of']['ms']:.0%}",
    }
    return [about, table(columns, rows, fold="Operations of a step")]


def latency(summary: Summary) -> list[Block]:
    """Returns the blocks of `experiments.speed.latency`."""
    calls = ", ".join(f"{calls} of {int(n):,}" for n, calls in summary["calls"].items())
    about = (
        f"InterHAt, `released`, of {summary['size'].capitalize()}'s sizes, exported and asked in "
        f"turn: {calls} records; every answer is the model's own within 1e-5. "
        f"{written(summary, 'python -m experiments.speed.latency')}"
    )
    columns = {
        "export": "{export}",
        "records": "{records:,}",
        "p50, ms": lambda row: f"{row['p50'] * 1e3:,.2f}",
        "p99, ms": lambda row: f"{row['p99'] * 1e3:,.2f}",
    }
    return [about, table(columns, summary["rows"])]


def preparation(summary: Summary) -> list[Block]:
    """Returns the blocks of `experiments.speed.preparation`."""
    about = (
        "**Preparation at full size**: generated Criteo logs, all of their rows, each in a "
        f"separate process. {summary['prepared'][0]['gigabytes_of_imports']:.2f} GB of the "
        f"peak memory are imports. {written(summary, 'python -m experiments.speed.preparation')}"
    )
    prepared = {
        "fields": "`{config}`",
        "rows": "{rows:,}",
        "rows/s": "{rows_per_second:,.0f}",
        "peak GB": "{peak_gigabytes:.2f}",
        "log GB": "{log_gigabytes:.2f}",
        "prepared GB": "{prepared_gigabytes:.2f}",
        "distinct features": "{distinct_features:,}",
    }
    read = {
        "read back": "{what}",
        "rows/s": "{rows_per_second:,.0f}",
        f"seconds an epoch, median of {summary['read'][0]['times']}": "{seconds:.2f}",
    }
    return [about, table(prepared, summary["prepared"]), table(read, summary["read"])]


def readers(summary: Summary) -> list[Block]:
    """Returns the blocks of `experiments.speed.readers`."""
    about = (
        f"**Readers of a raw log**: {summary['rows']:,} generated Criteo rows; *parse* reads all "
        "values, *count* counts those of all categorical fields. Medians of "
        f"{len(summary['figures'][0]['seconds'])}, peak memory. "
        f"{written(summary, 'python -m experiments.speed.readers')}"
    )
    columns = {
        "task": "{task}",
        "reader": "{reader}",
        "rows/s": "{rows_per_second:,.0f}",
        "peak GB": "{gigabytes:.2f}",
    }
    return [about, table(columns, summary["figures"])]


def two_workers(summary: Summary) -> list[Block]:
    """Returns the blocks of `experiments.robustness.two_workers`."""
    one, two = summary["runs"]["one"], summary["runs"]["two"]
    killed = summary["killed"]
    about = (
        f"**Two worker processes on loopback** (`--strategy=multi_worker`), `released`, "
        f"`{summary['data']['set']}`, {summary['data']['rows']:,} training rows, batches of "
        f"{summary['batch_size']:,}: one process that reads both shards of the data, and two that "
        "read one each, in float64, where sums hardly depend on their order. Their losses differ "
        f"by at most {summary['largest_relative_loss_difference']:.1e} of their value. An epoch "
        f"takes {fmean(one['epoch_seconds']):.1f} s and {fmean(two['epoch_seconds']):.1f} s; both "
        f"share the same cores. With a worker killed in epoch {killed['epoch']} the other ended "
        f"after {killed['seconds_until_the_other_ended']:.0f} s, and both, resumed, ended with "
        f"{'the same weights as' if killed['equal'] else '**other weights than**'} the unbroken "
        f"run. {written(summary, 'python -m experiments.robustness.two_workers')}"
    )
    epochs = zip(one["losses"], two["losses"], one["validation"], two["validation"], strict=True)
    rows = [[str(n), *(f"{value:.8f}" for value in values)] for n, values in enumerate(epochs, 1)]
    header = ["epoch", "loss, one", "loss, two", "validation AUC, one", "validation AUC, two"]
    return [about, Table(header, rows)]


def sharded_tables(summary: Summary) -> list[Block]:
    """Returns the blocks of `experiments.speed.sharded_tables`."""

    def mebibytes(name):
        return lambda row: f"{row[name][0] / 2**20:,.1f}"

    about = (
        "**Tables larger than a device's memory** (`interhat_tf.training.table_sharding`, on "
        f"Keras' JAX backend): `released` with {summary['features']:,} features, the same CPU "
        "counted as one device and as two, so that the seconds say what splitting costs. The "
        f"losses of all rounds differ by at most {summary['largest_difference_of_loss']:.1e}. "
        f"{written(summary, 'python -m experiments.speed.sharded_tables')}"
    )
    columns = {
        "devices": "{devices}",
        "table, MiB each": mebibytes("table_bytes"),
        "optimizer, MiB each": mebibytes("optimizer_bytes"),
        "ms a step": lambda row: spread(
            {k: v * 1e3 for k, v in row["seconds_per_step"].items()}, 0
        ),
        "loss": "{loss:.7f}",
    }
    return [about, table(columns, summary["rows"])]
