"""The page's parts on the other grids of `experiments.speed.grid`.

Each takes a grid's summary, or `None`, and returns its section, or none.
"""

from typing import Any

import numpy as np

from experiments.common.markdown import spread
from experiments.common.published import TITLES
from experiments.report.grid_cells import measured, milliseconds, rate, title
from experiments.report.pages import Section, Table, picture
from experiments.report.speed_figures import by_model, scaling_lines, value_on

Summary = dict[str, Any]

PRECISIONS = {"float32": "float32", "mixed_bfloat16": "bfloat16, logits and weights float32"}
OPTIMIZERS = {"adam": "Adam, exact", "lazy_adam": "LazyAdam", "keras_adam": "Keras' Adam"}


def microbatches(summary: Summary | None) -> list[Section]:
    """Returns the section on training steps in microbatches."""
    if summary is None:
        return []
    rows = [row for group in summary["groups"] for row in group["rows"]]
    cells = [
        [
            f"{row['size'].capitalize()}: {title(row['model'])}",
            how_computed(row),
            spread(
                {
                    "mean": row["batch"] / row["seconds"],
                    "std": row["batch"] * row["deviation"] / row["seconds"] ** 2,
                },
                0,
            ),
            *(
                spread(row["against"][name]["rate"], 2) if name in row["against"] else "–"
                for name in ("whole", "keras")
            ),
        ]
        for row in rows
    ]
    about = (
        f"Not in the paper. Training steps of {rows[0]['batch']:,} records with the exact Adam, "
        "whole and in microbatches: a batch's gradient is the sum over its microbatches, whose "
        "numbers stay in a core's cache, and several are computed side by side, each operation on "
        "one thread. Attention and Adam are CPU kernels (`interhat_tf.kernels`); without them "
        "the attention weights go through memory several times. Beside them the same model of "
        "Keras' own layers, with Keras' Adam and training function. "
        f"{measured('microbatch', summary['groups'])}"
    )
    header = ["form", "how", "rows/s", "times the whole's", "times plain Keras'"]
    return [Section("Training on a CPU: microbatches", [about, Table(header, cells)])]


def how_computed(row: dict[str, Any]) -> str:
    """Returns what computes a step."""
    if row["code"] == "keras":
        return "plain Keras, XLA" if row["jit_compile"] else "plain Keras"
    if row["code"] == "tensorflow":
        return "whole, without CPU kernels"
    return f"microbatches of {row['microbatch']}" if "microbatch" in row else "whole batches"


def all_models(*summaries: tuple[str, Summary | None]) -> list[Section]:
    """Returns the section on all models' rows a second.

    Args:
        *summaries: Names of grids with their summaries.
    """
    blocks = [
        block
        for grid, summary in summaries
        if summary
        for group in summary["groups"]
        for block in _all_models_of(grid, group)
    ]
    if not blocks:
        return []
    about = (
        "Not in the paper. Training steps with the exact Adam, predictions and explanations of all "
        "models, in turn in one process, on the same embedding, optimizer and loop, with whole "
        "batches. Operations are those of a step's matrix products, bytes what every TensorFlow "
        "operation of it reads and writes, counted on its graph: what stays in a cache or is fused "
        "never reaches the memory, so that their share of its bandwidth can pass 100%."
    )
    return [Section("Speed: all models, in shares of what the machine can do", [about, *blocks])]


