"""The page's parts on the grids `microbatch`, `models`, `gpu` and `table_size`."""

from experiments.common.markdown import spread
from experiments.common.published import TITLES
from experiments.report.cells import Summary, table
from experiments.report.grid_cells import measured, milliseconds, rate, rows_of, title
from experiments.report.pages import Block

PRECISIONS = {"float32": "float32", "mixed_bfloat16": "bfloat16, logits and weights float32"}
OPTIMIZERS = {"adam": "Adam, exact", "lazy_adam": "LazyAdam", "keras_adam": "Keras' Adam"}
ABOUT_MICROBATCHES = (
    "Not in the paper. A batch's gradient is the sum over its microbatches, whose numbers stay in "
    "a core's cache; several are computed side by side, each operation on one thread. Attention "
    "and Adam are CPU kernels (`interhat_tf.kernels`); without them the attention weights go "
    "through memory several times. *Plain Keras* is the same model of Keras' own layers, with "
    "Keras' Adam and training function."
)
ABOUT_ALL_MODELS = (
    "Not in the paper. Training steps with the exact Adam, predictions and explanations of all "
    "models, in turn in one process, on the same embedding, optimizer and loop, with whole "
    "batches. Operations are those of a step's matrix products, bytes what every TensorFlow "
    "operation of it reads and writes, counted on its graph: what stays in a cache or is fused "
    "never reaches the memory, so that their share of its bandwidth can pass 100%."
)


def microbatches(summary: Summary) -> list[Block]:
    """Returns the text and the table on training steps in microbatches."""

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
    about = (
        f"Training steps of {rows[0]['batch']:,} records with the exact Adam. "
        f"{measured('microbatch', summary['groups'])}"
    )
    return [about, table(columns, rows)]


def how_computed(row: Summary) -> str:
    """Returns what computes a step."""
    if row["code"] == "keras":
        return "plain Keras, XLA" if row["jit_compile"] else "plain Keras"
    if row["code"] == "tensorflow":
        return "whole, without CPU kernels"
    return f"microbatches of {row['microbatch']}" if "microbatch" in row else "whole batches"


def all_models(grid: str, summary: Summary) -> list[Block]:
    """Returns a text and a table for each group of a grid of all models."""
    return [block for group in summary["groups"] for block in of_group(grid, group)]


def of_group(grid: str, group: Summary) -> list[Block]:
    """Returns the text and the table of a group: the fastest model first."""
    of, limits, read = group["of"], group["ceilings"], group["input"]
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
    about = (
        f"**{size}'s sizes**, batches of {of['batch']:,}, {PRECISIONS[of['precision']]}{compiled}. "
        f"Ceilings: {limits['flops'] / 1e9:,.0f} GFLOP/s, {limits['bytes'] / 1e9:,.1f} GB/s. "
        f"Optimizers alone, on InterHAt's weights and a batch's gradients: {updates}. The input "
        f"pipeline reads {read['rows_per_second']:,.0f} rows/s; of the time of a step that it "
        f"feeds, of {title(read)}, records in memory would save {read['share_of_the_step']:+.1%}. "
        f"{measured(grid, [group], *flags_of(grid, of))}"
    )
    fold = f"{size}'s sizes, {of['precision']}{compiled}: all models"
    steps.sort(key=lambda row: row["seconds"])
    return [about, table(columns, steps, fold=fold)]


def flags_of(grid: str, of: Summary) -> list[str]:
    """Returns the flags that a group of a grid of all models is timed with."""
    flags = [f"--sizes={of['size']}"]
    if grid == "models":  # `gpu` has these among its cases
        flags += ["--xla"] if of["jit_compile"] else []
        flags += [f"--precision={of['precision']}"] if of["precision"] != "float32" else []
    return flags


def table_size(summary: Summary) -> list[Block]:
    """Returns the text and the table on a step's seconds against the size of the tables."""
    rows = rows_of(summary)
    columns = {
        "model": lambda row: TITLES[row["model"]],
        "optimizer": lambda row: OPTIMIZERS[row["optimizer"]],
        "features": "{features:,}",
        "ms a step": milliseconds,
        "rows/s": rate,
        "times the smallest's": lambda row: spread(row["against"]["smallest"]["time"], 2),
    }
    about = (
        f"Training steps of {rows[0]['batch']:,} records of Criteo's 36 fields. "
        f"{measured('table_size', summary['groups'])}"
    )
    return [about, table(columns, rows)]
