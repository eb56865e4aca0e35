"""What the page says of Figure 2, from the grid `figure_2` of `experiments.speed.grid`."""

import numpy as np
from matplotlib.figure import Figure

from experiments.common.markdown import spread
from experiments.report.blocks import BLUE, GREY, picture, without_frame
from experiments.report.cells import Summary, table
from experiments.report.grid_cells import rate, rows_of, title
from experiments.speed.paper_sizes import SIZES


def figure_2(summary: Summary) -> Summary:
    """Returns the dots and the table of the seconds an epoch of all models."""
    rows = rows_of(summary)
    interhat = {row["size"]: row["seconds"] for row in rows if row["model"] == "interhat"}
    columns = {
        "data": lambda row: row["size"].capitalize(),
        "model": title,
        "s an epoch": lambda row: spread(seconds_per_epoch(row), 0),
        "of InterHAt's": lambda row: f"{row['seconds'] / interhat[row['size']]:.2f}",
        "rows/s": rate,
        "parameters": "{parameters:,}",
        "built with": built_with,
    }
    sizes = " ".join(
        f"{name.capitalize()}'s sizes: {SIZES[name].categories + SIZES[name].numbers} fields, "
        f"{SIZES[name].features:,} features, {SIZES[name].epoch_rows:,} rows an epoch."
        for name in interhat
    )
    return {
        "batch": rows[0]["batch"],
        "sizes": sizes,
        "dots": picture(dots_of(summary), "figure_2", "Dots: seconds an epoch of each model"),
        "numbers": table(columns, rows, fold="Figure 2's numbers, and the sizes of the models"),
    }


def seconds_per_epoch(row: Summary) -> dict[str, float]:
    """Returns the seconds that an epoch of the paper's training split takes."""
    steps = SIZES[row["size"]].epoch_rows / row["batch"]
    return {"mean": row["seconds"] * steps, "std": row["deviation"] * steps}


def built_with(row: Summary) -> str:
    """Returns the arguments of a model that change its size."""
    arguments = row["arguments"].items()
    return ", ".join(f"{name} {value}" for name, value in arguments if not name.endswith("_l2"))


def dots_of(summary: Summary) -> Figure:
    """Draws a dot at each model's seconds an epoch, a panel for each data set.

    On a logarithmic axis, which has no zero for a bar to begin at.
    """
    groups = summary["groups"]
    figure = Figure(figsize=(4.6 * len(groups), 3.6), layout="constrained")
    panels = np.atleast_1d(figure.subplots(1, len(groups)))
    for panel, group in zip(panels, groups, strict=True):
        rows = sorted(group["rows"], key=lambda row: row["seconds"])
        seconds = [seconds_per_epoch(row) for row in rows]
        means, deviations = ([s[name] for s in seconds] for name in ("mean", "std"))
        colours = [BLUE if row["model"].startswith("interhat") else GREY for row in rows]
        positions = range(len(rows))
        panel.errorbar(means, positions, xerr=deviations, fmt="none", ecolor=GREY)
        panel.scatter(means, positions, color=colours, zorder=3)
        panel.grid(axis="y", linewidth=0.5, alpha=0.5)
        panel.set_yticks(positions, map(title, rows))
        panel.invert_yaxis()
        panel.set_xscale("log")
        for y, mean, deviation in zip(positions, means, deviations, strict=True):
            end, offset = (mean + deviation, y), (7, 0)
            panel.annotate(f"{mean:,.0f}", end, offset, textcoords="offset points", va="center")
        panel.set_xlim(min(means) / 2, max(means) * 5)
        panel.set_title(group["of"]["size"].capitalize())
        panel.set_xlabel("seconds an epoch, logarithmic")
        without_frame(panel)
    return figure
