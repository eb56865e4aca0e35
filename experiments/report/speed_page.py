"""What the page says of the grids `microbatch`, `models`, `gpu` and `table_size`."""

from experiments.common.markdown import spread
from experiments.common.published import TITLES
from experiments.report.cells import Summary, table
from experiments.report.grid_cells import milliseconds, rate, rows_of, title

PRECISIONS = {"float32": "float32", "mixed_bfloat16": "bfloat16, logits and weights float32"}
OPTIMIZERS = {"adam": "Adam, exact", "lazy_adam": "LazyAdam", "keras_adam": "Keras' Adam"}


def microbatches(summary: Summary) -> Summary:
    """Returns the table of training steps in microbatches."""

    def rows_per_second(row):
        mean = row["batch"] / row["seconds"]
        return spread({"mean": mean, "std": mean * row["deviation"] / row["seconds"]}, 0)

    def times(name):
        return lambda row: (
            spread(row["against"][name]["rate"], 2) if name in row["against"] else "–"
        )

    columns = {
        "form": lambda row: f"{row['size'].capitalize()}: {title(row)}",
        "how": how_computed,
        "rows/s": rows_per_second,
        "times the whole's": times("whole"),
        "times plain Keras'": times("keras"),
    }
    rows = rows_of(summary)
    return {"batch": rows[0]["batch"], "rates": table(columns, rows)}


def how_computed(row: Summary) -> str:
    """Returns what computes a step."""
    if row["code"] == "keras":
        return "plain Keras, XLA" if row["jit_compile"] else "plain Keras"
    if row["code"] == "tensorflow":
        return "whole, without CPU kernels"
    return f"microbatches of {row['microbatch']}" if "microbatch" in row else "whole batches"


def all_models(grid: str, summary: Summary) -> Summary:
    """Returns what the page says of each group of a grid of all models."""
    return {"tables": [of_group(grid, group) for group in summary["groups"]]}


def of_group(grid: str, group: Summary) -> Summary:
    """Returns a group with its settings in words and its table: the fastest model first."""
    of, limits = group["of"], group["ceilings"]
    timed = {(row["model"], row["work"]): row for row in group["rows"]}

    def share(name):
        return lambda row: f"{row[name] / row['seconds'] / limits[name]:.0%}"

    def rate_of(work):
        return lambda row: rate(timed[row["model"], work]) if (row["model"], work) in timed else "–"

    columns = {
        "model": title,
        "training rows/s": rate,
        "10⁶ operations a row": lambda row: f"{row['flops'] / row['batch'] / 1e6:.2f}",
        "kB a row": lambda row: f"{row['bytes'] / row['batch'] / 1e3:,.0f}",
        "about pairs of fields": lambda row: f"{row['map_bytes'] / row['bytes']:.0%}",
        "of the product rate": share("flops"),
        "of the bandwidth": share("bytes"),
        "predicted rows/s": rate_of("prediction"),
        "explained rows/s": rate_of("explanation"),
    }
    steps = [row for row in group["rows"] if row["work"] == "step"]
    size, compiled = of["size"].capitalize(), ", compiled by XLA" if of["jit_compile"] else ""
    updates = ", ".join(
        f"{OPTIMIZERS[row['optimizer']]} {row['seconds'] * 1e3:,.1f} ms"
        for row in group["rows"]
        if row["work"] == "update"
    )
    steps.sort(key=lambda row: row["seconds"])
    fold = f"{size}'s sizes, {of['precision']}{compiled}: all models"
    return {
        **group,
        "groups": [group],
        "title": f"{size}'s sizes",
        "precision": PRECISIONS[of["precision"]],
        "compiled": compiled,
        "gigaflops": limits["flops"] / 1e9,
        "gigabytes": limits["bytes"] / 1e9,
        "updates": updates,
        "fed": title(group["input"]),
        "flags": " ".join([f"--grid={grid}", *flags_of(grid, of)]),
        "rates": table(columns, steps, fold=fold),
    }


def flags_of(grid: str, of: Summary) -> list[str]:
    """Returns the flags that a group of a grid of all models is timed with."""
    flags = [f"--sizes={of['size']}"]
    if grid == "models":  # `gpu` has these among its cases
        flags += ["--xla"] if of["jit_compile"] else []
        flags += [f"--precision={of['precision']}"] if of["precision"] != "float32" else []
    return flags


def table_size(summary: Summary) -> Summary:
    """Returns the table of a step's seconds against the size of the tables."""
    rows = rows_of(summary)
    columns = {
        "model": lambda row: TITLES[row["model"]],
        "optimizer": lambda row: OPTIMIZERS[row["optimizer"]],
        "features": "{features:,}",
        "ms a step": milliseconds,
        "rows/s": rate,
        "times the smallest's": lambda row: spread(row["against"]["smallest"]["time"], 2),
    }
    return {"batch": rows[0]["batch"], "times": table(columns, rows)}
