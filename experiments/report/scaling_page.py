"""What the page says of what a training step grows with, from the grid `scaling`."""

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from experiments.report.blocks import BLUE, ORANGE, picture, without_frame
from experiments.report.cells import Summary, table
from experiments.report.grid_cells import milliseconds, rate, rows_of, title

LABELS = {"order": "highest order k", "batch": "records of a batch", "num_heads": "heads"}
ALT = "Rows a second against features, fields, heads, orders and records of a batch"


def scaling(summary: Summary) -> Summary:
    """Returns the lines through the orders' times, the figure and its numbers."""
    orders = [row for row in rows_of(summary) if row["axis"] == "order"]
    columns = {
        "changed": lambda row: {"num_heads": "heads"}.get(row["axis"], row["axis"]),
        "model": title,
        "to": lambda row: f"{changed_to(row):,}",
        "rows/s": rate,
        "ms a step": milliseconds,
    }
    return {
        "lines": " ".join(line_of(rows) for rows in by_model(orders)),
        "picture": picture(scaling_lines(summary), "scaling", ALT),
        "numbers": table(columns, rows_of(summary), fold="The figure's numbers"),
    }


def by_model(rows: list[Summary]) -> list[list[Summary]]:
    """Returns the rows of each model, in the same order."""
    found = {}
    for row in rows:
        found.setdefault(row["model"], []).append(row)
    return list(found.values())


def changed_to(row: Summary) -> int:
    """Returns a row's value of what its group changes: a size, or an argument of the model."""
    return row.get("changed", {}).get(row["axis"]) or row[row["axis"]]


def line_of(rows: list[Summary]) -> str:
    """Returns the sentence on the line that fits a model's seconds a step against the order."""
    orders, seconds = np.array([[changed_to(row), row["seconds"]] for row in rows]).T
    slope, start = np.polyfit(orders, seconds, 1)
    explained = 1 - (seconds - start - slope * orders).var() / seconds.var()
    return (
        f"{title(rows[0])}: {slope * 1e3:.1f} ms for each order beside {start * 1e3:,.0f} ms, "
        f"a line that explains {explained:.1%} of the variance."
    )


def scaling_lines(summary: Summary) -> Figure:
    """Draws rows a second against what a step grows with, a panel for each axis."""
    axes = {}
    for row in rows_of(summary):
        axes.setdefault(row["axis"], []).append(row)
    lines = -(-len(axes) // 3)
    figure = Figure(figsize=(8.4, 2.6 * lines), layout="constrained")
    panels = figure.subplots(lines, 3, squeeze=False).ravel()
    for panel in panels[len(axes) :]:
        panel.remove()
    for panel, (axis, rows) in zip(panels, axes.items(), strict=False):
        draw(panel, axis, rows)
        without_frame(panel)
    return figure


def draw(panel: Axes, axis: str, rows: list[Summary]) -> None:
    """Draws a line for each model; over orders the time, which the paper says is linear."""
    models = by_model(rows)
    for of_model, style, colour in zip(models, ("o-", "s--"), (BLUE, ORANGE), strict=False):
        values = [changed_to(row) for row in of_model]
        heights = [
            row["seconds"] * 1e3 if axis == "order" else row["batch"] / row["seconds"]
            for row in of_model
        ]
        panel.plot(values, heights, style, color=colour, label=title(of_model[0]))
    panel.set_ylabel("ms a step" if axis == "order" else "rows/s")
    panel.set_xlabel(LABELS.get(axis, axis))
    panel.set_ylim(0, 1.05 * panel.get_ylim()[1])
    if max(values) > 20 * min(values):
        panel.set_xscale("log")
        panel.minorticks_off()
        names = [f"{v / 1000:,.0f}K" if v > 10_000 else f"{v:,}" for v in values]
        panel.set_xticks(values, names, fontsize=7)
    if len(models) > 1:
        panel.legend(frameon=False, fontsize=7)
