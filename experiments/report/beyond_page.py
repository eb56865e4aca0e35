"""What the page says of the other programs beyond the paper.

Each function takes a program's summary and returns what stands in the page's marks for it.
"""

from collections.abc import Callable
from statistics import fmean

from experiments.common.markdown import interval, spread
from experiments.common.published import TITLES
from experiments.report.blocks import Table
from experiments.report.cells import TEST_SCORES, Cell, Summary, named, table
from experiments.report.grid_cells import title
from experiments.report.speed_page import OPTIMIZERS

PROFILED = 10


def lazy_adam(summary: Summary) -> Summary:
    """Returns the table of `experiments.speed.lazy_adam`."""
    columns = {"optimizer": lambda row: OPTIMIZERS[row["name"]], **TEST_SCORES}
    return {"scores": table(columns, named(summary["optimizers"]))}


def profile(summary: Summary) -> Summary:
    """Returns the times and the table of `experiments.speed.profile`."""
    models = [{"model": name, **model} for name, model in summary["models"].items()]
    rows = [
        {"of": model, **operation}
        for model in models
        for operation in model["operations"][:PROFILED]
    ]
    columns = {
        "model": lambda row: title(row["of"]),
        "operation": "{operation}",
        "times": "{times:,}",
        "ms": "{ms:.1f}",
        "of the step": lambda row: f"{row['ms'] / row['of']['ms']:.0%}",
    }
    return {
        "times": ", ".join(f"{title(model)} {model['ms']:,.0f} ms" for model in models),
        "profiled": PROFILED,
        "longest": table(columns, rows, fold="Operations of a step"),
    }


def continued_training(summary: Summary) -> Summary:
    """Returns the table of `experiments.robustness.continued_training`: a line a day."""

    def seconds(method: str) -> Callable[[Summary], str]:
        parts = ("preparing_cpu_seconds", "training_cpu_seconds")
        return lambda row: f"{sum(row[method][part]['mean'] for part in parts):.1f}"

    columns: dict[str, Cell] = {
        "day": "{day}",
        **{
            title: lambda row, of=of: spread(row[of]["auc"])
            for title, of in (("trained on, AUC", "continued"), ("from scratch", "scratch"))
        },
        "AUC apart": lambda row: interval(row["difference"]["auc"]),
        "logloss apart": lambda row: interval(row["difference"]["logloss"]),
        "first day's, AUC": lambda row: spread(row["left"]["auc"]),
        "true, AUC": lambda row: spread(row["truth"]["auc"]),
        "trained on, s": seconds("continued"),
        "from scratch, s": seconds("scratch"),
    }
    return {"lines": table(columns, summary["days"]), "seeds": summary["seeds"]}


def latency(summary: Summary) -> Summary:
    """Returns the calls and the table of `experiments.speed.latency`."""
    columns = {
        "InterHAt": "{preset}",
        "export": "{export}",
        "records": "{records:,}",
        "p50, ms": lambda row: f"{row['p50'] * 1e3:,.2f}",
        "p99, ms": lambda row: f"{row['p99'] * 1e3:,.2f}",
        "first, ms": lambda row: f"{row['first'] * 1e3:,.2f}",
    }
    return {
        "title": summary["size"].capitalize(),
        "rounds": summary["rounds"],
        "asked": ", ".join(f"{calls} calls of {int(n):,}" for n, calls in summary["calls"].items()),
        "times": table(columns, summary["rows"]),
    }


def onnx_forms(summary: Summary) -> Summary:
    """Returns the table of `experiments.speed.onnx_forms`."""
    columns = {
        "form": "{form}",
        "threads": "{threads}",
        "records": "{records:,}",
        "p50, ms": lambda row: f"{row['p50'] * 1e3:,.2f}",
        "times as fast": "{times_faster:.2f}",
        "largest error": lambda row: f"{row['largest_error']:.0e}" if row["largest_error"] else "–",
        "file, MB": "{megabytes:.1f}",
    }
    return {"title": summary["size"].capitalize(), "times": table(columns, summary["rows"])}