def _all_models_of(grid, group):
    of, limits, read = group["of"], group["ceilings"], group["input"]
    timed = {(row["model"], row["work"]): row for row in group["rows"]}
    steps = sorted(
        (row for row in group["rows"] if row["work"] == "step"), key=lambda row: row["seconds"]
    )
    cells = [
        [
            title(row["model"]),
            rate(row),
            f"{row['flops'] / row['batch'] / 1e6:.2f}",
            f"{row['bytes'] / row['batch'] / 1e3:,.0f}",
            f"{row['map_bytes'] / row['bytes']:.0%}",
            *(f"{row[name] / row['seconds'] / limits[name]:.0%}" for name in ("flops", "bytes")),
            *(
                rate(timed[row["model"], work]) if (row["model"], work) in timed else "–"
                for work in ("prediction", "explanation")
            ),
        ]
        for row in steps
    ]
    header = [
        *("model", "training rows/s", "10⁶ operations a row", "kB a row", "about pairs of fields"),
        *("of the product rate", "of the bandwidth", "predicted rows/s", "explained rows/s"),
    ]
    updates = ", ".join(
        f"{OPTIMIZERS[row['optimizer']]} {row['seconds'] * 1e3:,.1f} ms"
        for row in group["rows"]
        if row["work"] == "update"
    )
    size, compiled = of["size"].capitalize(), ", compiled by XLA" if of["jit_compile"] else ""
    flags = [f"--sizes={of['size']}"]
    if grid == "models":  # `gpu` has these among its cases
        flags += ["--xla"] if of["jit_compile"] else []
        flags += [f"--precision={of['precision']}"] if of["precision"] != "float32" else []
    about = (
        f"**{size}'s sizes**, batches of {of['batch']:,}, {PRECISIONS[of['precision']]}{compiled}. "
        f"Ceilings: {limits['flops'] / 1e9:,.0f} GFLOP/s, {limits['bytes'] / 1e9:,.1f} GB/s. "
        f"Optimizers alone, on InterHAt's weights and a batch's gradients: {updates}. The input "
        f"pipeline reads {read['rows_per_second']:,.0f} rows/s; of the time of a step that it "
        f"feeds, of {title(read['model'])}, records in memory would save "
        f"{read['share_of_the_step']:+.1%}. {measured(grid, [group], *flags)}"
    )
    fold = f"{size}'s sizes, {of['precision']}{compiled}: all models"
    return [about, Table(header, cells, fold=fold)]


def scaling(summary: Summary | None) -> list[Section]:
    """Returns the section on what a step grows with."""
    if summary is None:
        return []
    axes = {group["of"]["axis"]: group["rows"] for group in summary["groups"]}
    lines = " ".join(_line(*of_model) for of_model in by_model(axes.get("order", [])).items())
    about = (
        "Not in the paper. From Criteo's sizes and Table 2, one thing changed at a time: "
        "`released`, whole batches, of 2,048 unless changed, the exact Adam. The paper says that "
        f"the cost of the orders is linear in k; seconds a step against k: {lines} "
        f"{measured('scaling', summary['groups'])}"
    )
    cells = [
        [
            {"num_heads": "heads"}.get(axis, axis),
            title(row["model"]),
            f"{value_on(axis, row):,}",
            rate(row),
            milliseconds(row),
        ]
        for axis, rows in axes.items()
        for row in rows
    ]
    header = ["changed", "model", "to", "rows/s", "ms a step"]
    alt = "Rows a second against features, fields, heads, orders and records of a batch"
    return [
        Section(
            "Speed: what a step grows with",
            [
                about,
                picture(scaling_lines(axes), "scaling", alt),
                Table(header, cells, fold="The figure's numbers"),
            ],
        )
    ]


def _line(model, rows):
    """Returns the sentence on the line that fits a model's seconds a step against the order."""
    orders, seconds = np.array([[value_on("order", row), row["seconds"]] for row in rows]).T
    slope, start = np.polyfit(orders, seconds, 1)
    explained = 1 - (seconds - start - slope * orders).var() / seconds.var()
    return (
        f"{title(model)}: {slope * 1e3:.1f} ms for each order beside {start * 1e3:,.0f} ms, "
        f"a line that explains {explained:.1%} of the variance."
    )


def table_size(summary: Summary | None) -> list[str | Table]:
    """Returns the text and the table on the seconds of a step against the size of the tables."""
    if summary is None:
        return []
    rows = [row for group in summary["groups"] for row in group["rows"]]
    cells = [
        [
            TITLES[row["model"]],
            OPTIMIZERS[row["optimizer"]],
            f"{row['features']:,}",
            milliseconds(row),
            rate(row),
            spread(row["against"]["smallest"]["time"], 2),
        ]
        for row in rows
    ]
    about = (
        f"Training steps of {rows[0]['batch']:,} records of Criteo's 36 fields. "
        f"{measured('table_size', summary['groups'])}"
    )
    header = ["model", "optimizer", "features", "ms a step", "rows/s", "times the smallest's"]
    return [about, Table(header, cells)]
