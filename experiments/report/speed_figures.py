"""Figure 2 of the paper, and what a training step grows with, drawn from groups of grids."""

from collections.abc import Callable
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from experiments.report.grid_cells import title
from experiments.report.pages import BLUE, GREY, ORANGE, without_frame

Row = dict[str, Any]

LABELS = {"order": "highest order k", "batch": "records of a batch", "num_heads": "heads"}


def figure_2_bars(groups: list[Row], seconds_per_epoch: Callable[[Row], dict]) -> Figure:
    """Draws Figure 2: a bar of seconds an epoch for each model, a panel for each group.

    Args:
        groups: Groups of the grid `figure_2`.
        seconds_per_epoch: A function from a row to the mean and the deviation of its seconds.
    """
    figure = Figure(figsize=(4.6 * len(groups), 3.6), layout="constrained")
    panels = np.atleast_1d(figure.subplots(1, len(groups)))
    for panel, group in zip(panels, groups, strict=True):
        rows = sorted(group["rows"], key=lambda row: row["seconds"])
        seconds = [seconds_per_epoch(row) for row in rows]
        means, deviations = ([s[name] for s in seconds] for name in ("mean", "std"))
        colours = [BLUE if row["model"].startswith("interhat") else GREY for row in rows]
        positions = range(len(rows))
        panel.barh(positions, means, xerr=deviations, color=colours, ecolor="black")
        panel.set_yticks(positions, [title(row["model"]) for row in rows])
        panel.invert_yaxis()
        panel.set_xscale("log")
        for y, mean, deviation in zip(positions, means, deviations, strict=True):
            end, offset = (mean + deviation, y), (4, 0)
            panel.annotate(f"{mean:,.0f}", end, offset, textcoords="offset points", va="center")
        panel.set_xlim(min(means) / 2, max(means) * 3)
        panel.set_title(group["of"]["size"].capitalize())
        panel.set_xlabel("seconds an epoch, logarithmic")
        without_frame(panel)
    return figure


def scaling_lines(axes: dict[str, list[Row]]) -> Figure:
    """Draws rows a second against what a step grows with, a panel for each axis.

    Args:
        axes: Rows of the grid `scaling` by what they change.
    """
    figure = Figure(figsize=(8.4, 2.6 * -(-len(axes) // 3)), layout="constrained")
    panels = figure.subplots(-(-len(axes) // 3), 3, squeeze=False).ravel()
    for panel in panels[len(axes) :]:
        panel.remove()
    for panel, (axis, rows) in zip(panels, axes.items(), strict=False):
        _draw_axis(panel, axis, rows)
        without_frame(panel)
    return figure


def _draw_axis(panel: Axes, axis: str, rows: list[Row]):
    models = by_model(rows)
    for (model, of_model), style, colour in zip(
        models.items(), ("o-", "s--"), (BLUE, ORANGE), strict=False
    ):
        # Over orders the time is what the paper says is linear.
        heights = [
            row["seconds"] * 1e3 if axis == "order" else row["batch"] / row["seconds"]
            for row in of_model
        ]
        values = [value_on(axis, row) for row in of_model]
        panel.plot(values, heights, style, color=colour, label=title(model))
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


def by_model(rows: list[Row]) -> dict[str, list[Row]]:
    """Returns rows by their model, in the same order."""
    found: dict[str, list[Row]] = {}
    for row in rows:
        found.setdefault(row["model"], []).append(row)
    return found


def value_on(axis: str, row: Row) -> int:
    """Returns a row's value of what its group changes: a size, or an argument of the model."""
    return row.get("changed", {}).get(axis) or row[axis]