def explanations(summary: Summary) -> Summary:
    """Returns the table of `experiments.speed.explanations`: a line for each way to explain."""
    rates: dict[str, dict[str, float]] = {}
    methods: dict[str, list[Summary]] = {}
    for row in summary["rows"]:
        rates.setdefault(row["model"], {})[row["what"]] = row["rows_per_second"]
        methods.setdefault(row["model"], [])
        methods[row["model"]] += [row] if row["what"] == "explanation" else []
    for model, trained in summary["trees"].items():
        rates[model]["training"] = trained["rows_per_second"]

    def rate_of(what):
        return lambda line: f"{rates[line['model']][what]:,.0f}"

    columns = {
        "model": "{model}",
        "training rows/s": rate_of("training"),
        "predicted rows/s": rate_of("prediction"),
        "explained by": lambda line: line.get("method", "–"),
        "explained rows/s": lambda line: (
            f"{line['rows_per_second']:,.0f}" if "method" in line else "–"
        ),
        "share of prediction's": lambda line: (
            spread(line["of_prediction"], 2) if "of_prediction" in line else "–"
        ),
        "times TreeSHAP": lambda line: spread(line["against"], 1) if "against" in line else "–",
    }
    lines = [{"model": model, **line} for model in methods for line in methods[model] or [{}]]
    return {"rates": table(columns, lines)}


def preparation(summary: Summary) -> Summary:
    """Returns the tables of `experiments.speed.preparation`."""
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
    return {
        "prepared_table": table(prepared, summary["prepared"]),
        "read_table": table(read, summary["read"]),
    }


def readers(summary: Summary) -> Summary:
    """Returns the table of `experiments.speed.readers`."""
    columns = {
        "task": "{task}",
        "reader": "{reader}",
        "rows/s": "{rows_per_second:,.0f}",
        "peak GB": "{gigabytes:.2f}",
    }
    return {"rates": table(columns, summary["figures"])}


def two_workers(summary: Summary) -> Summary:
    """Returns the table of `experiments.robustness.two_workers`."""
    one, two = summary["runs"]["one"], summary["runs"]["two"]
    equal = summary["killed"]["equal"]
    epochs = zip(one["losses"], two["losses"], one["validation"], two["validation"], strict=True)
    rows = [[str(n), *(f"{value:.8f}" for value in values)] for n, values in enumerate(epochs, 1)]
    header = ["epoch", "loss, one", "loss, two", "validation AUC, one", "validation AUC, two"]
    return {
        "one": fmean(one["epoch_seconds"]),
        "two": fmean(two["epoch_seconds"]),
        "same_weights_as": "the same weights as" if equal else "**other weights than**",
        "epochs": Table(header, rows),
    }


def sharded_tables(summary: Summary) -> Summary:
    """Returns the table of `experiments.speed.sharded_tables`."""

    def mebibytes(name):
        return lambda row: f"{row[name][0] / 2**20:,.1f}"

    columns = {
        "devices": "{devices}",
        "table, MiB each": mebibytes("table_bytes"),
        "optimizer, MiB each": mebibytes("optimizer_bytes"),
        "ms a step": lambda row: spread(
            {k: v * 1e3 for k, v in row["seconds_per_step"].items()}, 0
        ),
        "loss": "{loss:.7f}",
    }
    return {"devices": table(columns, summary["rows"])}


def histories(summary: Summary) -> Summary:
    """Returns the table of `experiments.speed.histories`."""
    columns = {
        "model": lambda row: TITLES[row["model"]],
        "rows/s": lambda row: spread(row["rows_per_second"], 0),
        "times DIN's": lambda row: spread(row["times"], 2),
    }
    return {"rates": table(columns, summary["rows"])}


def value_lists(summary: Summary) -> Summary:
    """Returns the table of `experiments.speed.value_lists`."""
    columns = {
        "column": "{column}",
        "values, at most": "{longest}",
        "preparing": "{preparing:.2f}",
        "training batches": lambda row: spread(row["training"], 2),
        "batches in order": lambda row: spread(row["evaluating"], 2),
    }
    return {"shares": table(columns, summary["columns"])}


def alignment(summary: Summary) -> Summary:
    """Returns the table of `experiments.speed.alignment`, with a column for each preset."""
    presets = {
        preset: (
            lambda row, preset=preset: "{ratio:.2f} [{low:.2f}, {high:.2f}]".format(**row[preset])
        )
        for preset in summary["cases"]
    }
    kinds = next(iter(summary["cases"].values()))
    rows = [
        {"kind": kind, **{preset: of_case[kind] for preset, of_case in summary["cases"].items()}}
        for kind in kinds
        if kind != "plain"
    ]
    return {"ratios": table({"aligned": "{kind}", **presets}, rows)}
